/* The words of the flash loop: rows in lanes, runs of keys, and how the products are cut into tiles
 * that stay in registers.
 *
 * Queries lie in the lanes: what belongs to the rows of a strip, 2 vectors of them, is stored
 * transposed, [...][STRIP]. GROUP x 2 vectors of sums are enough independent chains to hide the
 * latency of the FMA, and leave registers for the operands. Width comes from CPU_LANES; there is
 * one source for every CPU. */
#ifndef BENCH_KERNELS_CPU_FLASH_LANES_H
#define BENCH_KERNELS_CPU_FLASH_LANES_H

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "cpu/common.h"
#include "cpu/exp2.h"

enum {
  TILE_ROWS = 128, /* query rows of a work item, which take turns at keys that stay in L2 */
  TILE_KEYS = 128, /* keys between two softmax steps */
  TILE_RUNS = 16,
  TILE_WORDS = TILE_KEYS / 64
};

enum {
  LANES = CPU_LANES,
  STRIP = 2 * LANES,                             /* query rows in a strip */
  GROUP = LANES == 16 ? 8 : (LANES == 8 ? 6 : 4) /* keys, or columns of V, in a register tile */
};

/* The rows of a strip that see keys: all of them, or those of its first or second vector alone. */
typedef enum strip_half { FIRST_HALF, SECOND_HALF, BOTH_HALVES } strip_half;

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t vec_bits __attribute__((vector_size(4 * LANES)));
typedef uint32_t vec_words __attribute__((vector_size(4 * LANES))); /* whose sums may wrap */
#define FLASH_INLINE static inline __attribute__((always_inline))
#define FLASH_UNROLL _Pragma("GCC unroll 8") /* sums[i] are to be registers, not an array */

typedef float quad __attribute__((vector_size(16)));

/* Keys to compute, all visible where `bits` is NULL. Else row r of the tile sees key j where bit
 * j & 63 of bits[r * stride + (j >> 6)] is set. */
typedef struct key_run {
  int64_t keys;
  const uint64_t *bits;
  int64_t stride;
  bool trim; /* compute only from the first to the last key that a strip sees */
} key_run;

FLASH_INLINE vec load(const float *from) {
  return *(const vec *)from;
}

FLASH_INLINE void store(float *to, vec value) {
  *(vec *)to = value;
}

/* The larger in every lane; b where one of them is no number. */
FLASH_INLINE vec vec_max(vec a, vec b) {
#if defined(__AVX512F__) && CPU_LANES == 16
  return _mm512_max_ps(a, b);
#elif defined(__AVX__) && CPU_LANES == 8
  return _mm256_max_ps(a, b);
#else
  const vec_bits first = a > b;
  return (vec)(((vec_bits)a & first) | ((vec_bits)b & ~first));
#endif
}

/* cpu_exp2 (exp2.h) in every lane, to the same bits. */
FLASH_INLINE vec vec_exp2(vec x) {
#if defined(__AVX512F__) && CPU_LANES == 16
  const vec n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __mmask16 counts = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-126.0f), _CMP_GE_OQ);
  const vec f = x - n;
  return _mm512_maskz_scalef_ps(counts, CPU_EXP2_FRACTION(f), n);
#else
  const vec shifted = x + 0x1.8p23f;
  const vec f = x - (shifted - 0x1.8p23f);
  vec p = CPU_EXP2_FRACTION(f);
  p *= (vec)(((vec_words)shifted << 23) + 0x3f800000u);
  return (vec)((vec_bits)p & ~(x < -126.0f));
#endif
}

/* Stores the sums of one register tile of scores; max[r] rises to the largest of each row. */
FLASH_INLINE void scores_store(vec sum[8][2], int keys, int vectors, float *scores, float *max) {
  FLASH_UNROLL
  for (int n = 0; n < vectors; n++) {
    vec most = load(max + n * LANES);
    FLASH_UNROLL
    for (int i = 0; i < keys; i++) {
      store(scores + i * STRIP + n * LANES, sum[i][n]);
      most = vec_max(sum[i][n], most);
    }
    store(max + n * LANES, most);
  }
}

/* The sums of one register tile of O begin with what they were, times alpha[r]. */
FLASH_INLINE void values_begin(const float *o, const float *alpha, int columns, int vectors,
                               vec sum[8][2]) {
  FLASH_UNROLL
  for (int i = 0; i < columns; i++) {
    FLASH_UNROLL
    for (int n = 0; n < vectors; n++) {
      sum[i][n] = load(o + i * STRIP + n * LANES) * load(alpha + n * LANES);
    }
  }
}

FLASH_INLINE void values_store(vec sum[8][2], int columns, int vectors, float *o) {
  FLASH_UNROLL
  for (int i = 0; i < columns; i++) {
    FLASH_UNROLL
    for (int n = 0; n < vectors; n++) {
      store(o + i * STRIP + n * LANES, sum[i][n]);
    }
  }
}

/* The next register tile of `left` keys or columns: GROUP, but two even halves at the end, for a
 * tile of one or two would leave the FMA units waiting. */
