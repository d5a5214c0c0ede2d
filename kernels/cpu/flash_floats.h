/* The flash loop's products in fp32 and how they read their operands: fp32 where it stands, 16-bit
 * types widened run by run. The other kinds of products (flash_pairs.h, flash_amx.h) offer the
 * same. */
#ifndef BENCH_KERNELS_CPU_FLASH_FLOATS_H
#define BENCH_KERNELS_CPU_FLASH_FLOATS_H

#include "cpu/convert.h"
#include "cpu/flash_few.h"

enum {
  SCORE_ROWS = TILE_KEYS,
  HALF_KEYS = 4 /* so many keys that only one half of a strip sees are worth a run of their own */
};

/* Room to widen a tile of keys. */
typedef struct key_room {
  float *k; /* [TILE_KEYS][head_dim] */
  float *v;
} key_room;

static inline const char *products_why_not(const bench_attn *attn) {
  return NULL;
}

static inline void products_open(void) {}
static inline void products_close(void) {}

/* Rows of Q and O, transposed. */
static inline int64_t padded_dim(int64_t d) {
  return d;
}

static inline size_t key_room_floats(const bench_attn *attn) {
  return attn->dtype == BENCH_FP32 ? 0 : 2 * TILE_KEYS * (size_t)attn->head_dim;
}

static inline key_room key_room_at(float *at, const bench_attn *attn) {
  return (key_room){.k = at, .v = at + TILE_KEYS * attn->head_dim};
}

/* Rows [first, first + rows) of Q, for few or many rows; `buffer` has the size of q. */
static inline void queries_load(const bench_launch *launch, int64_t first, int64_t rows, bool few,
                                float *buffer, float *q) {
  const int64_t d = launch->attn->head_dim;
  const float *from = convert_load(launch->attn->dtype, launch->q, first * d, rows * d, buffer);
  if (few) {
    memcpy(q, from, (size_t)(rows * d) * sizeof *q);
  } else {
    transpose(from, d, rows, d, q, STRIP);
  }
}

/* Keys [first, first + keys) of all, at `place` of the tile's TILE_KEYS places, of which they take
 * keys_places(keys). */
static inline run_keys keys_load(const bench_launch *launch, const key_room *room, int64_t place,
                                 int64_t first, int64_t keys) {
  const bench_attn *attn = launch->attn;
  const int64_t d = attn->head_dim;
  return (run_keys){
      .k = convert_load(attn->dtype, launch->k, first * d, keys * d, room->k + place * d),
      .v = convert_load(attn->dtype, launch->v, first * d, keys * d, room->v + place * d),
      .keys = keys,
      .half = BOTH_HALVES};
}

static inline int64_t keys_places(int64_t keys) {
  return keys;
}

/* Makes one run of two, whose keys follow one another. False if they may not be one. */
static inline bool keys_join(run_keys *run, const run_keys *next, int64_t d) {
  run->keys += next->keys;
  return true;
}

/* Keys [begin, end) of a run, which only `half` of a strip may see. */
static inline run_keys keys_part(const run_keys *run, int64_t begin, int64_t end, strip_half half,
                                 int64_t d) {
  return (run_keys){
      .k = run->k + begin * d, .v = run->v + begin * d, .keys = end - begin, .half = half};
}

/* strip_scores or few_scores */
static inline void scores_of(bool few, const float *q, const run_keys *run, int64_t d, int64_t rows,
                             row_asks *asks, float *scores, float *max) {
  if (few) {
    few_scores(q, run, d, rows, scores, max);
  } else {
    strip_scores(q, run, d, rows, asks, scores, max);
  }
}

/* strip_values or few_values */
static inline void values_of(bool few, const key_room *room, const run_keys *runs, int count,
                             const float *p, int64_t d, int64_t rows, const float *alpha,
                             float *o) {
  (few ? few_values : strip_values)(runs, count, p, d, rows, alpha, o);
}

#endif
