/* The limit of a request, from the prediction of the plan. A limit that is too short kills a good
 * case, one that is too long costs waiting and nothing else: every term is generous. */
#include "src/watchdog.h"

#include <math.h>

#define GRACE_S 60.0        /* a machine that is busy with something else */
#define MARGIN 10.0         /* presumed rates may be as far off */
#define EXECUTIONS 10.0     /* of the timed region outside the sampling budget */
#define PREPARED_PER_S 50e6 /* bytes of tensors generated, converted and copied */

/* The verification compares all rows up to so much work, else a sample of so many. */
#define WHOLE_FLOPS 1e10
#define SAMPLED_ROWS 512.0

double bench_sampling_s(const bench_config *config, bench_mode mode) {
  return mode == BENCH_MODE_SUSTAINED ? fmax(config->budget_case_s, BENCH_SUSTAINED_MIN_S)
                                      : config->budget_case_s;
}

/* Attention in double precision, and a model's own forward pass where the input comes from one;
 * both run on the host, whatever the device. */
static double host_flops(const bench_problem *problem) {
  const bench_attn *attn = &problem->attn;
  const double row = 4.0 * (double)attn->head_dim * (double)attn->seq_kv;
  double flops = fmin((double)problem->flops, WHOLE_FLOPS) + SAMPLED_ROWS * row;
  if (attn->input == BENCH_INPUT_MODEL) {
    flops += 2.0 * (double)attn->params * (double)attn->batch * (double)attn->seq_q;
  }
  return flops;
}

double bench_watchdog_limit_s(const bench_config *config, const bench_problem *problem,
                              const bench_case *planned, bench_mode mode) {
  if (config->budget_timeout_s > 0) {
    return config->budget_timeout_s;
  }
  const bench_device core = {.backend = "cpu", .threads = 1};
  const double sampling_s = bench_sampling_s(config, mode);
  const double statistics_s = fmax(config->budget_case_s, 1.0);
  const double prepare_s = (double)planned->mem_predicted_bytes / PREPARED_PER_S;
  const double verify_s =
      host_flops(problem) / bench_rate_presumed(&core, "reference", problem->attn.dtype);
  const double run_s = EXECUTIONS * planned->time_predicted_s;
  return GRACE_S + MARGIN * (sampling_s + statistics_s + prepare_s + verify_s + run_s);
}
