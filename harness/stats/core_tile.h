/* The inner loops of the core statistics, over one tile of keys. Internal to core*.c. */
#ifndef BENCH_STATS_CORE_TILE_H
#define BENCH_STATS_CORE_TILE_H

#include <stdint.h>

#define STAT_ROWS 6   /* rows whose logits are made together: 6 x 16 fill AVX2's registers */
#define STAT_PANEL 16 /* keys of one panel of packed K, [head_dim][STAT_PANEL] */
#define STAT_TILE 128 /* keys of one tile: 32 KiB of K at head_dim 64 */
#define STAT_HIDDEN                                                             \
  -1e30f /* the logit of a key that a row does not see: its weight is exactly 0 \
          */

/* Sums over some keys of one row, with x = s - max, e = exp(x), d = |i - j|. */
typedef struct stat_sums {
  double e;
  double ex;
  double ee;
  double ed;
  double edd;
} stat_sums;

/* `keys` is a multiple of STAT_PANEL, at most STAT_TILE. */
typedef struct stat_loops {
  /* s[r * STAT_TILE + key] = sum over c of q[c * STAT_ROWS + r] * K[key][c], r < rows. Rows from
   * `rows` up to STAT_ROWS may be written too. */
  void (*logits)(const float *q, const float *panels, int64_t dim, int rows, int keys, float *s);
  float (*max)(const float *s, int keys);
  /* Replaces each s by its e. `distance` is i - j of the first key. */
  void (*sums)(float *s, int keys, float max, float distance, stat_sums *out);
  double (*add)(const float *e, int begin, int end); /* sum of e[begin .. end-1] */
} stat_loops;

/* Compiled for x86-64 alone. */
extern const stat_loops bench_stat_loops_avx2;

/* The loops for this processor. */
const stat_loops *bench_stat_loops(void);

#endif
