/* When to stop sampling: see samples.h. The rule is about the goal, not about noise. */
#include "bench/samples.h"

/* Fewer than 6 have no 95 % interval; from 10 on its ends are no longer the extremes. */
#define FIRST_LOOK 10

bool bench_stop_rule_met(bench_stop_rule *rule, const double *samples, int64_t count,
                         double *sorted) {
  if (rule->next_look == 0) {
    rule->next_look = FIRST_LOOK;
  }
  if (count < rule->next_look) {
    return false;
  }
  rule->next_look = count + (count + 1) / 2;
  bench_summary summary;
  bench_summarize(samples, count, sorted, &summary);
  return summary.ci_hi - summary.ci_lo <= 2 * BENCH_CI_GOAL * summary.median;
}
