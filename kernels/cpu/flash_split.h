/* Keys of a work item in parts, for items of which there are too few to keep all cores at work: the
 * state of the softmax after each part is kept, and merged when all are done. How many parts there
 * are depends on the problem alone, so that a result does not on the number of threads.
 *
 * A part is the strips of one tile, one behind the other: O as the strip has it, before it is
 * divided by the sums, maxima [STRIP], sums [STRIP], and those of the statistics. */
#ifndef BENCH_KERNELS_CPU_FLASH_SPLIT_H
#define BENCH_KERNELS_CPU_FLASH_SPLIT_H

#include "cpu/flash_tile.h"

static inline int64_t strip_floats(int64_t d) {
  return STRIP * (d + 2) + (int64_t)(sizeof(strip_sums) / sizeof(float));
}

static inline int64_t part_floats(const bench_attn *attn) {
  return TILE_ROWS / STRIP * strip_floats(attn->head_dim);
}

/* Keeps where a part stands. */
static void part_keep(flash_tile *tile, float *part) {
  const int64_t o_floats = tile->head_dim * STRIP;
  for (int i = 0; i < tile->strips; i++, part += strip_floats(tile->head_dim)) {
    const flash_strip *strip = &tile->strip[i];
    memcpy(part, strip->o, (size_t)o_floats * sizeof *part);
    memcpy(part + o_floats, strip->max, sizeof strip->max);
    memcpy(part + o_floats + STRIP, strip->sum, sizeof strip->sum);
    if (strip->sums != NULL) {
      memcpy(part + o_floats + 2 * STRIP, strip->sums, sizeof *strip->sums);
    }
  }
}

/* Adds a strip's share of one part. */
static void strip_merge(flash_strip *strip, const float *part, int64_t d, float scale) {
  const float *max = part + d * STRIP;
  const float *sum = max + STRIP;
  float own_up[STRIP];   /* of what was merged so far: 2^up is its factor */
  float other_up[STRIP]; /* and of the part */
  float own[STRIP];
  float other[STRIP];
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    const float most = larger(strip->max[r], max[r]);
    const float base = most == -INFINITY ? 0.0f : most;
    own_up[r] = (strip->max[r] - base) * scale;
    other_up[r] = (max[r] - base) * scale;
    own[r] = cpu_exp2(own_up[r]);
    other[r] = cpu_exp2(other_up[r]);
    strip->max[r] = most;
  }
  if (strip->sums != NULL) {
    strip_sums of_part;
    memcpy(&of_part, sum + STRIP, sizeof of_part);
    sums_shrink(strip->sums, own_up, own, strip->sum);
    sums_shrink(&of_part, other_up, other, sum);
    sums_add(strip->sums, &of_part);
  }
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    strip->sum[r] = strip->sum[r] * own[r] + sum[r] * other[r];
  }
  const int64_t inner = strip->few ? d : STRIP; /* O has its rows outside, or inside */
  const int64_t outer = strip->few ? strip->rows : d;
  for (int64_t i = 0; i < outer; i++) {
    float *o = strip->o + i * inner;
    const float *of_part = part + i * inner;
    for (int64_t j = 0; j < inner; j++) {
      const int64_t r = strip->few ? i : j;
      o[j] = o[j] * own[r] + of_part[j] * other[r];
    }
  }
}

/* Writes O and LSE of rows [first, first + rows) of all, of which there are `count` parts, one
 * behind the other. */
static void parts_merge(flash_tile *tile, const float *parts, int64_t count, int64_t first,
                        int64_t rows) {
  const int64_t d = tile->head_dim;
  tile_begin(tile, first, rows);
  for (int i = 0; i < tile->strips; i++) {
    for (int64_t p = 0; p < count; p++) {
      strip_merge(&tile->strip[i],
                  parts + p * part_floats(tile->launch->attn) + i * strip_floats(d), d,
                  tile->scale_log2);
    }
    strip_end(tile->launch, &tile->strip[i], first + (int64_t)i * STRIP);
  }
}

#endif
