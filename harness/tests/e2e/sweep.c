/* bench sweep, end to end: the real program, a real worker, real files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "run_bench.h"

static const char config[] =
    "[sweep]\n"
    "name = \"small\"\n"
    "kernels = [\"naive\", \"flash\", \"sparse\"]\n"
    "modes = [\"cold\", \"warm\"]\n"
    "budget = { case_s = 0.01 }\n"
    "[[grid]]\n"
    "seq = [16, 100]\n"
    "heads = [2]\n"
    "head_dim = [32]\n"
    "layers = [1, 3]\n"
    "mask = [\"full\", \"causal\"]\n";
#define SMALL_ROWS 48

static const char *folder_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  return path;
}

/* Runs the small config into scratch/NAME with more options; returns the exit status. */
static int sweep_small(const char *name, const char *options) {
  char path[256];
  snprintf(path, sizeof path, "%s", scratch_file("small.toml", config));
  bench_outcome outcome =
      run_bench("", "sweep %s --backend cpu -o %s %s", path, folder_of(name), options);
  int status = outcome.exit_status;
  if (status != 0) {
    fprintf(stderr, "%s", outcome.err);
  }
  outcome_free(&outcome);
  return status;
}

static void every_row_is_whole(void **state) {
  (void)state;
  assert_int_equal(sweep_small("whole", ""), 0);
  result_table table = read_table(folder_of("whole"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, SMALL_ROWS);
  assert_int_equal(table_count(&table, "status", "ok"), SMALL_ROWS);
  static const char *const filled[] = {
      "run_id",        "problem_id",   "case_id",      "variant",         "device",
      "density",       "samples",      "time_ns_min",  "stop_reason",     "flops",
      "bytes_min",     "tflops",       "gb_per_s",     "tokens_per_s",    "err_max_abs",
      "err_tolerance", "rows_checked", "entropy_nats", "distance_tokens", "sink_mass",
      "kernel_hash",   "host",         "git_commit",   "timestamp_utc",   "mem_predicted_bytes"};
  for (size_t row = 0; row < table.rows; row++) {
    for (size_t i = 0; i < sizeof filled / sizeof filled[0]; i++) {
      assert_string_not_equal(table_field(&table, row, filled[i]), "");
    }
    for (size_t i = 0; i < bench_sweep_table.count; i++) {
      const char *field = table_field(&table, row, bench_sweep_table.columns[i].name);
      assert_string_not_equal(field, "nan");
      assert_string_not_equal(field, "inf");
    }
  }
  table_free(&table);
  /* heads.csv: one line per problem, layer that is its own, and head. */
  result_table heads = read_table(folder_of("whole"), "heads.csv", &bench_head_table);
  assert_int_equal(heads.rows, 2 * 2 * (1 + 3) * 2);
  table_free(&heads);
  result_table samples = read_table(folder_of("whole"), "samples.csv", &bench_sample_table);
  assert_true(samples.rows >= SMALL_ROWS);
  table_free(&samples);
}

static void manifest_and_export(void **state) {
  (void)state;
  char path[300];
  snprintf(path, sizeof path, "%s/manifest.json", folder_of("whole"));
  json_t *manifest = json_load_file(path, 0, NULL);
  assert_string_equal(json_string_value(json_object_get(manifest, "state")), "done");
  assert_int_equal(json_integer_value(json_object_get(manifest, "rows_planned")), SMALL_ROWS);
  const double parent_s = json_real_value(json_object_get(manifest, "parent_cpu_s"));
  assert_true(parent_s > 0 && parent_s < json_real_value(json_object_get(manifest, "elapsed_s")));
  assert_true(json_is_object(json_object_get(json_object_get(manifest, "machine"), "topology")));
  assert_true(json_is_string(json_object_get(json_object_get(manifest, "machine"), "blas")));
  json_decref(manifest);
  check_export(folder_of("whole"));
  snprintf(path, sizeof path, "cmp -s %s/config.toml %s/small.toml", folder_of("whole"),
           scratch_folder());
  assert_int_equal(system(path), 0);
}

/* The same work has the same ids in another run, and sampling is on the record. */
static void ids_repeat(void **state) {
  (void)state;
  assert_int_equal(sweep_small("again", ""), 0);
  result_table first = read_table(folder_of("whole"), "sweep.csv", &bench_sweep_table);
  result_table second = read_table(folder_of("again"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(first.rows, second.rows);
  for (size_t row = 0; row < first.rows; row++) {
    assert_string_equal(table_field(&first, row, "case_id"), table_field(&second, row, "case_id"));
    assert_string_equal(table_field(&first, row, "entropy_nats"),
                        table_field(&second, row, "entropy_nats"));
    assert_string_not_equal(table_field(&first, row, "run_id"),
                            table_field(&second, row, "run_id"));
  }
  table_free(&first);
  table_free(&second);
}

static void a_used_folder_needs_resume(void **state) {
  (void)state;
  assert_int_equal(sweep_small("whole", ""), 2);
  assert_int_equal(sweep_small("whole", "--resume"), 0);
  result_table table = read_table(folder_of("whole"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, SMALL_ROWS);
  table_free(&table);
}

/* What was done stays, what is missing is added, nothing is there twice. */
static void resume_completes(void **state) {
  (void)state;
  assert_int_equal(sweep_small("part", "--filter 'kernel=@(flash|decode),seq=16'"), 0);
  result_table part = read_table(folder_of("part"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(part.rows, 8);
  table_free(&part);
  assert_int_equal(sweep_small("part", "--resume"), 0);
  result_table all = read_table(folder_of("part"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(all.rows, SMALL_ROWS);
  for (size_t i = 0; i < all.rows; i++) {
    for (size_t j = 0; j < i; j++) {
      assert_false(strcmp(table_field(&all, i, "case_id"), table_field(&all, j, "case_id")) == 0 &&
                   strcmp(table_field(&all, i, "mode"), table_field(&all, j, "mode")) == 0);
    }
  }
  table_free(&all);
  result_table heads = read_table(folder_of("part"), "heads.csv", &bench_head_table);
  assert_int_equal(heads.rows, 32);
  table_free(&heads);
  check_export(folder_of("part"));
}

/* A run that was killed leaves no export, or the one before it: the next makes up for it. */
static void export_of_lost_runs(void **state) {
  (void)state;
  char path[300];
  assert_int_equal(sweep_small("lost", "--filter seq_q=16"), 0);
  snprintf(path, sizeof path, "%s/benchmark.json", folder_of("lost"));
  assert_int_equal(remove(path), 0);
  assert_int_equal(sweep_small("lost", "--resume"), 0);
  check_export(folder_of("lost"));
}

static void shards_add_up(void **state) {
  (void)state;
  size_t rows = 0;
  for (int shard = 1; shard <= 3; shard++) {
    char name[32];
    char options[32];
    snprintf(name, sizeof name, "shard%d", shard);
    snprintf(options, sizeof options, "--shard %d/3", shard);
    assert_int_equal(sweep_small(name, options), 0);
    result_table table = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
    rows += table.rows;
    table_free(&table);
  }
  assert_int_equal(rows, SMALL_ROWS);
}

/* Ctrl-C: what is finished is kept, the exit status says so, --resume goes on. */
static void stop_and_go_on(void **state) {
  (void)state;
  char command[1024];
  snprintf(command, sizeof command,
           "'%s/bin/bench' sweep %s --backend cpu -o %s --set sweep.budget.case_s=0.3 "
           "--set 'sweep.modes=[\"sustained\"]' >/dev/null 2>&1 & "
           "pid=$!; sleep 5; kill -INT $pid; wait $pid",
           BENCH_BINARY_DIR, scratch_file("small.toml", config), folder_of("stopped"));
  int status = system(command);
  assert_int_equal(status >> 8 & 0xff, 130);
  result_table table = read_table(folder_of("stopped"), "sweep.csv", &bench_sweep_table);
  assert_true(table.rows >= 1 && table.rows < 24);
  assert_int_equal(table_count(&table, "status", "ok"), table.rows);
  table_free(&table);
  assert_int_equal(sweep_small("stopped", "--resume"), 3); /* another plan without the --set */
  assert_int_equal(sweep_small("stopped",
                               "--resume --set sweep.budget.case_s=0.01 "
                               "--set 'sweep.modes=[\"sustained\"]' "
                               "--filter kernel=naive,seq=16"),
                   0);
}

static void bad_usage(void **state) {
  (void)state;
  static const struct {
    const char *arguments;
    int status;
    const char *message;
  } cases[] = {
      {"", 2, "usage"},
      {"nonsense", 2, "no command \"nonsense\""},
      {"sweep", 2, "a config file is needed"},
      {"sweep a b", 2, "one config file"},
      {"sweep /nonexistent.toml", 2, "/nonexistent.toml"},
      {"sweep x.toml --frobnicate", 2, "unknown option --frobnicate"},
      {"sweep x.toml --backend tpu", 2, "--backend tpu"},
      {"sweep x.toml --shard 5/4", 2, "--shard 5/4"},
      {"sweep x.toml --shard x", 2, "--shard x"},
      {"sweep x.toml --device -1", 2, "--device -1"},
      {"sweep x.toml --progress maybe", 2, "--progress maybe"},
      {"sweep x.toml --seed 1x", 2, "--seed 1x"},
      {"sweep x.toml --check sums", 2, "--check sums"},
      {"sweep x.toml --force", 2, "--force needs --resume"},
      {"sweep x.toml --filter kernel", 2, "expected KEY=GLOB"},
      {"sweep x.toml --filter colour=red", 2, "no such key"},
      {"sweep x.toml -o", 2, "needs a value"},
      {"list", 2, "one of kernels"},
      {"list nothing", 2, "there is no list \"nothing\""},
      {"info now", 2, "unexpected argument now"},
      {"check --kernel nothing --backend cpu", 2, "no kernel \"nothing\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bench_outcome outcome = run_bench("", "%s", cases[i].arguments);
    assert_int_equal(outcome.exit_status, cases[i].status);
    if (strstr(outcome.err, cases[i].message) == NULL) {
      fail_msg("bench %s: said %s", cases[i].arguments, outcome.err);
    }
    outcome_free(&outcome);
  }
}

/* Where no GPU answers, every case is a row that says why. */
static void cuda_without_a_gpu(void **state) {
  (void)state;
  bench_outcome devices = run_bench("", "list devices");
  const char *line = strstr(devices.out, "\ncuda  -  ");
  if (line == NULL) { /* a GPU answers here */
    outcome_free(&devices);
    skip();
  }
  char reason[512];
  assert_int_equal(sscanf(line, "\ncuda - %511[^\n]", reason), 1);
  outcome_free(&devices);
  char folder[256];
  snprintf(folder, sizeof folder, "%s", folder_of("no_gpu"));
  bench_outcome outcome =
      run_bench("", "sweep %s --backend cuda -o %s", scratch_file("small.toml", config), folder);
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, SMALL_ROWS);
  assert_int_equal(table_count(&table, "status", "skipped"), SMALL_ROWS);
  assert_int_equal(table_count(&table, "reason", reason), SMALL_ROWS);
  assert_int_equal(table_count(&table, "backend", "cuda"), SMALL_ROWS);
  table_free(&table);
  outcome = run_bench("", "check --backend cuda"); /* has nothing to say without one */
  assert_int_equal(outcome.exit_status, 3);
  outcome_free(&outcome);
}

/* The statistics stand a second look by another road. */
static void statistics_by_two_roads(void **state) {
  (void)state;
  assert_int_equal(sweep_small("lse", "--check lse --filter kernel=flash,mode=warm"), 0);
}

/* A folder that cannot be made is the environment's fault. */
static void unwritable_folder(void **state) {
  (void)state;
  bench_outcome outcome = run_bench("", "sweep %s --backend cpu -o /dev/null/results",
                                    scratch_file("small.toml", config));
  assert_int_equal(outcome.exit_status, 4);
  assert_non_null(strstr(outcome.err, "/dev/null: is in the way"));
  outcome_free(&outcome);
}

static void dry_run_counts(void **state) {
  (void)state;
  bench_outcome outcome =
      run_bench("", "sweep %s --backend cpu --dry-run --json", scratch_file("small.toml", config));
  assert_int_equal(outcome.exit_status, 0);
  json_t *json = json_loads(outcome.out, 0, NULL);
  assert_int_equal(json_integer_value(json_object_get(json, "problems")), 8);
  assert_int_equal(json_integer_value(json_object_get(json, "rows")), SMALL_ROWS);
  json_decref(json);
  outcome_free(&outcome);
}

static void lists_print(void **state) {
  (void)state;
  static const char *const lists[][2] = {{"kernels", "flash"}, {"models", "pythia-70m"},
                                         {"masks", "sink:K"},  {"stats", "entropy_nats"},
                                         {"devices", "cpu"},   {"columns", "time_ns_median"}};
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    bench_outcome outcome = run_bench("", "list %s", lists[i][0]);
    assert_int_equal(outcome.exit_status, 0);
    assert_non_null(strstr(outcome.out, lists[i][1]));
    outcome_free(&outcome);
  }
  bench_outcome info = run_bench("", "info --json");
  assert_int_equal(info.exit_status, 0);
  json_t *json = json_loads(info.out, 0, NULL);
  assert_true(json_is_object(json_object_get(json_object_get(json, "device"), "cpu")));
  json_decref(json);
  outcome_free(&info);
}

/* Without the call that runs the registered benchmarks, a sweep measures nothing. */
/* A variant that is asked for by name stands beside the best of its family. */
static void variants_are_chosen(void **state) {
  (void)state;
  const char *text =
      "[sweep]\nname = \"variants\"\nkernels = [\"flash/generic\", \"flash\", \"flash/sm80\"]\n"
      "modes = [\"warm\"]\nbudget = { case_s = 0.01 }\n"
      "[[grid]]\nseq = [40]\nheads = [2]\nhead_dim = [32]\n";
  char folder[300];
  snprintf(folder, sizeof folder, "%s/variants", scratch_folder());
  bench_outcome outcome =
      run_bench("", "sweep %s --backend cpu -o %s", scratch_file("variants.toml", text), folder);
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 3);
  static const char *const names[] = {"flash/generic", "flash", "flash/sm80"};
  for (size_t row = 0; row < 3; row++) {
    assert_string_equal(table_field(&table, row, "kernel"), names[row]);
    assert_string_equal(table_field(&table, row, "status"), row == 2 ? "skipped" : "ok");
    for (size_t other = 0; other < row; other++) {
      assert_string_not_equal(table_field(&table, row, "case_id"),
                              table_field(&table, other, "case_id"));
    }
  }
  assert_string_equal(table_field(&table, 0, "variant"), "generic");
  assert_non_null(strstr(table_field(&table, 2, "reason"), "family and variant"));
  table_free(&table);
  outcome = run_bench("", "check --backend cpu --kernel flash/none");
  assert_int_equal(outcome.exit_status, 2);
  outcome_free(&outcome);
}

/* A region that is over at once comes in batches: not a million samples to write down. */
static void sustained_has_few_samples(void **state) {
  (void)state;
  assert_int_equal(
      sweep_small("sustained",
                  "--set 'sweep.kernels=[\"null\"]' --filter seq=16,layers=1,mask=full "
                  "--set 'sweep.modes=[\"sustained\"]'"),
      0);
  result_table table = read_table(folder_of("sustained"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 1);
  const long samples = strtol(table_field(&table, 0, "samples"), NULL, 10);
  assert_in_range(samples, 10, 4000);
  table_free(&table);
}

static void google_benchmark_drives(void **state) {
  (void)state;
  bench_program = "bench_no_run";
  sweep_small("no_run", "");
  bench_program = "bench";
  result_table table = read_table(folder_of("no_run"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 0);
  table_free(&table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_row_is_whole),
      cmocka_unit_test(manifest_and_export),
      cmocka_unit_test(ids_repeat),
      cmocka_unit_test(a_used_folder_needs_resume),
      cmocka_unit_test(resume_completes),
      cmocka_unit_test(export_of_lost_runs),
      cmocka_unit_test(shards_add_up),
      cmocka_unit_test(stop_and_go_on),
      cmocka_unit_test(bad_usage),
      cmocka_unit_test(cuda_without_a_gpu),
      cmocka_unit_test(statistics_by_two_roads),
      cmocka_unit_test(unwritable_folder),
      cmocka_unit_test(dry_run_counts),
      cmocka_unit_test(lists_print),
      cmocka_unit_test(google_benchmark_drives),
      cmocka_unit_test(variants_are_chosen),
      cmocka_unit_test(sustained_has_few_samples),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
