/* The tile loop of flash and sparse: attention of up to 128 query rows over a stream of key runs,
 * by the online softmax of FlashAttention-2. A kernel's loop over the keys is
 *     tile_init(&tile, launch);
 *     tile_begin(&tile, row, rows);
 *     tile_add(&tile, kv_head, key, run);    for every run of keys to compute
 *     tile_end(&tile, row);
 *     tile_close(&tile);                     when the thread has no more rows
 *
 * Since queries lie in the lanes (flash_micro.h),
 *  - K and V are read where they stand, row-major: nothing is packed, and a key that is never
 *    visited costs nothing, which is what the sparse kernel lives by (fp16 and bf16 are widened
 *    run by run, shared by the strips of a tile);
 *  - the softmax's maximum, sum and rescale are plain vector operations, never across lanes;
 *  - a strip's scores and its Q stay in L1 (16 KiB each with AVX-512 at head_dim 128);
 *  - rescaling O costs no pass of its own: the product P V starts from O * alpha. */
#ifndef BENCH_KERNELS_CPU_FLASH_TILE_H
#define BENCH_KERNELS_CPU_FLASH_TILE_H

#include <math.h>

#include "cpu/common.h"
#include "cpu/convert.h"
#include "cpu/exp2.h"
#include "cpu/flash_stats.h"

/* The kind of products. */
#if CPU_PAIRS == 0
#include "cpu/flash_floats.h"
#elif CPU_PAIRS == 1
#include "cpu/flash_pairs.h"
#else
#include "cpu/flash_amx.h"
#endif

#include "cpu/flash_mask.h"

/* The keys of one softmax step. */
typedef struct key_tile {
  key_run runs[TILE_RUNS];
  run_keys operands[TILE_RUNS]; /* of the runs */
  row_span rows[TILE_RUNS];     /* the same, of K and V */
  int64_t first[TILE_RUNS];     /* their first keys, of those of a head */
  int count;
  int64_t places; /* taken of TILE_KEYS */
  key_room room;
} key_tile;

/* Query rows in the lanes, with the softmax's state. Few rows have Q and O row-major (flash_few.h).
 */
typedef struct flash_strip {
  float *q;         /* [padded_dim][STRIP]; few rows: [rows][head_dim] */
  float *o;         /* the same */
  float max[STRIP]; /* of the raw products q.k, -inf before the first visible key */
  float sum[STRIP]; /* of 2^((q.k - max) * log2(e) / sqrt(head_dim)) */
  int64_t rows;     /* real ones; the lanes past them compute what nobody reads */
  bool few;
  strip_sums *sums; /* NULL: no statistics are wanted */
} flash_strip;

/* One thread's scratch. */
typedef struct flash_tile {
  const bench_launch *launch;
  int64_t head_dim;
  float scale_log2; /* log2(e) / sqrt(head_dim) */
  float *scores;    /* [SCORE_ROWS][STRIP] */
  key_tile keys;
  int strips;
  flash_strip strip[TILE_ROWS / STRIP];
  row_asks asks;
  row_span own;    /* the rows at work, while O is still to be asked for */
  row_span later;  /* rows that the thread may come to next, while their Q is */
  row_span coming; /* keys of the next step, as far as they are known */
} flash_tile;

static inline size_t flash_scratch_bytes(const bench_attn *attn) {
  const size_t d = (size_t)padded_dim(attn->head_dim);
  return cpu_align((2 * TILE_ROWS * d + SCORE_ROWS * STRIP + key_room_floats(attn)) *
                       sizeof(float) +
                   TILE_ROWS / STRIP * sizeof(strip_sums));
}

