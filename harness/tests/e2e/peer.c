/* bench sweep --peer: the kernels of a foreign worker stand beside ours in the same sweep, judged
 * by the same reference; what goes wrong there costs its own case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_bench.h"

static const char config[] =
    "[sweep]\nname = \"peers\"\nkernels = [\"naive\"]\nmodes = [\"cold\", \"warm\"]\n"
    "budget = { case_s = 0.01 }\n"
    "[[grid]]\nseq = [33, 40]\nheads = [4]\nkv_heads = [2]\nhead_dim = [16]\n"
    "mask = [\"full\", \"causal\"]\nlayers = [3]\n"
    "[[grid]]\nseq_q = [5]\nseq_kv = [70]\nheads = [2]\nhead_dim = [8]\nmask = [\"causal\"]\n";

static const char *folder_of(const char *name) {
  static char path[300];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  return path;
}

static bench_outcome sweep(const char *kernels, const char *text, const char *name,
                           const char *options) {
  char environment[200];
  snprintf(environment, sizeof environment, "STUB_KERNELS=%s", kernels);
  return run_bench(environment, "sweep %s --backend cpu --peer %s -o %s %s",
                   scratch_file("peers.toml", text), PEER_STUB, folder_of(name), options);
}

static void peers_stand_beside_ours(void **state) {
  (void)state;
  bench_outcome outcome = sweep("stub/right,stub/bare", config, "right", "");
  if (outcome.exit_status != 0) {
    fail_msg("%s%s", outcome.out, outcome.err);
  }
  outcome_free(&outcome);
  result_table rows = read_table(folder_of("right"), "sweep.csv", &bench_sweep_table);
  static const char *const order[] = {"naive",      "naive",     "stub/right",
                                      "stub/right", "stub/bare", "stub/bare"};
  assert_int_equal(rows.rows, 5 * 6);
  for (size_t i = 0; i < rows.rows; i++) {
    assert_string_equal(table_field(&rows, i, "kernel"), order[i % 6]);
    assert_string_equal(table_field(&rows, i, "problem_id"),
                        table_field(&rows, i / 6 * 6, "problem_id"));
    assert_string_equal(table_field(&rows, i, "status"), "ok");
    assert_string_not_equal(table_field(&rows, i, "rows_checked"), "");
    assert_string_not_equal(table_field(&rows, i, "time_ns_median"), "");
    assert_string_not_equal(table_field(&rows, i, "err_max_abs"), "0");
  }
  assert_string_equal(table_field(&rows, 2, "variant"), "right");
  assert_string_equal(table_field(&rows, 2, "samples"), "3");
  table_free(&rows);
  assert_int_not_equal(access(folder_of("right/.peers"), F_OK), 0);
}

static void what_goes_wrong_costs_its_case(void **state) {
  (void)state;
  static const struct {
    const char *kernel;
    const char *status;
    const char *reason;
  } expected[] = {
      {"stub/wrong", "wrong", "exceeds the tolerance"}, {"stub/lse", "wrong", "LSE"},
      {"stub/dies", "crashed", "status 134"},           {"stub/short", "wrong", "bytes where"},
      {"stub/idle", "wrong", "left no o0.bin"},         {"stub/right", "ok", ""},
  };
  bench_outcome outcome =
      sweep("stub/wrong,stub/lse,stub/dies,stub/short,stub/idle,stub/right", config, "faults", "");
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  result_table rows = read_table(folder_of("faults"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(rows.rows, 5 * 7 * 2);
  for (size_t i = 0; i < rows.rows; i++) {
    for (size_t k = 0; k < sizeof expected / sizeof expected[0]; k++) {
      if (strcmp(table_field(&rows, i, "kernel"), expected[k].kernel) == 0) {
        assert_string_equal(table_field(&rows, i, "status"), expected[k].status);
        assert_non_null(strstr(table_field(&rows, i, "reason"), expected[k].reason));
        assert_true((*table_field(&rows, i, "time_ns_median") != '\0') ==
                    (strcmp(expected[k].status, "ok") == 0));
      }
    }
  }
  table_free(&rows);
}

static void what_a_peer_cannot_do_is_skipped(void **state) {
  (void)state;
  static const char other[] =
      "[sweep]\nname = \"peers\"\nkernels = [\"naive\"]\nmodes = [\"warm\"]\n"
      "budget = { case_s = 0.01 }\n[[grid]]\nseq = [32]\nheads = [2]\nhead_dim = [16]\n"
      "mask = [\"window:4\"]\n[[grid]]\nseq = [32]\nheads = [2]\nhead_dim = [16]\n"
      "scope = [\"block\"]\n";
  bench_outcome outcome = sweep("stub/right", other, "skipped", "");
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  result_table rows = read_table(folder_of("skipped"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(rows.rows, 4);
  assert_string_equal(table_field(&rows, 1, "status"), "skipped");
  assert_non_null(strstr(table_field(&rows, 1, "reason"), "the stub knows"));
  assert_string_equal(table_field(&rows, 3, "status"), "skipped");
  assert_non_null(strstr(table_field(&rows, 3, "reason"), "attention alone"));
  table_free(&rows);
}

static void a_sweep_with_peers_is_resumed(void **state) {
  (void)state;
  bench_outcome outcome = sweep("stub/right", config, "resumed", "--filter kernel=naive");
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  outcome = sweep("stub/right", config, "resumed", "--resume");
  assert_int_equal(outcome.exit_status, 0);
  assert_null(strstr(outcome.out, "naive/"));
  outcome_free(&outcome);
  result_table rows = read_table(folder_of("resumed"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&rows, "status", "ok"), 20);
  table_free(&rows);
}

/* Starts a sweep of two rows of a kernel of the stub, and signals it once the peer works on the
 * first of them. Returns the exit status as the shell says it. */
