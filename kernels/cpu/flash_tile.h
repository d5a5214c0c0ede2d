/* The tile loop of flash and sparse: attention of up to 64 query rows over a stream of key runs,
 * by the online softmax of FlashAttention-2. A kernel's loop over the keys is
 *     tile_init(&tile, launch);
 *     tile_begin(&tile, row, rows);
 *     tile_add(&tile, kv_head, key, run);    for every run of keys to compute
 *     tile_end(&tile, row);
 *
 * Since queries lie in the lanes (flash_micro.h),
 *  - K and V are read where they stand, row-major: nothing is packed, and a key that is never
 *    visited costs nothing, which is what the sparse kernel lives by (fp16 and bf16 are widened
 *    run by run, shared by the strips of 64 rows);
 *  - the softmax's maximum, sum and rescale are plain vector operations, never across lanes;
 *  - a strip's scores and its Q stay in L1 (16 KiB each with AVX-512 at head_dim 128);
 *  - rescaling O costs no pass of its own: the product P V starts from O * alpha. */
#ifndef BENCH_KERNELS_CPU_FLASH_TILE_H
#define BENCH_KERNELS_CPU_FLASH_TILE_H

#include <math.h>

#include "cpu/common.h"
#include "cpu/convert.h"
#include "cpu/exp2.h"
#include "cpu/flash_micro.h"

enum {
  TILE_ROWS = 64,  /* query rows of a work item */
  TILE_KEYS = 128, /* keys between two softmax steps */
  TILE_RUNS = 16,
  TILE_WORDS = TILE_KEYS / 64
};

typedef float quad __attribute__((vector_size(16)));

/* The keys of one softmax step. */
typedef struct key_tile {
  key_run runs[TILE_RUNS];
  int count;
  int64_t keys;
  float *k; /* room to widen 16-bit keys, [TILE_KEYS][head_dim] */
  float *v;
} key_tile;

/* Query rows in the lanes, with the softmax's state. */
typedef struct flash_strip {
  float *q;         /* [head_dim][STRIP] */
  float *o;         /* [head_dim][STRIP] */
  float max[STRIP]; /* of the raw products q.k, -inf before the first visible key */
  float sum[STRIP]; /* of 2^((q.k - max) * log2(e) / sqrt(head_dim)) */
  int64_t rows;     /* real ones; the lanes past them compute what nobody reads */
} flash_strip;

/* One thread's scratch. */
typedef struct flash_tile {
  const bench_launch *launch;
  int64_t head_dim;
  float scale_log2; /* log2(e) / sqrt(head_dim) */
  float *scores;    /* [TILE_KEYS][STRIP] */
  key_tile keys;
  int strips;
  flash_strip strip[TILE_ROWS / STRIP];
} flash_tile;

static inline size_t flash_scratch_bytes(const bench_attn *attn) {
  const size_t d = (size_t)attn->head_dim;
  const size_t widened = attn->dtype == BENCH_FP32 ? 0 : 2 * TILE_KEYS * d;
  return cpu_align((2 * TILE_ROWS * d + TILE_KEYS * STRIP + widened) * sizeof(float));
}

static inline size_t flash_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  return cpu_workspace_bytes(device, flash_scratch_bytes(attn));
}

/* Lays the calling thread's scratch out. */
static inline void tile_init(flash_tile *tile, const bench_launch *launch) {
  const int64_t d = launch->attn->head_dim;
  float *at = cpu_scratch(launch, flash_scratch_bytes(launch->attn));
  tile->launch = launch;
  tile->head_dim = d;
  tile->scale_log2 = (float)(1.4426950408889634 / sqrt((double)d));
  tile->scores = at;
  memset(at, 0, TILE_KEYS * STRIP * sizeof *at); /* of which a short strip fills the first lanes */
  at += TILE_KEYS * STRIP;
  for (int i = 0; i < TILE_ROWS / STRIP; i++) {
    tile->strip[i].q = at;
    tile->strip[i].o = at + d * STRIP;
    at += 2 * d * STRIP;
  }
  tile->keys = (key_tile){.k = at, .v = at + TILE_KEYS * d};
}

