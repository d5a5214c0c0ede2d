/* A case of wgmma: one N, one layout of the operands in shared memory, A there or in registers. */
#ifndef BENCH_TEST_CONFORM_WGMMA_CASE_H
#define BENCH_TEST_CONFORM_WGMMA_CASE_H

#include "conform.h"
#include "cuda/device.h"

namespace CONFORM_SIDE {

#define THREADS 128
#define A_BYTES 16384 /* room for A in shared memory; B stands behind it */
#define B_BYTES 49152
#define STEPS_MAX 4 /* of 16 along k */

/* ---- where the elements lie: the canonical layouts of the PTX ISA ("Strides") ---- */

/* A layout in CuTe's terms, in elements of 2 bytes, T = 8: coordinates (mn0, mn1, mn2), (k0, k1).
 */
struct Canonical {
  int mn[2]; /* extents of the inner two; the third is what is left */
  int mn_stride[3];
  int k; /* extent of the inner one */
  int k_stride[2];
};
struct Operand {
  int swizzle; /* dev_swizzle */
  bool mn_major;
  int lbo; /* in elements */
  int sbo;
};
/* By swizzle. B of Swizzle<B, 4, 3>, and rows of the pattern in units of T. */
static const int swizzle_bits[] = {0, 3, 2, 1};
static const int swizzle_units[] = {1, 8, 4, 2};

static Canonical canonical(const Operand &o) {
  const int t = 8;
  const int units = swizzle_units[o.swizzle];
  if (o.mn_major && o.swizzle == SWIZZLE_NONE) { /* ((T,1,m),(8,k)):((1,T,SBO),(1T,LBO)) */
    return {{t, 1}, {1, t, o.sbo}, 8, {t, o.lbo}};
  }
  if (o.mn_major) { /* ((T,8,m),(8,k)):((1,T,LBO),(8T,SBO)), and with 4 and 2 */
    return {{t, units}, {1, t, o.lbo}, 8, {units * t, o.sbo}};
  }
  if (o.swizzle == SWIZZLE_NONE) { /* ((8,m),(T,2k)):((1T,SBO),(1,LBO)) */
    return {{8, 1 << 30}, {t, o.sbo, 0}, t, {1, o.lbo}};
  }
  /* ((8,m),(T,2k)):((8T,SBO),(1,T)), and with 4T and 2T */
  return {{8, 1 << 30}, {units * t, o.sbo, 0}, t, {1, t}};
}
/* The byte of element (mn, k) behind the start of a tile that is aligned to the pattern. */
static size_t element_byte(const Operand &o, int mn, int k) {
  const Canonical c = canonical(o);
  const int index = mn % c.mn[0] * c.mn_stride[0] + mn / c.mn[0] % c.mn[1] * c.mn_stride[1] +
                    mn / c.mn[0] / c.mn[1] * c.mn_stride[2] + k % c.k * c.k_stride[0] +
                    k / c.k * c.k_stride[1];
  /* Swizzle<B, 4, 3> of bytes: bits 4 to 4 + B - 1 change with those three above. */
  const size_t byte = (size_t)index * 2;
  const size_t mask = ((size_t)1 << swizzle_bits[o.swizzle]) - 1;
  return byte ^ (byte >> 7 & mask) << 4;
}

/* Strides for `rows` rows and `ks` elements along k. */
static Operand operand(int swizzle, bool mn_major, int rows, int ks) {
  const int span = swizzle_units[swizzle] * 8; /* elements of a row of the pattern */
  if (mn_major && swizzle == SWIZZLE_NONE) {
    return {swizzle, true, 64, 64 * (ks / 8)};
  }
  if (mn_major) {
    return {swizzle, true, 8 * span * (ks / 8), 8 * span};
  }
  if (swizzle == SWIZZLE_NONE) {
    return {swizzle, false, rows * 8, 64};
  }
  return {swizzle, false, 8, 8 * span};
}
/* How far the start moves for a step of 16 along k, in bytes. */
static int step_bytes(const Operand &o) {
  if (o.mn_major) {
    return 2 * 2 * (o.swizzle == SWIZZLE_NONE ? o.lbo : o.sbo);
  }
  return o.swizzle == SWIZZLE_NONE ? 2 * 2 * o.lbo : 32;
}

/* ---- the kernel ---- */
struct Shape {
  int lbo_a, sbo_a, step_a;
  int lbo_b, sbo_b, step_b;
  int swizzle;
  int accumulate; /* onto what the registers hold, or from zero */
};

template <typename T, int N, int STEPS, bool TRANS_A, bool TRANS_B, bool REGISTERS>
BENCH_KERNEL_FN(THREADS)
void wgmma_kernel(Shape shape, const unsigned char *in, float *out) {
  BENCH_DYN_SMEM(region, 1024);
  const smem_addr tiles = (smem_of(region) + 1023) & ~(smem_addr)1023;
  const int t = thread_x();
  for (int i = t * 16; i < A_BYTES + B_BYTES; i += THREADS * 16) {
    store_shared16(tiles + (smem_addr)i, load_global16(in + i));
  }
  fence_proxy_async();
  sync_threads();
  const dev_swizzle swizzle = (dev_swizzle)shape.swizzle;
  float d[N / 2];
  uint32_t a[STEPS][4];
  for (int i = 0; i < N / 2; i++) {
    d[i] = (float)((t * 3 + i) % 32);
  }
  for (int i = 0; i < STEPS * 4; i++) { /* A's registers stand where A would */
    a[i / 4][i % 4] = load_shared4(tiles + (smem_addr)((t * STEPS_MAX * 4 + i) * 4));
  }
  wgmma_pin(d);
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < STEPS; step++) {
    const uint64_t b = wgmma_desc(tiles + A_BYTES + (smem_addr)(step * shape.step_b),
                                  (uint32_t)shape.lbo_b, (uint32_t)shape.sbo_b, swizzle);
    const bool adds = step > 0 || shape.accumulate != 0;
    if (REGISTERS) {
      wgmma_rs<T, N, TRANS_B>(d, a[step], b, adds);
    } else {
      const uint64_t a_desc = wgmma_desc(tiles + (smem_addr)(step * shape.step_a),
                                         (uint32_t)shape.lbo_a, (uint32_t)shape.sbo_a, swizzle);
      wgmma_ss<T, N, TRANS_A, TRANS_B>(d, a_desc, b, adds);
    }
  }
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_pin(d);
  for (int i = 0; i < N / 2; i++) {
    out[t * (N / 2) + i] = d[i];
  }
}

