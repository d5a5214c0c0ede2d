/* Attention-distribution statistics: one streaming pass over Q and K, O(N) memory, never the
 * S x S matrix. Formulas, recurrences and accuracy: the comment in harness/stats/core.c.
 *
 * Each value is the unweighted mean over rows with at least two visible keys, then over
 * sequences (batch entries), per layer and query head, sums in double; max_logit is the maximum.
 * Distances and windows use |i - j| with i the absolute position of the row. NaN: missing (no such
 * row). Natural logarithm; lengths in tokens. */
#ifndef BENCH_STAT_H
#define BENCH_STAT_H

#include "bench/attn.h"
#include "bench/mask.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_stat_core {
  int64_t rows; /* rows averaged, over all sequences */
  double lse;   /* log sum exp of the scaled logits */
  double max_logit;
  double entropy_nats;
  double entropy_norm; /* entropy / log(visible keys) */
  double sum_p2;
  double p_max;
  double distance_tokens;
  double distance_nosink_tokens; /* key 0 dropped, the rest renormalised */
  double distance_rms_tokens;
  double window16_mass;
  double window64_mass;
  double window256_mass;
  double window1024_mass;
  double sink_mass;  /* on key 0 */
  double sink4_mass; /* on keys 0-3 */
} bench_stat_core;

/* All query heads of one layer. q and k are host memory in attn->dtype with the shapes of attn.h;
 * `list` is needed for a BLOCK mask, else NULL. Rows 0, row_stride, 2 row_stride, ... are read (1:
 * all). `out` has heads_q entries. Uses all OpenMP threads; the result does not depend on how
 * many there are. */
bench_code bench_stat_core_layer(const bench_attn *attn, const bench_blocklist *list, const void *q,
                                 const void *k, int64_t row_stride, bench_stat_core *out,
                                 bench_error *error);

/* The mean of several entries with finite values (heads, layers), for the columns of sweep.csv. */
void bench_stat_core_mean(const bench_stat_core *entries, int64_t count, bench_stat_core *out);

#ifdef __cplusplus
}
#endif
#endif
