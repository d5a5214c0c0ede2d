/* The instructions of AVX512-BF16 and AMX-BF16: dot products of pairs of bf16 with fp32 sums.
 *
 * A pair is a 32-bit number, its first element in the low half. Where the compiler may not use the
 * instruction, the function of the same name does in plain C what Intel's Software Developer's
 * Manual (volume 2: VDPBF16PS, VCVTNE2PS2BF16, TDPBF16PS) says of it, sum by sum: subnormal
 * operands count as zero, a subnormal result becomes zero, each addition rounds to nearest even.
 * Kernels written in these functions are so tested on any machine. */
#ifndef BENCH_KERNELS_CPU_DOT_PAIRS_H
#define BENCH_KERNELS_CPU_DOT_PAIRS_H

#include <math.h>

#include "cpu/convert.h"

/* Pairs are made of bf16 tensors where they stand, and moved as floats. */
typedef uint32_t bf16_pair __attribute__((may_alias));
typedef uint32_t pairs16 __attribute__((vector_size(64), may_alias));
typedef float floats16 __attribute__((vector_size(64), may_alias));

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif
#if defined(__AMX_BF16__) || defined(__AMXBF16__) /* gcc, older clang */
#define DOT_HAS_AMX
#endif

#ifndef __AVX512BF16__

typedef int32_t sizes16 __attribute__((vector_size(64)));

/* Bits of the absolute value. */
static inline sizes16 dot_sizes(floats16 value) {
  return (sizes16)((pairs16)value & 0x7fffffff);
}

/* All ones where a < b, for what is not negative. gcc compares only vectors that the CPU has, and
 * does without in single numbers. */
static inline sizes16 dot_less(sizes16 a, sizes16 b) {
  return (a - b) >> 31;
}

/* Zero of the same sign for a subnormal number. */
static inline floats16 dot_flushed(floats16 value) {
  const sizes16 least = (sizes16){0} + 0x00800000;
  return (floats16)((pairs16)value & ~((pairs16)dot_less(dot_sizes(value), least) & 0x7fffffff));
}

/* FMA of elements that stand in the upper halves. Their product has 16 bits, so that a multiply and
 * an add do the same, unless it leaves the range of normal numbers. */
static __attribute__((noinline)) floats16 dot_fma(pairs16 a, pairs16 b, floats16 sum) {
  const sizes16 zero = {0};
  const floats16 x = dot_flushed((floats16)(a & 0xffff0000));
  const floats16 y = dot_flushed((floats16)(b & 0xffff0000));
  const floats16 z = dot_flushed(sum);
  const sizes16 size = dot_sizes(x * y);
  const sizes16 small = dot_less(size, zero + 0x00800000) & dot_less(zero, dot_sizes(x)) &
                        dot_less(zero, dot_sizes(y));
  const sizes16 out = small | dot_less(zero + 0x7f7fffff, size);
  floats16 result = x * y + z;
  int32_t any = 0;
  for (int i = 0; i < 16; i++) {
    any |= out[i];
  }
  for (int i = 0; any != 0 && i < 16; i++) {
    result[i] = fmaf(x[i], y[i], z[i]);
  }
  return dot_flushed(result);
}

#endif

/* sum[i] + a[i] . b[i], the second elements first. */
static inline floats16 dot_pairs(floats16 sum, pairs16 a, pairs16 b) {
#ifdef __AVX512BF16__
  return (floats16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  return dot_fma(a << 16, b << 16, dot_fma(a, b, sum));
#endif
}

/* (first[i], second[i]), rounded to nearest even. */
static inline pairs16 dot_round(floats16 first, floats16 second) {
#ifdef __AVX512BF16__
  typedef uint16_t halves32 __attribute__((vector_size(64)));
  const halves32 order = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                          8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512bh apart = _mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
  return (pairs16)_mm512_permutexvar_epi16((__m512i)order, (__m512i)apart);
#else
  pairs16 pairs = {0};
  for (int i = 0; i < 16; i++) {
    pairs[i] = (uint32_t)convert_to_bf16(dot_flushed(second)[i]) << 16 |
               convert_to_bf16(dot_flushed(first)[i]);
  }
  return pairs;
#endif
}

/* Eight tile registers of 16 rows of 16 numbers of 32 bits, per thread. The number of a register
 * must be a constant; strides are in bytes.
 *
 *   amx_configure()               before the first of the others, whose contents are then zero
 *   amx_release()                 after the last, or the system goes on saving the registers
 *   amx_zero(to)
 *   amx_load(to, from, stride)
 *   amx_store(from, to, stride)
 *   amx_dot(c, a, b)              c[m][n] += sum over k of a[m][k] . b[k][n], of pairs
 *
 * The loads name no memory to the compiler (gcc 12), so amx_load says that all of it may be read.
 */
enum { AMX_ROWS = 16 };

#ifdef DOT_HAS_AMX

typedef struct amx_config {
  uint8_t palette;
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} amx_config;

static const amx_config amx_whole_tiles = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS, AMX_ROWS}};

#define amx_configure() _tile_loadconfig(&amx_whole_tiles)
#define amx_release() _tile_release()
#define amx_zero(to) _tile_zero(to)
#define amx_load(to, from, stride)       \
  do {                                   \
    __asm__ volatile("" : : : "memory"); \
    _tile_loadd(to, from, stride);       \
  } while (false)
#define amx_store(from, to, stride) _tile_stored(from, to, stride)
#define amx_dot(c, a, b) _tile_dpbf16ps(c, a, b)

#elif !defined(__AVX512BF16__)

#include <assert.h>

typedef struct amx_registers {
  bool configured; /* the instructions fault without */
  pairs16 tile[8][AMX_ROWS];
} amx_registers;

static _Thread_local amx_registers amx;

static inline void amx_configure(void) {
  amx = (amx_registers){.configured = true};
}

static inline void amx_release(void) {
  amx.configured = false;
}

static inline void amx_zero(int to) {
  assert(amx.configured);
  memset(amx.tile[to], 0, sizeof amx.tile[to]);
}

static inline void amx_load(int to, const void *from, int64_t stride) {
  assert(amx.configured);
  for (int m = 0; m < AMX_ROWS; m++) {
    memcpy(&amx.tile[to][m], (const char *)from + m * stride, 64);
  }
}

static inline void amx_store(int from, void *to, int64_t stride) {
  assert(amx.configured);
  for (int m = 0; m < AMX_ROWS; m++) {
    memcpy((char *)to + m * stride, &amx.tile[from][m], 64);
  }
}

/* First and second elements are summed apart, from zero; then the two sums, then the register. */
static inline void amx_dot(int c, int a, int b) {
  assert(amx.configured);
  for (int m = 0; m < AMX_ROWS; m++) {
    floats16 first = {0};
    floats16 second = {0};
    for (int k = 0; k < 16; k++) {
      const pairs16 left = (pairs16){0} + amx.tile[a][m][k];
      const pairs16 right = amx.tile[b][k];
      first = dot_fma(left << 16, right << 16, first);
      second = dot_fma(left, right, second);
    }
    const floats16 sum = dot_flushed((floats16)amx.tile[c][m]);
    amx.tile[c][m] = (pairs16)dot_flushed(sum + dot_flushed(first + second));
  }
}

#endif
#endif