/* ---- cases: a N, b swizzle, c steps and flags, d which operands are transposed ---- */
enum { FP16 = 16, ACCUMULATE = 32, REGISTERS = 64 };
enum { TRANS_A = 1, TRANS_B = 2 };

static Operand a_of(const conform_case *c) {
  return operand(c->b, (c->d & TRANS_A) != 0, 64, 16 * (c->c & 7));
}
static Operand b_of(const conform_case *c) {
  return operand(c->b, (c->d & TRANS_B) != 0, c->a, 16 * (c->c & 7));
}
template <typename T, int N, int STEPS, bool TA, bool TB, bool RS>
static bench_code wgmma_launch(const conform_case *c, const void *in, void *out) {
  const Operand a = a_of(c);
  const Operand b = b_of(c);
  const Shape shape = {2 * a.lbo, 2 * a.sbo,     step_bytes(a), 2 * b.lbo,
                       2 * b.sbo, step_bytes(b), c->b,          (c->c & ACCUMULATE) != 0};
  return BENCH_LAUNCH((wgmma_kernel<T, N, STEPS, TA, TB, RS>), 1, THREADS, A_BYTES + B_BYTES + 1024,
                      nullptr, shape, static_cast<const unsigned char *>(in),
                      static_cast<float *>(out));
}