static inline int next_group(int64_t left) {
  if (left > GROUP && left < GROUP + GROUP / 2) {
    return (int)(left + 1) / 2;
  }
  return left < GROUP ? (int)left : GROUP;
}

/* Each size of register tile is a function of its own, so that the compiler gives all registers to
 * its inner loop: in one large function gcc keeps operands on the stack. TILE(n, vectors) is to
 * define NAME_n_vectors; the table of type NAME_fn has the function for n at index n. */
#define FLASH_SIZES(TILE, vectors) \
  TILE(1, vectors)                 \
  TILE(2, vectors)                 \
  TILE(3, vectors)                 \
  TILE(4, vectors)                 \
  TILE(5, vectors)                 \
  TILE(6, vectors)                 \
  TILE(7, vectors)                 \
  TILE(8, vectors)
#define FLASH_TABLE(name, vectors)                                        \
  static name##_fn *const name##_tiles_##vectors[] = {NULL,               \
                                                      name##_1_##vectors, \
                                                      name##_2_##vectors, \
                                                      name##_3_##vectors, \
                                                      name##_4_##vectors, \
                                                      name##_5_##vectors, \
                                                      name##_6_##vectors, \
                                                      name##_7_##vectors, \
                                                      name##_8_##vectors};

/* Lane x of the block-th four lanes of a vector, or lane x - 4 of those of a second one. */
#define LANE_OF(block, x) ((x) < 4 ? 4 * (block) + (x) : LANES + 4 * (block) + (x)-4)
#define LANES_OF(block, w, x, y, z) \
  LANE_OF(block, w), LANE_OF(block, x), LANE_OF(block, y), LANE_OF(block, z)
#if CPU_LANES == 16
#define SHUFFLE_FOURS(a, b, ...)                                                    \
  __builtin_shufflevector(a, b, LANES_OF(0, __VA_ARGS__), LANES_OF(1, __VA_ARGS__), \
                          LANES_OF(2, __VA_ARGS__), LANES_OF(3, __VA_ARGS__))
#elif CPU_LANES == 8
#define SHUFFLE_FOURS(a, b, ...) \
  __builtin_shufflevector(a, b, LANES_OF(0, __VA_ARGS__), LANES_OF(1, __VA_ARGS__))
#else
#define SHUFFLE_FOURS(a, b, ...) __builtin_shufflevector(a, b, LANES_OF(0, __VA_ARGS__))
#endif

FLASH_INLINE quad load_quad(const float *from) {
  quad four;
  memcpy(&four, from, sizeof four);
  return four;
}

/* Four floats from every fourth row, side by side. */
FLASH_INLINE vec load_quads(const float *from, int64_t stride) {
#if CPU_LANES == 4
  return load_quad(from);
#else
  typedef float eight __attribute__((vector_size(32)));
  const eight low = __builtin_shufflevector(load_quad(from), load_quad(from + 4 * stride), 0, 1, 2,
                                            3, 4, 5, 6, 7);
#if CPU_LANES == 8
  return low;
#else
  const eight high = __builtin_shufflevector(load_quad(from + 8 * stride),
                                             load_quad(from + 12 * stride), 0, 1, 2, 3, 4, 5, 6, 7);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#endif
}

/* to[c * to_stride + r] = from[r * from_stride + c], LANES rows and four columns at a time:
 * gathered one by one, Q and O would cost as much as the products of a few blocks of keys. */
static void transpose(const float *from, int64_t from_stride, int64_t rows, int64_t columns,
                      float *to, int64_t to_stride) {
  const int64_t whole_columns = columns / 4 * 4;
  int64_t r = 0;
  for (; r + LANES <= rows; r += LANES) {
    for (int64_t c = 0; c < whole_columns; c += 4) {
      vec a[4];
      FLASH_UNROLL
      for (int i = 0; i < 4; i++) {
        a[i] = load_quads(from + (r + i) * from_stride + c, from_stride);
      }
      const vec b0 = SHUFFLE_FOURS(a[0], a[1], 0, 4, 1, 5);
      const vec b1 = SHUFFLE_FOURS(a[2], a[3], 0, 4, 1, 5);
      const vec b2 = SHUFFLE_FOURS(a[0], a[1], 2, 6, 3, 7);
      const vec b3 = SHUFFLE_FOURS(a[2], a[3], 2, 6, 3, 7);
      a[0] = SHUFFLE_FOURS(b0, b1, 0, 1, 4, 5);
      a[1] = SHUFFLE_FOURS(b0, b1, 2, 3, 6, 7);
      a[2] = SHUFFLE_FOURS(b2, b3, 0, 1, 4, 5);
      a[3] = SHUFFLE_FOURS(b2, b3, 2, 3, 6, 7);
      FLASH_UNROLL
      for (int i = 0; i < 4; i++) {
        memcpy(to + (c + i) * to_stride + r, &a[i], sizeof a[i]);
      }
    }
  }
  for (int64_t i = 0; i < rows; i++) { /* what is left of the columns, and of the rows */
    for (int64_t c = i < r ? whole_columns : 0; c < columns; c++) {
      to[c * to_stride + i] = from[i * from_stride + c];
    }
  }
}

#endif
