/* Keys of a work item in parts, for items of which there are too few to keep all cores at work: the
 * state of the softmax after each part is kept, and merged when all are done. How many parts there
 * are depends on the problem alone, so that a result does not on the number of threads.
 *
 * A part is the strips of one tile, one behind the other: O [head_dim][STRIP] before it is divided
 * by the sums, maxima [STRIP] and sums [STRIP]. */
#ifndef BENCH_KERNELS_CPU_FLASH_SPLIT_H
#define BENCH_KERNELS_CPU_FLASH_SPLIT_H

#include "cpu/flash_tile.h"

static inline int64_t part_floats(const bench_attn *attn) {
  return TILE_ROWS * (attn->head_dim + 2);
}

/* Takes the last step of a part, and keeps where it stands. */
static void part_keep(flash_tile *tile, float *part) {
  const int64_t o_floats = tile->head_dim * STRIP;
  tile_step(tile);
  for (int i = 0; i < tile->strips; i++, part += o_floats + 2 * STRIP) {
    const flash_strip *strip = &tile->strip[i];
    memcpy(part, strip->o, (size_t)o_floats * sizeof *part);
    memcpy(part + o_floats, strip->max, sizeof strip->max);
    memcpy(part + o_floats + STRIP, strip->sum, sizeof strip->sum);
  }
}

/* Adds a strip's share of one part. */
static void strip_merge(flash_strip *strip, const float *part, int64_t d, float scale) {
  const float *max = part + d * STRIP;
  const float *sum = max + STRIP;
  float own[STRIP];   /* factor of what was merged so far */
  float other[STRIP]; /* and of the part */
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    const float most = larger(strip->max[r], max[r]);
    const float base = most == -INFINITY ? 0.0f : most;
    own[r] = cpu_exp2((strip->max[r] - base) * scale);
    other[r] = cpu_exp2((max[r] - base) * scale);
    strip->max[r] = most;
    strip->sum[r] = strip->sum[r] * own[r] + sum[r] * other[r];
  }
  for (int64_t c = 0; c < d; c++) {
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      strip->o[c * STRIP + r] = strip->o[c * STRIP + r] * own[r] + part[c * STRIP + r] * other[r];
    }
  }
}

/* Writes O and LSE of rows [first, first + rows) of all, of which there are `count` parts, one
 * behind the other. */
static void parts_merge(flash_tile *tile, const float *parts, int64_t count, int64_t first,
                        int64_t rows) {
  const int64_t d = tile->head_dim;
  const int64_t strip_floats = STRIP * (d + 2);
  tile_begin(tile, first, rows);
  for (int i = 0; i < tile->strips; i++) {
    for (int64_t p = 0; p < count; p++) {
      strip_merge(&tile->strip[i], parts + p * part_floats(tile->launch->attn) + i * strip_floats,
                  d, tile->scale_log2);
    }
    strip_end(tile->launch, &tile->strip[i], first + (int64_t)i * STRIP);
  }
}

#endif
