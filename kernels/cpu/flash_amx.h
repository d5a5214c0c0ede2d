/* The two matrix products of the flash loop by tile registers (AMX-BF16). One instruction does
 *     c[16][16] += a[16][32] b[32][16]      rows of a are read as they stand, b as pairs of rows
 * and the queries are the columns of b and c, so that the softmax finds them in the lanes:
 *     scores [keys][queries]   = K [keys][head_dim] Q^T        Q as pairs along head_dim
 *     O      [columns][queries] += V^T [columns][keys] P^T     P as pairs along keys
 * V of a tile is transposed once for all its strips. Keys, columns and head_dim past the
 * last are zeros, or rows that nobody reads. */
#ifndef BENCH_KERNELS_CPU_FLASH_AMX_H
#define BENCH_KERNELS_CPU_FLASH_AMX_H

#include "cpu/flash_pack.h"

enum {
  AMX_PAIRS = 16,                      /* in a row of a */
  STRIP_BYTES = STRIP * sizeof(float), /* rows of b and c */
  TRANSPOSED = 4                       /* pairs of keys that V is transposed by */
};

/* K, V^T [padded_dim][TILE_PAIRS], P, and room to transpose V, [TRANSPOSED][padded_dim]. */
static inline size_t key_room_floats(const bench_attn *attn) {
  const size_t d = (size_t)padded_dim(attn->head_dim);
  return SCORE_ROWS * d / 2 + (TILE_PAIRS + TRANSPOSED) * d + TILE_PAIRS * STRIP;
}

/* V^T is zero at first: a step of the product may take more pairs of keys than there are. */
static inline key_room key_room_at(float *at, const bench_attn *attn) {
  const int64_t d = padded_dim(attn->head_dim);
  bf16_pair *p = (bf16_pair *)at;
  bf16_pair *v = p + TILE_PAIRS * STRIP;
  memset(v, 0, (size_t)(TILE_PAIRS * d) * sizeof *v);
  return (key_room){.p = p, .v = v, .k = v + (TILE_PAIRS + TRANSPOSED) * d};
}

/* Keys [first, first + keys) of all, at `place` of the tile's TILE_KEYS places, of which they take
 * keys_places(keys). */
static inline run_keys keys_load(const bench_launch *launch, const key_room *room, int64_t place,
                                 int64_t first, int64_t keys) {
  const int64_t d = launch->attn->head_dim;
  const uint16_t *v = (const uint16_t *)launch->v + first * d;
  bf16_pair *rows = room->v + TILE_PAIRS * padded_dim(d);
  const int64_t pairs = keys_places(keys) / 2;
  for (int64_t j = 0; j < pairs; j += TRANSPOSED) {
    const int64_t count = pairs - j < TRANSPOSED ? pairs - j : TRANSPOSED;
    for (int64_t i = 0; i < count; i++) {
      values_pair(v, keys, j + i, d, rows + i * d);
    }
    transpose((const float *)rows, d, count, d, (float *)room->v + place / 2 + j, TILE_PAIRS);
  }
  return keys_of_pairs(launch, room, place, first, keys);
}

/* c[16 m][STRIP] = a[16 m] b[STRIP], or += it, over `steps` steps of AMX_PAIRS pairs; m is 1 or 2,
 * a_row is in pairs. Four sums at a time, for the product's latency is three of its turns. */
static void amx_group(const bf16_pair *a, int64_t a_row, const bf16_pair *b, int64_t steps, int m,
                      bool add, float *c) {
  float *const c_low = c + AMX_ROWS * STRIP;
  const int64_t a_bytes = a_row * (int64_t)sizeof *a;
  amx_zero(0);
  amx_zero(1);
  amx_zero(2);
  amx_zero(3);
  if (add) {
    amx_load(0, c, STRIP_BYTES);
    amx_load(1, c + LANES, STRIP_BYTES);
    if (m == 2) {
      amx_load(2, c_low, STRIP_BYTES);
      amx_load(3, c_low + LANES, STRIP_BYTES);
    }
  }
  for (int64_t s = 0; s < steps; s++, a += AMX_PAIRS, b += AMX_PAIRS * STRIP) {
    amx_load(4, b, STRIP_BYTES);
    amx_load(5, b + LANES, STRIP_BYTES);
    amx_load(6, a, a_bytes);
    amx_dot(0, 6, 4);
    amx_dot(1, 6, 5);
    if (m == 2) {
      amx_load(7, a + AMX_ROWS * a_row, a_bytes);
      amx_dot(2, 7, 4);
      amx_dot(3, 7, 5);
    }
  }
  amx_store(0, c, STRIP_BYTES);
  amx_store(1, c + LANES, STRIP_BYTES);
  if (m == 2) {
    amx_store(2, c_low, STRIP_BYTES);
    amx_store(3, c_low + LANES, STRIP_BYTES);
  }
}

/* The same for `rows` rows of a and c, and as many more as fill the last tile register. */
static void amx_product(const bf16_pair *a, int64_t a_row, int64_t rows, const bf16_pair *b,
                        int64_t steps, bool add, float *c) {
  for (int64_t i = 0; i < rows; i += 2 * AMX_ROWS) {
    amx_group(a + i * a_row, a_row, b, steps, rows - i > AMX_ROWS ? 2 : 1, add, c + i * STRIP);
  }
}

/* scores[keys][STRIP] = k[keys] . q[STRIP] for the keys of a run, of all rows; max[STRIP] rises to
 * the largest of each row. Nothing is asked ahead: no machine has shown what that would gain. */
static inline void scores_of(bool few, const float *q, const run_keys *run, int64_t d, int64_t rows,
                             row_asks *asks, float *scores, float *max) {
  const int64_t pairs = padded_dim(d) / 2;
  amx_product(run->k, pairs, run->keys, (const bf16_pair *)q, pairs / AMX_PAIRS, false, scores);
  for (int r = 0; r < STRIP; r += LANES) {
    vec most = load(max + r);
    for (int64_t j = 0; j < run->keys; j++) {
      most = vec_max(load(scores + j * STRIP + r), most);
    }
    store(max + r, most);
  }
}

/* o[d][STRIP] = o * alpha[STRIP] + v[keys][d] . p[keys][STRIP] over the keys of all runs */
static inline void values_of(bool few, const key_room *room, const run_keys *runs, int count,
                             const float *p, int64_t d, int64_t rows, const float *alpha,
                             float *o) {
  const pair_span span = weights_pack(runs, count, p, room->p);
  for (int64_t c = 0; c < d; c++) {
    for (int r = 0; r < STRIP; r += LANES) {
      store(o + c * STRIP + r, load(o + c * STRIP + r) * load(alpha + r));
    }
  }
  amx_product(room->v + span.begin, TILE_PAIRS, d, room->p + span.begin * STRIP,
              (span.end - span.begin) / AMX_PAIRS, true, o);
}

static inline void products_open(void) {
  amx_configure();
}

static inline void products_close(void) {
  amx_release();
}

#endif