/* What a strip sees of a run: keys [begin, end), and per key word the rows' bits, 32 keys a word so
 * that rows lie in lanes. */
typedef struct strip_mask {
  int64_t begin;
  int64_t end;
  bool partial;
  uint32_t bits[TILE_KEYS / 32][STRIP];
} strip_mask;

/* The number of low bits of word w that stand for one of `keys` keys, as a mask. */
static inline uint64_t word_of_keys(int64_t keys, int w) {
  const int64_t left = keys - 64 * w;
  return left >= 64 ? ~UINT64_C(0) : (left <= 0 ? 0 : (UINT64_C(1) << left) - 1);
}

/* `row` is the strip's first row in the tile. */
static void strip_mask_build(strip_mask *mask, const key_run *run, int64_t row, int64_t rows) {
  uint64_t any[TILE_WORDS] = {0};
  uint64_t all[TILE_WORDS] = {~UINT64_C(0), ~UINT64_C(0)};
  for (int w = 0; 64 * w < run->keys; w++) {
    for (int64_t r = 0; r < STRIP; r++) {
      const uint64_t bits = r < rows ? run->bits[(row + r) * run->stride + w] : 0;
      mask->bits[2 * w][r] = (uint32_t)bits;
      mask->bits[2 * w + 1][r] = (uint32_t)(bits >> 32);
      any[w] |= bits;
      all[w] &= r < rows ? bits : ~UINT64_C(0);
    }
  }
  mask->begin = 0;
  mask->end = run->keys;
  if (run->trim) {
    const int first = any[0] != 0 ? 0 : 1;
    const int last = any[1] != 0 ? 1 : 0;
    if (any[first] == 0) {
      mask->end = 0;
      return;
    }
    mask->begin = 64 * first + __builtin_ctzll(any[first]);
    mask->end = 64 * last + 64 - __builtin_clzll(any[last]);
  }
  mask->partial = false;
  for (int w = 0; 64 * w < run->keys; w++) {
    const uint64_t wanted = word_of_keys(mask->end, w) & ~word_of_keys(mask->begin, w);
    mask->partial |= (all[w] & wanted) != wanted;
  }
}

/* Scores of keys that a row does not see become -inf; scores[0] is key mask->begin. */
static void strip_mask_apply(const strip_mask *mask, float *scores) {
  for (int64_t j = mask->begin; j < mask->end; j++, scores += STRIP) {
    const uint32_t *bits = mask->bits[j >> 5];
    const uint32_t bit = (uint32_t)j & 31;
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      scores[r] = (bits[r] >> bit & 1) != 0 ? scores[r] : -INFINITY;
    }
  }
}

/* Scores to probabilities, four keys at a time so that the sums' chain is not what is waited for.
 */
static __attribute__((noinline)) void strip_powers(float *scores, int64_t keys, const float *max,
                                                   float scale, float *sum) {
  for (int64_t j = 0; j < keys; j += 4) {
    float *at = scores + j * STRIP;
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      const float p0 = cpu_exp2((at[r] - max[r]) * scale);
      const float p1 = cpu_exp2((at[STRIP + r] - max[r]) * scale);
      const float p2 = cpu_exp2((at[2 * STRIP + r] - max[r]) * scale);
      const float p3 = cpu_exp2((at[3 * STRIP + r] - max[r]) * scale);
      at[r] = p0;
      at[STRIP + r] = p1;
      at[2 * STRIP + r] = p2;
      at[3 * STRIP + r] = p3;
      sum[r] += (p0 + p1) + (p2 + p3);
    }
  }
}

static inline float larger(float a, float b) {
  return a > b ? a : b;
}

/* Turns the scores of `keys` keys into probabilities and steps the state to the new maximum; alpha
 * is the factor of what was summed before. A row without a visible key so far keeps max = -inf and
 * gets zeros. */