static int a_value(int row, int k) {
  return conform_integer(11, (uint32_t)(row * 64 + k));
}
static int b_value(int k, int column) {
  return conform_integer(13, (uint32_t)(column * 64 + k));
}
static void put(const conform_case *c, unsigned char *to, int value) {
  conform_put(to, 0, (c->c & FP16) != 0 ? conform_fp16(value) : conform_bf16(value));
}
static void wgmma_fill(const conform_case *c, unsigned char *in) {
  memset(in, 0xff, c->in_bytes); /* NaN wherever no element is */
  const int ks = 16 * (c->c & 7);
  for (int k = 0; k < ks; k++) {
    for (int row = 0; row < 64 && (c->c & REGISTERS) == 0; row++) {
      put(c, in + element_byte(a_of(c), row, k), a_value(row, k));
    }
    for (int column = 0; column < c->a; column++) {
      put(c, in + A_BYTES + element_byte(b_of(c), column, k), b_value(k, column));
    }
  }
  if ((c->c & REGISTERS) == 0) {
    return;
  }
  /* "Register fragments": a_i of a warp's 16 rows, as those of mma.m16n8k16. */
  for (int t = 0; t < THREADS; t++) {
    for (int i = 0; i < 8 * (c->c & 7); i++) {
      const int e = i % 8;
      const int row = t / 32 * 16 + t % 32 / 4 + (e / 2 % 2 == 1 ? 8 : 0);
      const int k = i / 8 * 16 + t % 4 * 2 + e % 2 + (e >= 4 ? 8 : 0);
      put(c, in + (size_t)(t * STEPS_MAX * 8 + i) * 2, a_value(row, k));
    }
  }
}
/* "Register fragments": d_i of thread t is row 16 (t / 32) + t % 32 / 4, + 8 for odd i / 2, column
 * 8 (i / 4) + 2 (t % 4) + i % 2. */
static void wgmma_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)in;
  for (int t = 0; t < THREADS; t++) {
    for (int i = 0; i < c->a / 2; i++) {
      const int row = t / 32 * 16 + t % 32 / 4 + (i / 2 % 2 == 1 ? 8 : 0);
      const int column = i / 4 * 8 + t % 4 * 2 + i % 2;
      int sum = (c->c & ACCUMULATE) != 0 ? (t * 3 + i) % 32 : 0;
      for (int k = 0; k < 16 * (c->c & 7); k++) {
        sum += a_value(row, k) * b_value(k, column);
      }
      conform_put(out, (size_t)(t * (c->a / 2) + i), (float)sum);
    }
  }
}

#define WGMMA_CASE(name, type, n, swizzle, flags, ta, tb, rs)                             \
  {                                                                                       \
    name, 90, A_BYTES + B_BYTES, THREADS *(n) / 2 * 4, wgmma_fill,                        \
        wgmma_launch<type, n, (flags)&7, ta, tb, rs>, wgmma_expect, 0, n, swizzle, flags, \
        ((ta) ? TRANS_A : 0) | ((tb) ? TRANS_B : 0)                                       \
  }

/* The operands from shared memory and from registers, of both types, for one number of columns. */
#define WGMMA_OF_N(n)                                                                          \
  WGMMA_CASE("wgmma_ss bf16 n" #n, dev_bf16, n, SWIZZLE_128B, 4, false, false, false),         \
      WGMMA_CASE("wgmma_ss fp16 n" #n, dev_fp16, n, SWIZZLE_64B, 2 | FP16 | ACCUMULATE, false, \
                 false, false),                                                                \
      WGMMA_CASE("wgmma_rs bf16 n" #n, dev_bf16, n, SWIZZLE_128B, 2 | REGISTERS, false, true,  \
                 true),                                                                        \
      WGMMA_CASE("wgmma_rs fp16 n" #n, dev_fp16, n, SWIZZLE_128B,                              \
                 4 | FP16 | ACCUMULATE | REGISTERS, false, false, true)

}  // namespace CONFORM_SIDE

#endif
