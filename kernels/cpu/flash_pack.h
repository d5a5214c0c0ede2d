/* Operands of the flash loop's products as pairs of bf16 (dot_pairs.h), for vectors and for tile
 * registers alike.
 *
 *  - Q of a strip: pairs along head_dim, [padded_dim / 2][STRIP];
 *  - K: pairs along head_dim too, row-major as it stands in memory, or copied and padded with
 *    zeros where head_dim is no multiple of DIM_STEP or the products read past its end;
 *  - V of a tile: pairs along keys, made once for all strips of the tile;
 *  - P of a strip: pairs along keys, [TILE_KEYS / 2][STRIP], at the places of their keys in the
 *    tile, so that a run, and a strip's part of it, may begin and end with half a pair. The other
 *    half is zero.
 *
 * P is rounded to bf16; the softmax's sum is that of the weights before, which LSE needs: rounded,
 * a weight is off by up to 2^-9, and the errors of many average out in O but not in the logarithm
 * of a sum of few. The reference's tolerance has room for O, since it is that of weights in bf16.
 */
#ifndef BENCH_KERNELS_CPU_FLASH_PACK_H
#define BENCH_KERNELS_CPU_FLASH_PACK_H

#include <assert.h>

#include "cpu/dot_pairs.h"
#include "cpu/flash_ahead.h"

enum {
  DIM_STEP = CPU_PAIRS == 2 ? 32 : 2,  /* head_dim is padded to a multiple of it */
  KEY_STEP = CPU_PAIRS == 2 ? 16 : 1,  /* keys whose scores are computed together */
  PAIR_STEP = CPU_PAIRS == 2 ? 16 : 1, /* pairs of keys in a step of the product P V */
  PAIRS_FEW = 4,                       /* query rows that lanes of queries are too wide for */
  TILE_PAIRS = TILE_KEYS / 2,
  SCORE_ROWS = TILE_KEYS + KEY_STEP - 1, /* the last ones are written, never read */
  HALF_KEYS = TILE_KEYS + 1 /* halves of a strip have no runs of their own: pairs would be split */
};

/* Consecutive keys as the products read them. */
typedef struct run_keys {
  const bf16_pair *k; /* [keys][padded_dim / 2], and up to KEY_STEP - 1 rows more may be read */
  int64_t place;      /* of the first key among the tile's TILE_KEYS; even for a whole run */
  int64_t keys;
} run_keys;

/* The keys of a tile, and the weights of the strip at work. */
typedef struct key_room {
  bf16_pair *k; /* [SCORE_ROWS][padded_dim / 2], for keys that cannot be read in place */
  bf16_pair *v; /* finite throughout */
  bf16_pair *p; /* [TILE_PAIRS][STRIP] */
} key_room;

/* A strip of few rows wants head_dim in the lanes (flash_few.h), which has no form for pairs: where
 * all strips are so short, the kernel leaves the problem to the next widest. */
static inline bool few_rows(int64_t rows, int64_t d) {
  return false;
}

static inline const char *products_why_not(const bench_attn *attn) {
  return attn->heads_q / attn->heads_kv * attn->seq_q <= PAIRS_FEW
             ? "products of bf16 pairs are for more than 4 query rows to a key head"
             : NULL;
}

static inline int64_t padded_dim(int64_t d) {
  return (d + DIM_STEP - 1) / DIM_STEP * DIM_STEP;
}

/* Rows [first, first + rows) of a bf16 tensor [..][head_dim] as rows of pairs, padded_dim / 2 each:
 * in place if they may be, else copied to `room`. */
static inline const bf16_pair *rows_of_pairs(const void *tensor, int64_t first, int64_t rows,
                                             int64_t d, bool in_place, bf16_pair *room) {
  const uint16_t *from = (const uint16_t *)tensor + first * d;
  const int64_t pairs = padded_dim(d) / 2;
  if (in_place && d == 2 * pairs) {
    return (const bf16_pair *)from;
  }
  for (int64_t r = 0; r < rows; r++) {
    memset(room + r * pairs + d / 2, 0, (size_t)(pairs - d / 2) * sizeof *room);
    memcpy(room + r * pairs, from + r * d, (size_t)d * sizeof *from);
  }
  return room;
}