static int signalled(const char *kernel, const char *name, const char *signal, char pid[320]) {
  char command[2048];
  snprintf(pid, 320, "%s.pid", folder_of(name));
  snprintf(command, sizeof command,
           "STUB_KERNELS=%s STUB_PID=%s '%s/bin/bench' sweep %s --backend cpu --peer %s -o %s "
           "--filter kernel=%s,seq_q=5 >/dev/null 2>&1 & pid=$!; "
           "while ! [ -s %s ]; do sleep 0.05; done; kill -%s $pid; wait $pid",
           kernel, pid, BENCH_BINARY_DIR, scratch_file("peers.toml", config), PEER_STUB,
           folder_of(name), kernel, pid, signal);
  return system(command) >> 8 & 0xff;
}

static void ctrl_c_finishes_the_row_of_a_peer(void **state) {
  (void)state;
  char pid[320];
  assert_int_equal(signalled("stub/slow", "stopped", "INT", pid), 130);
  result_table rows = read_table(folder_of("stopped"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(rows.rows, 1);
  assert_string_equal(table_field(&rows, 0, "status"), "ok");
  table_free(&rows);
}

static void a_hung_peer_does_not_outlive_its_parent(void **state) {
  (void)state;
  char pid[320];
  assert_int_equal(signalled("stub/hangs", "killed", "KILL", pid), 128 + 9);
  bench_outcome outcome =
      sweep("stub/hangs", config, "killed", "--resume --filter kernel=stub/hangs,seq_q=5");
  assert_int_equal(outcome.exit_status, 0); /* what the killed run left is in nobody's way */
  outcome_free(&outcome);
  result_table rows = read_table(folder_of("killed"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&rows, "status", "ok"), 2);
  table_free(&rows);
  assert_int_not_equal(access(folder_of("killed/.peers"), F_OK), 0);
  char *text = file_text(pid);
  assert_true(process_ends((pid_t)strtol(text, NULL, 10)));
  free(text);
}

static void bad_peers_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *environment;
    const char *command;
    const char *told;
    int status;
  } bad[] = {
      {"STUB_KERNELS=flash/mine", PEER_STUB, "is of a family of ours", 2},
      {"STUB_KERNELS=stub", PEER_STUB, "is no FAMILY/VARIANT", 2},
      {"STUB_KERNELS=stub/a,stub/a", PEER_STUB, "is there twice", 2},
      {"STUB_KERNELS=,", PEER_STUB, "names no kernels", 2},
      {"STUB_LACKS=1", PEER_STUB, "the stub's library is not installed", 3},
      {"", "'exit 7'", "exited with status 7", 1},
      {"", "'echo hello'", "is not JSON", 1},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    bench_outcome outcome =
        run_bench(bad[i].environment, "sweep %s --backend cpu --peer %s -o %s",
                  scratch_file("peers.toml", config), bad[i].command, folder_of("bad"));
    if (outcome.exit_status != bad[i].status || strstr(outcome.err, bad[i].told) == NULL) {
      fail_msg("%s %s: exit status %d, %s", bad[i].environment, bad[i].command, outcome.exit_status,
               outcome.err);
    }
    outcome_free(&outcome);
  }
  assert_int_not_equal(access(folder_of("bad"), F_OK), 0); /* nothing was begun */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(peers_stand_beside_ours),
      cmocka_unit_test(what_goes_wrong_costs_its_case),
      cmocka_unit_test(what_a_peer_cannot_do_is_skipped),
      cmocka_unit_test(a_sweep_with_peers_is_resumed),
      cmocka_unit_test(ctrl_c_finishes_the_row_of_a_peer),
      cmocka_unit_test(a_hung_peer_does_not_outlive_its_parent),
      cmocka_unit_test(bad_peers_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
