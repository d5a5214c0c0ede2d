/* Conformance of a warp's matrices: ldmatrix and mma. */
#include "conform.h"
#include "cuda/device.h"
#include "rows.h"

namespace CONFORM_SIDE {

/* ---- ldmatrix: the rows of up to four matrices, in an order that no address betrays ---- */

BENCH_KERNEL_FN(32)
void load_kernel(int count, int transposed, const unsigned char *in, uint32_t *out) {
  BENCH_SHARED(dev_u128, held, [32 * 3]);
  const int t = thread_x();
  const smem_addr row = smem_of(held) + (smem_addr)row_place(t);
  store_shared16(row, load_global16(in + t * 16));
  sync_warp();
  uint32_t r1[1];
  uint32_t r2[2];
  uint32_t r4[4];
  switch (count * 2 + transposed) {
    case 2:
      ldmatrix_x1(r1, row);
      break;
    case 3:
      ldmatrix_x1_trans(r1, row);
      break;
    case 4:
      ldmatrix_x2(r2, row);
      break;
    case 5:
      ldmatrix_x2_trans(r2, row);
      break;
    case 8:
      ldmatrix_x4(r4, row);
      break;
    default:
      ldmatrix_x4_trans(r4, row);
      break;
  }
  for (int i = 0; i < count; i++) {
    out[t * WORDS + i] = count == 1 ? r1[0] : count == 2 ? r2[i & 1] : r4[i];
  }
}
static bench_code load_launch(const conform_case *c, const void *in, void *out) {
  return BENCH_LAUNCH(load_kernel, 1, 32, 0, nullptr, c->a, c->b,
                      static_cast<const unsigned char *>(in), static_cast<uint32_t *>(out));
}
/* "ldmatrix": lane 4 g + t has elements 2 t and 2 t + 1 of row g, or of column g with .trans. */
static void load_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  for (size_t m = 0; m < (size_t)c->a; m++) {
    for (size_t lane = 0; lane < 32; lane++) {
      uint32_t word = 0;
      for (size_t half = 0; half < 2; half++) {
        const size_t major = lane / 4;
        const size_t minor = lane % 4 * 2 + half;
        const size_t row = c->b == 0 ? major : minor;
        const size_t column = c->b == 0 ? minor : major;
        word |= (uint32_t)conform_at<uint16_t>(in, (m * 8 + row) * 8 + column) << 16 * half;
      }
      conform_put(out, lane * WORDS + m, word);
    }
  }
}

/* ---- mma.m16n8k16: each register of each lane holds integers of its own ---- */
template <typename T>
BENCH_KERNEL_FN(32)
void mma_kernel(const uint32_t *in, float *out) {
  const int t = thread_x();
  uint32_t a[4];
  float c[4];
  for (int i = 0; i < 4; i++) {
    a[i] = in[t * 4 + i];
    c[i] = (float)(t * 4 + i);
  }
  mma_m16n8k16<T>(c, a, in[128 + t * 2], in[128 + t * 2 + 1]);
  for (int i = 0; i < 4; i++) {
    out[t * 4 + i] = c[i];
  }
}
template <typename T>
static bench_code mma_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(mma_kernel<T>, 1, 32, 0, nullptr, static_cast<const uint32_t *>(in),
                      static_cast<float *>(out));
}
static void mma_fill(const conform_case *c, unsigned char *in) {
  for (size_t i = 0; i < c->in_bytes / 2; i++) {
    const int value = conform_integer(7, (uint32_t)i);
    conform_put(in, i, c->a == 16 ? conform_fp16(value) : conform_bf16(value));
  }
}
/* "Matrix Fragments for mma.m16n8k16 with floating point type". With g = lane / 4, t = lane % 4:
 *   a_i: row g for 0 <= i < 2 and 4 <= i < 6, else g + 8; column 2 t + (i & 1), + 8 for i >= 4
 *   b_i: row 2 t + (i & 1), + 8 for i >= 2; column g
 *   c_i: row g for i < 2, else g + 8; column 2 t + (i & 1) */
static void mma_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  int a[16][16];
  int b[16][8];
  for (int lane = 0; lane < 32; lane++) {
    const int g = lane / 4;
    const int t = lane % 4;
    for (int i = 0; i < 8; i++) {
      const int row = (i >= 0 && i < 2) || (i >= 4 && i < 6) ? g : g + 8;
      const int column = 2 * t + (i & 1) + (i >= 4 ? 8 : 0);
      a[row][column] = conform_integer(7, (uint32_t)(lane * 8 + i));
    }
    for (int i = 0; i < 4; i++) {
      b[2 * t + (i & 1) + (i >= 2 ? 8 : 0)][g] = conform_integer(7, (uint32_t)(256 + lane * 4 + i));
    }
  }
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) {
      const int row = i < 2 ? lane / 4 : lane / 4 + 8;
      const int column = lane % 4 * 2 + (i & 1);
      int sum = lane * 4 + i;
      for (int k = 0; k < 16; k++) {
        sum += a[row][k] * b[k][column];
      }
      conform_put(out, (size_t)(lane * 4 + i), (float)sum);
    }
  }
}

#define LOAD(name, count, transposed)                                                              \
  {                                                                                                \
    name, 80, 32 * 16, 32 * WORDS * 4, nullptr, load_launch, load_expect, 0, count, transposed, 0, \
        0                                                                                          \
  }
static const conform_case cases[] = {
    LOAD("ldmatrix_x1", 1, 0),
    LOAD("ldmatrix_x1_trans", 1, 1),
    LOAD("ldmatrix_x2", 2, 0),
    LOAD("ldmatrix_x2_trans", 2, 1),
    LOAD("ldmatrix_x4", 4, 0),
    LOAD("ldmatrix_x4_trans", 4, 1),
    {"mma_m16n8k16 bf16", 80, 192 * 4, 128 * 4, mma_fill, mma_launch<dev_bf16>, mma_expect, 0, 0, 0,
     0, 0},
    {"mma_m16n8k16 fp16", 80, 192 * 4, 128 * 4, mma_fill, mma_launch<dev_fp16>, mma_expect, 0, 16,
     0, 0, 0},
};
CONFORM_TABLE(matrix) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