/* Rows [first, first + rows) of Q to pairs q[padded_dim / 2][STRIP]; `buffer` has the size of q. */
static inline void queries_load(const bench_launch *launch, int64_t first, int64_t rows, bool few,
                                float *buffer, float *q) {
  const int64_t d = launch->attn->head_dim;
  const int64_t pairs = padded_dim(d) / 2;
  transpose((const float *)rows_of_pairs(launch->q, first, rows, d, true, (bf16_pair *)buffer),
            pairs, rows, pairs, q, STRIP);
}

/* Keys 2 j and 2 j + 1 of `keys` as pairs of their elements, to[c]; the key past the last is zero.
 */
static inline void values_pair(const uint16_t *v, int64_t keys, int64_t j, int64_t d,
                               bf16_pair *restrict to) {
  const uint16_t *first = v + 2 * j * d;
  if (2 * j + 1 < keys) {
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
      to[c] = (uint32_t)first[d + c] << 16 | first[c];
    }
  } else {
#pragma omp simd
    for (int64_t c = 0; c < d; c++) {
      to[c] = first[c];
    }
  }
}

/* A run begins with a whole pair. */
static inline int64_t keys_places(int64_t keys) {
  return (keys + 1) / 2 * 2;
}

/* Makes one run of two, whose keys follow one another. False if they may not be one: half a pair is
 * between them, or only one of them is read in place. */
static inline bool keys_join(run_keys *run, const run_keys *next, int64_t d) {
  const bool behind =
      next->k == run->k + run->keys * (padded_dim(d) / 2) && next->place == run->place + run->keys;
  run->keys += behind ? next->keys : 0;
  return behind;
}

/* Keys [begin, end) of a run, which both halves of a strip may see. */
static inline run_keys keys_part(const run_keys *run, int64_t begin, int64_t end, strip_half half,
                                 int64_t d) {
  assert(half == BOTH_HALVES);
  return (run_keys){
      .k = run->k + begin * (padded_dim(d) / 2), .place = run->place + begin, .keys = end - begin};
}

/* K of keys [first, first + keys) of all, which stand at `place` of the tile. */
static inline run_keys keys_of_pairs(const bench_launch *launch, const key_room *room,
                                     int64_t place, int64_t first, int64_t keys) {
  const bench_attn *attn = launch->attn;
  const int64_t d = attn->head_dim;
  const bool in_place = first + keys + KEY_STEP - 1 <= attn->batch * attn->heads_kv * attn->seq_kv;
  return (run_keys){.k = rows_of_pairs(launch->k, first, keys, d, in_place,
                                       room->k + place * (padded_dim(d) / 2)),
                    .place = place,
                    .keys = keys};
}

/* Pairs [begin, end) of a tile's keys. */
typedef struct pair_span {
  int64_t begin;
  int64_t end;
} pair_span;

/* Weights of all runs, [keys][STRIP] one behind the other, to pairs[TILE_PAIRS][STRIP]; zero where
 * no run is. The span has all runs in it, and its ends are multiples of PAIR_STEP. */
static inline pair_span weights_pack(const run_keys *runs, int count, const float *p,
                                     bf16_pair *pairs) {
  const size_t row_bytes = STRIP * sizeof *pairs;
  pair_span span = {.begin = runs[0].place / (2 * PAIR_STEP) * PAIR_STEP};
  int64_t j = span.begin;
  for (int i = 0; i < count; i++) {
    const int64_t begin = runs[i].place;
    const int64_t end = begin + runs[i].keys;
    memset(pairs + j * STRIP, 0, (size_t)(begin / 2 - j) * row_bytes);
    for (j = begin / 2; 2 * j < end; j++) {
      for (int r = 0; r < STRIP; r += LANES) {
        floats16 first = {0};
        floats16 second = {0};
        if (2 * j >= begin) {
          first = load(p + (2 * j - begin) * STRIP + r);
        }
        if (2 * j + 1 < end) {
          second = load(p + (2 * j + 1 - begin) * STRIP + r);
        }
        *(pairs16 *)(pairs + j * STRIP + r) = dot_round(first, second);
      }
    }
    p += runs[i].keys * STRIP;
  }
  span.end = (j + PAIR_STEP - 1) / PAIR_STEP * PAIR_STEP;
  memset(pairs + j * STRIP, 0, (size_t)(span.end - j) * row_bytes);
  return span;
}

#endif