static inline const char *flash_why_not(const bench_attn *attn, const bench_device *device) {
  const char *why_not = cpu_why_not(attn, device);
  return why_not != NULL ? why_not : products_why_not(attn);
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
  memset(at, 0, SCORE_ROWS * STRIP * sizeof *at); /* of which a short strip fills the first lanes */
  at += SCORE_ROWS * STRIP;
  for (int i = 0; i < TILE_ROWS / STRIP; i++) {
    tile->strip[i].sums = launch->stats != NULL ? (strip_sums *)at : NULL;
    at += sizeof(strip_sums) / sizeof *at;
  }
  for (int i = 0; i < TILE_ROWS / STRIP; i++) {
    tile->strip[i].q = at;
    tile->strip[i].o = at + padded_dim(d) * STRIP;
    at += 2 * padded_dim(d) * STRIP;
  }
  tile->keys = (key_tile){.room = key_room_at(at, launch->attn)};
  products_open();
}

static inline void tile_close(flash_tile *tile) {
  products_close();
}

/* Scores to probabilities p = 2^((score - base) * scale), and the sum of each row's. */
FLASH_INLINE void powers_of(float *scores, int64_t keys, int vectors, const float *base,
                            float scale, float *sum) {
  vec sums[2] = {{0}};
  vec bases[2];
  for (int n = 0; n < vectors; n++) {
    bases[n] = load(base + n * LANES);
  }
  for (int64_t j = 0; j < keys; j++) {
    for (int n = 0; n < vectors; n++) {
      float *at = scores + j * STRIP + n * LANES;
      const vec p = vec_exp2((load(at) - bases[n]) * scale);
      store(at, p);
      sums[n] += p;
    }
  }
  for (int n = 0; n < vectors; n++) {
    store(sum + n * LANES, sums[n]);
  }
}

/* Of the first `rows` rows and maybe more. */
static __attribute__((noinline)) void strip_powers(float *scores, int64_t keys, int64_t rows,
                                                   const float *base, float scale, float *sum) {
  if (rows <= LANES) {
    powers_of(scores, keys, 1, base, scale, sum);
  } else {
    powers_of(scores, keys, 2, base, scale, sum);
  }
}

static inline float larger(float a, float b) {
  return a > b ? a : b;
}

/* Turns the scores of the spans' `keys` keys into probabilities and steps the state to the new
 * maxima; alpha is the factor of what was summed before. A row without a visible key so far keeps
 * max = -inf and gets zeros. */
static void strip_softmax(flash_strip *strip, float *scores, const key_span *spans, int count,
                          int64_t keys, const float *max, float scale, float *alpha) {
  _Alignas(4 * LANES) float base[STRIP];
  _Alignas(4 * LANES) float sum[STRIP] = {0};
  float up[STRIP];
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    const float before = strip->max[r];
    strip->max[r] = max[r];
    base[r] = max[r] == -INFINITY ? 0.0f : max[r];
    up[r] = (before - base[r]) * scale;
    alpha[r] = cpu_exp2(up[r]);
  }
  if (strip->sums != NULL) {
    sums_shrink(strip->sums, up, alpha, strip->sum);
    strip_powers_stats(scores, spans, count, strip->rows, base, scale, sum, strip->sums);
  } else {
    strip_powers(scores, keys, strip->rows, base, scale, sum);
  }
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    strip->sum[r] = strip->sum[r] * alpha[r] + sum[r];
  }
}

