/* How long a worker may think about one mode of one case before it counts as hung. */
#ifndef BENCH_WATCHDOG_H
#define BENCH_WATCHDOG_H

#include "bench/plan.h"

/* The config's timeout_s where it has one; else ten times what the case is predicted to take with
 * all that surrounds its samples, and a minute. */
double bench_watchdog_limit_s(const bench_config *config, const bench_problem *problem,
                              const bench_case *planned, bench_mode mode);

/* The time that samples are taken for: the case's budget, but a sustained mode's least time. */
double bench_sampling_s(const bench_config *config, bench_mode mode);

#endif
