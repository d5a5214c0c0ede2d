/* The core statistics once more, by another road: identities of the log-sum-exp that need only
 * the outputs of a plain attention kernel. */
#ifndef BENCH_STATS_LSE_CHECK_H
#define BENCH_STATS_LSE_CHECK_H

#include "bench/stat.h"

/* Compares entropy and sum_p2 of `heads` (bench_stat_core_layer of the same arguments) with
 *   entropy = LSE(s) - s_mean, s_mean = q . O[V := K] / sqrt(head_dim)
 *   sum p^2 = exp(LSE(2 s) - 2 LSE(s))
 * computed by the flash kernel of the cpu backend in fp32. *agrees is false, and `reason` says
 * where, if a head's mean entropy differs by more than 1e-4 (1 + |LSE|) nats, or its sum_p2 by
 * more than 0.1 %. */
bench_code bench_stat_lse_check(const bench_attn *attn, const bench_blocklist *list, const void *q,
                                const void *k, int64_t row_stride, const bench_stat_core *heads,
                                bool *agrees, char reason[256], bench_error *error);

#endif