/* One softmax step of one strip, whose first row is `row` of the tile. */
static void strip_step(flash_tile *tile, flash_strip *strip, int64_t row) {
  const int64_t d = tile->head_dim;
  _Alignas(4 * LANES) float max[STRIP];
  _Alignas(4 * LANES) float alpha[STRIP];
  run_keys seen[HALF_SPANS * TILE_RUNS];
  key_span spans[HALF_SPANS * TILE_RUNS];
  int count = 0;
  int64_t keys = 0;
  memcpy(max, strip->max, sizeof max);
  for (int i = 0; i < tile->keys.count; i++) {
    const key_run *run = &tile->keys.runs[i];
    strip_mask mask = {.keys = {0, run->keys}};
    half_span halves[HALF_SPANS] = {{mask.keys, BOTH_HALVES}};
    int parts = 1;
    if (run->bits != NULL) {
      strip_mask_build(&mask, run, row, strip->rows);
      parts = mask_halves(&mask, halves);
    }
    if (mask.keys.begin >= mask.keys.end) {
      continue;
    }
    float *first_scores = tile->scores + keys * STRIP;
    _Alignas(4 * LANES) float hidden[STRIP] = {0}; /* the maxima with keys that are not seen */
    for (int p = 0; p < parts; p++) {
      const mask_span span = halves[p].keys;
      const run_keys part =
          keys_part(&tile->keys.operands[i], span.begin, span.end, halves[p].half, d);
      scores_of(strip->few, strip->q, &part, d, strip->rows, &tile->asks,
                tile->scores + keys * STRIP, mask.partial ? hidden : max);
      spans[count] = (key_span){.key = tile->keys.first[i] + span.begin, .keys = part.keys};
      seen[count++] = part;
      keys += part.keys;
    }
    if (mask.partial) {
      strip_mask_apply(&mask, first_scores, max);
    }
  }
  if (keys > 0) {
    strip_softmax(strip, tile->scores, spans, count, keys, max, tile->scale_log2, alpha);
    values_of(strip->few, &tile->keys.room, seen, count, tile->scores, d, strip->rows, alpha,
              strip->o);
  }
}

/* Begins `rows` <= TILE_ROWS query rows; `first` is the first one's index in [batch * heads_q *
 * seq_q]. */
static void tile_begin(flash_tile *tile, int64_t first, int64_t rows) {
  const int64_t d = tile->head_dim;
  tile->strips = (int)((rows + STRIP - 1) / STRIP);
  for (int i = 0; i < tile->strips; i++) {
    flash_strip *strip = &tile->strip[i];
    const size_t bytes = (size_t)(padded_dim(d) * STRIP) * sizeof(float);
    strip->rows = rows - i * STRIP < STRIP ? rows - i * STRIP : STRIP;
    strip->few = few_rows(strip->rows, d);
    for (int r = 0; r < STRIP; r++) {
      strip->max[r] = -INFINITY;
      strip->sum[r] = 0;
    }
    if (strip->rows < STRIP) {
      memset(strip->q, 0, bytes);
    }
    if (strip->sums != NULL) {
      sums_begin(strip->sums, tile->launch->attn, first + i * STRIP, strip->rows);
    }
    queries_load(tile->launch, first + i * STRIP, strip->rows, strip->few, strip->o, strip->q);
    memset(strip->o, 0, bytes);
  }
  tile->own = (row_span){first, rows};
  tile->coming = (row_span){0};
  tile->keys.count = 0;
  tile->keys.places = 0;
}

/* What the first strip's products ask for: the tile's keys but for the first, which they are at,
 * and V behind them, which is read when all scores are known. */
static void asks_of_first(flash_tile *tile) {
  const bench_launch *launch = tile->launch;
  row_span before = {0};
  for (int i = 0; i < tile->keys.count; i++) {
    const row_span keys = tile->keys.rows[i];
    for (int64_t j = 0; j < keys.rows; j += ASK_ROWS) {
      const row_span some = span_from(keys, j, ASK_ROWS);
      if (before.rows > 0) {
        asks_add(&tile->asks, launch->attn, launch->k, some);
        asks_add(&tile->asks, launch->attn, launch->v, before);
      }
      before = some;
    }
  }
  asks_add(&tile->asks, launch->attn, launch->v, before);
}

/* And those of the others: what the next step begins with, and once for all steps of the rows at
 * work, their O, which is written at the end, and the next rows' Q. */
static void asks_of_others(flash_tile *tile) {
  const bench_launch *launch = tile->launch;
  asks_add(&tile->asks, launch->attn, launch->k, tile->coming);
  asks_add(&tile->asks, launch->attn, launch->o, tile->own);
  asks_add(&tile->asks, launch->attn, launch->q, tile->later);
  tile->coming = tile->own = tile->later = (row_span){0};
}