static void strip_softmax(flash_strip *strip, float *scores, int64_t keys, float scale,
                          float *alpha) {
  float max[STRIP];
  float sum[STRIP] = {0};
  memcpy(max, strip->max, sizeof max);
  for (; keys % 4 != 0; keys++) { /* there is room: TILE_KEYS is a multiple of 4 */
    for (int r = 0; r < STRIP; r++) {
      scores[keys * STRIP + r] = -INFINITY;
    }
  }
  for (int64_t j = 0; j < keys; j += 4) {
    const float *at = scores + j * STRIP;
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      max[r] = larger(max[r], larger(larger(at[r], at[STRIP + r]),
                                     larger(at[2 * STRIP + r], at[3 * STRIP + r])));
    }
  }
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    const float before = strip->max[r];
    strip->max[r] = max[r];
    max[r] = max[r] == -INFINITY ? 0.0f : max[r];
    alpha[r] = cpu_exp2((before - max[r]) * scale);
  }
  strip_powers(scores, keys, max, scale, sum);
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    strip->sum[r] = strip->sum[r] * alpha[r] + sum[r];
  }
}

/* One softmax step of one strip, whose first row is `row` of the tile. */
static void strip_step(flash_tile *tile, flash_strip *strip, int64_t row) {
  const int64_t d = tile->head_dim;
  _Alignas(64) float alpha[STRIP];
  key_run seen[TILE_RUNS];
  int count = 0;
  int64_t keys = 0;
  for (int i = 0; i < tile->keys.count; i++) {
    const key_run *run = &tile->keys.runs[i];
    strip_mask mask = {.end = run->keys};
    if (run->bits != NULL) {
      strip_mask_build(&mask, run, row, strip->rows);
    }
    if (mask.begin >= mask.end) {
      continue;
    }
    float *scores = tile->scores + keys * STRIP;
    strip_scores(strip->q, run->k + mask.begin * d, mask.end - mask.begin, d, strip->rows, scores);
    if (mask.partial) {
      strip_mask_apply(&mask, scores);
    }
    seen[count++] = (key_run){.v = run->v + mask.begin * d, .keys = mask.end - mask.begin};
    keys += mask.end - mask.begin;
  }
  if (keys > 0) {
    strip_softmax(strip, tile->scores, keys, tile->scale_log2, alpha);
    strip_values(seen, count, tile->scores, d, strip->rows, alpha, strip->o);
  }
}

/* to[c * to_stride + r] = from[r * from_stride + c], four by four: gathered one at a time, Q and O
 * would cost as much as the products of a few blocks of keys. */
static void transpose(const float *from, int64_t from_stride, int64_t rows, int64_t columns,
                      float *to, int64_t to_stride) {
  for (int64_t r = 0; r < rows; r += 4) {
    int64_t c = 0;
    for (; r + 4 <= rows && c + 4 <= columns; c += 4) {
      quad a[4];
      for (int i = 0; i < 4; i++) {
        memcpy(&a[i], from + (r + i) * from_stride + c, sizeof a[i]);
      }
      const quad b0 = __builtin_shufflevector(a[0], a[1], 0, 4, 1, 5);
      const quad b1 = __builtin_shufflevector(a[2], a[3], 0, 4, 1, 5);
      const quad b2 = __builtin_shufflevector(a[0], a[1], 2, 6, 3, 7);
      const quad b3 = __builtin_shufflevector(a[2], a[3], 2, 6, 3, 7);
      a[0] = __builtin_shufflevector(b0, b1, 0, 1, 4, 5);
      a[1] = __builtin_shufflevector(b0, b1, 2, 3, 6, 7);
      a[2] = __builtin_shufflevector(b2, b3, 0, 1, 4, 5);
      a[3] = __builtin_shufflevector(b2, b3, 2, 3, 6, 7);
      for (int i = 0; i < 4; i++) {
        memcpy(to + (c + i) * to_stride + r, &a[i], sizeof a[i]);
      }
    }
    for (; c < columns; c++) {
      for (int64_t i = r; i < r + 4 && i < rows; i++) {
        to[c * to_stride + i] = from[i * from_stride + c];
      }
    }
  }
}

