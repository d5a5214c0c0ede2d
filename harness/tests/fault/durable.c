/* What was written reaches the disk within a second, also while a case takes longer, of a worker
 * and of a peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_bench.h"

/* A second, and three more in which a busy machine may not come to it. The slow cases take longer
 * by as much again, so that data that wait for one to end are not taken for that. */
#define WAITS_AT_MOST_S 4.0

static const char config[] =
    "[sweep]\nname = \"durable\"\nkernels = [\"null\"]\nmodes = [\"warm\"]\n"
    "budget = { case_s = 0.002, timeout_s = 9.0 }\n[[grid]]\nseq = [8, 9, 10]\nheads = [1]\n"
    "head_dim = [32]\n";

/* Runs the sweep and looks at each of its syncs. */
static void check_syncs(const char *name, const char *environment, const char *options,
                        int exit_status) {
  char log[256];
  char environment_and_log[1024];
  snprintf(log, sizeof log, "%s/%s.log", scratch_folder(), name);
  snprintf(environment_and_log, sizeof environment_and_log, "SYNC_LOG=%s %s", log, environment);
  bench_program = "bench_sync_log";
  bench_outcome outcome =
      run_bench(environment_and_log, "sweep %s --backend cpu -o %s/%s %s",
                scratch_file("durable.toml", config), scratch_folder(), name, options);
  if (outcome.exit_status != exit_status) {
    fail_msg("%s%s", outcome.out, outcome.err);
  }
  outcome_free(&outcome);
  char *text = file_text(log);
  char *end;
  size_t syncs = 0;
  for (char *line = text; *line != '\0'; line = end + 1, syncs++) {
    const double waited_s = strtod(line, &end);
    if (waited_s > WAITS_AT_MOST_S) {
      fail_msg("%s: data waited %.3f s for the disk", name, waited_s);
    }
  }
  assert_true(syncs >= 4); /* of samples and rows, before the end and at the end */
  free(text);
}

static void while_a_worker_is_slow(void **state) {
  (void)state;
  check_syncs("worker", "BENCH_FAULT=slow@2", "", 1);
}

static void while_a_peer_is_slow(void **state) {
  (void)state;
  char environment[300];
  snprintf(environment, sizeof environment, "STUB_KERNELS=stub/slow STUB_PID=%s/pid",
           scratch_folder());
  check_syncs("peer", environment, "--peer " PEER_STUB, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(while_a_worker_is_slow),
      cmocka_unit_test(while_a_peer_is_slow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