/* Every strip takes the keys gathered so far. */
static void tile_step(flash_tile *tile) {
  asks_clear(&tile->asks);
  asks_of_first(tile);
  for (int i = 0; i < tile->strips && tile->keys.count > 0; i++) {
    if (i == 1) {
      asks_of_others(tile);
    }
    strip_step(tile, &tile->strip[i], (int64_t)i * STRIP);
  }
  tile->keys.count = 0;
  tile->keys.places = 0;
}

/* Lengthens the run that was added last by keys `rows`, which are all visible. False if they do not
 * follow it, or hidden keys are in it. */
static bool tile_join(key_tile *keys, const run_keys *operands, row_span rows, int64_t d) {
  const int last = keys->count - 1;
  if (last < 0 || keys->runs[last].bits != NULL ||
      keys->rows[last].first + keys->rows[last].rows != rows.first ||
      !keys_join(&keys->operands[last], operands, d)) {
    return false;
  }
  keys->runs[last].keys += rows.rows;
  keys->rows[last].rows += rows.rows;
  return true;
}

/* Adds keys [key, key + run.keys) of key/value head `kv_head` (over batch and heads), with the
 * mask in `run`. Takes a step first if there is no room. run.keys <= TILE_KEYS. */
static void tile_add(flash_tile *tile, int64_t kv_head, int64_t key, key_run run) {
  const bench_attn *attn = tile->launch->attn;
  key_tile *keys = &tile->keys;
  const row_span rows = {kv_head * attn->seq_kv + key, run.keys};
  if (keys->count == TILE_RUNS || keys->places + run.keys > TILE_KEYS) {
    tile->coming = rows;
    tile_step(tile);
  }
  const run_keys operands =
      keys_load(tile->launch, &keys->room, keys->places, rows.first, rows.rows);
  keys->places += keys_places(run.keys);
  if (run.bits == NULL && tile_join(keys, &operands, rows, attn->head_dim)) {
    return;
  }
  keys->operands[keys->count] = operands;
  keys->rows[keys->count] = rows;
  keys->first[keys->count] = key;
  keys->runs[keys->count++] = run;
}

/* O of a strip times factor[r], [STRIP]. */
static void strip_scale(flash_strip *strip, int64_t d, const float *factor) {
  if (strip->few) {
    for (int64_t r = 0; r < strip->rows; r++) {
      for (int64_t c = 0; c < d; c++) {
        strip->o[r * d + c] *= factor[r];
      }
    }
    return;
  }
  for (int64_t c = 0; c < d; c++) {
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      strip->o[c * STRIP + r] *= factor[r];
    }
  }
}

/* Writes O and LSE of a strip whose first row is `row` of all; Q is no longer needed. */
static void strip_end(const bench_launch *launch, flash_strip *strip, int64_t row) {
  const int64_t d = launch->attn->head_dim;
  const bool fp32 = launch->attn->dtype == BENCH_FP32;
  float inverse[STRIP];
  for (int r = 0; r < STRIP; r++) {
    inverse[r] = strip->sum[r] > 0 ? 1.0f / strip->sum[r] : 0.0f;
  }
  strip_scale(strip, d, inverse);
  float *o = fp32 ? (float *)launch->o + row * d : strip->q;
  if (strip->few) {
    memcpy(o, strip->o, (size_t)(strip->rows * d) * sizeof *o);
  } else {
    transpose(strip->o, STRIP, d, strip->rows, o, d);
  }
  if (!fp32) {
    convert_store(launch->attn->dtype, o, strip->rows * d, launch->o, row * d);
  }
  for (int64_t r = 0; r < strip->rows; r++) {
    const double lse = (double)strip->max[r] / sqrt((double)d) + log((double)strip->sum[r]);
    launch->lse[row + r] = strip->sum[r] > 0 ? (float)lse : -INFINITY;
    if (strip->sums != NULL) {
      sums_values(strip->sums, r, strip->max[r] / sqrtf((float)d), strip->sum[r],
                  launch->lse[row + r], launch->stats + (row + r) * BENCH_FUSED_STATS);
    }
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