/* Begins `rows` <= TILE_ROWS query rows; `first` is the first one's index in [batch * heads_q *
 * seq_q]. */
static void tile_begin(flash_tile *tile, int64_t first, int64_t rows) {
  const int64_t d = tile->head_dim;
  tile->strips = (int)((rows + STRIP - 1) / STRIP);
  for (int i = 0; i < tile->strips; i++) {
    flash_strip *strip = &tile->strip[i];
    const size_t bytes = (size_t)(d * STRIP) * sizeof(float);
    strip->rows = rows - i * STRIP < STRIP ? rows - i * STRIP : STRIP;
    for (int r = 0; r < STRIP; r++) {
      strip->max[r] = -INFINITY;
      strip->sum[r] = 0;
    }
    const float *q = convert_load(tile->launch->attn->dtype, tile->launch->q,
                                  (first + i * STRIP) * d, strip->rows * d, strip->o);
    if (strip->rows < STRIP) {
      memset(strip->q, 0, bytes);
    }
    transpose(q, d, strip->rows, d, strip->q, STRIP);
    memset(strip->o, 0, bytes);
  }
  tile->keys.count = 0;
  tile->keys.keys = 0;
}

/* Every strip takes the keys gathered so far. */
static void tile_step(flash_tile *tile) {
  for (int i = 0; i < tile->strips; i++) {
    strip_step(tile, &tile->strip[i], (int64_t)i * STRIP);
  }
  tile->keys.count = 0;
  tile->keys.keys = 0;
}

/* Adds keys [key, key + run.keys) of key/value head `kv_head` (over batch and heads), with the
 * mask in `run`. Takes a step first if there is no room. run.keys <= TILE_KEYS. */
static void tile_add(flash_tile *tile, int64_t kv_head, int64_t key, key_run run) {
  const bench_attn *attn = tile->launch->attn;
  key_tile *keys = &tile->keys;
  if (keys->count == TILE_RUNS || keys->keys + run.keys > TILE_KEYS) {
    tile_step(tile);
  }
  const int64_t d = tile->head_dim;
  const int64_t first = (kv_head * attn->seq_kv + key) * d;
  const int64_t count = run.keys * d;
  run.k = convert_load(attn->dtype, tile->launch->k, first, count, keys->k + keys->keys * d);
  run.v = convert_load(attn->dtype, tile->launch->v, first, count, keys->v + keys->keys * d);
  keys->runs[keys->count++] = run;
  keys->keys += run.keys;
}

/* Writes O and LSE of a strip whose first row is `row` of all; Q is no longer needed. */
static void strip_end(const bench_launch *launch, flash_strip *strip, int64_t row) {
  const int64_t d = launch->attn->head_dim;
  const bool fp32 = launch->attn->dtype == BENCH_FP32;
  float inverse[STRIP];
  for (int r = 0; r < STRIP; r++) {
    inverse[r] = strip->sum[r] > 0 ? 1.0f / strip->sum[r] : 0.0f;
  }
  for (int64_t c = 0; c < d; c++) {
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      strip->o[c * STRIP + r] *= inverse[r];
    }
  }
  float *o = fp32 ? (float *)launch->o + row * d : strip->q;
  transpose(strip->o, STRIP, d, strip->rows, o, d);
  if (!fp32) {
    convert_store(launch->attn->dtype, o, strip->rows * d, launch->o, row * d);
  }
  for (int64_t r = 0; r < strip->rows; r++) {
    const double lse = (double)strip->max[r] / sqrt((double)d) + log((double)strip->sum[r]);
    launch->lse[row + r] = strip->sum[r] > 0 ? (float)lse : -INFINITY;
  }
}

/* Takes the last step and writes O and LSE of the rows given to tile_begin. */
static void tile_end(flash_tile *tile, int64_t first) {
  tile_step(tile);
  for (int i = 0; i < tile->strips; i++) {
    strip_end(tile->launch, &tile->strip[i], first + (int64_t)i * STRIP);
  }
}

#endif
