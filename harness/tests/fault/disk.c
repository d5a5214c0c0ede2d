/* A disk that is full, a folder that vanishes or cannot be written: told clearly, exit status 4,
 * and what was written before stays whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_bench.h"
#include "sinks/csv_reader.h"

static const char config[] =
    "[sweep]\nname = \"disk\"\nkernels = [\"null\"]\nmodes = [\"warm\"]\n"
    "budget = { case_s = 0.002 }\n[[grid]]\nseq = [8, 9, 10, 11, 12, 13, 14, 15]\nheads = [1]\n"
    "head_dim = [32]\n";
enum { ROWS = 8 };

static const char *folder_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  return path;
}

static bench_outcome sweep(const char *name, const char *environment, const char *options) {
  bench_program = "bench_bad_disk";
  bench_outcome outcome = run_bench(environment, "sweep %s --backend cpu -o %s %s",
                                    scratch_file("disk.toml", config), folder_of(name), options);
  bench_program = "bench";
  return outcome;
}

/* Whole lines and nothing behind them. */
static bool ends_whole(const char *name, const char *file) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", folder_of(name), file);
  bench_csv_reader reader;
  bench_error error;
  bool more = bench_csv_reader_open(path, &reader, &error) == BENCH_OK;
  while (more) {
    assert_int_equal(bench_csv_reader_next(&reader, &more, &error), BENCH_OK);
  }
  const bool whole = !reader.torn;
  bench_csv_reader_close(&reader);
  return whole;
}

/* The least that a run writes: how many samples there are is another matter each time. */
static off_t record_bytes(const char *name) {
  char path[300];
  struct stat info;
  snprintf(path, sizeof path, "%s/sweep.csv", folder_of(name));
  assert_int_equal(stat(path, &info), 0);
  return info.st_size;
}

static void a_full_disk_loses_nothing(void **state) {
  (void)state;
  bench_outcome outcome = sweep("whole", "", "");
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  const off_t bytes = record_bytes("whole");
  for (int part = 1; part <= 6; part++) {
    char name[32];
    char environment[64];
    snprintf(name, sizeof name, "full%d", part);
    snprintf(environment, sizeof environment, "BAD_DISK=full:%jd", (intmax_t)bytes * part / 7);
    outcome = sweep(name, environment, "");
    assert_int_equal(outcome.exit_status, 4);
    assert_non_null(strstr(outcome.err, "No space left on device"));
    outcome_free(&outcome);
    assert_true(ends_whole(name, "sweep.csv"));
    result_table table = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
    assert_true(table.rows < ROWS);
    assert_int_equal(table_count(&table, "status", "ok"), table.rows);
    table_free(&table);
    outcome = sweep(name, "", "--resume");
    assert_int_equal(outcome.exit_status, 0);
    outcome_free(&outcome);
    table = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
    assert_int_equal(table_count(&table, "status", "ok"), ROWS);
    table_free(&table);
  }
}

/* A run without room for its own start says so too. */
static void no_room_at_all(void **state) {
  (void)state;
  bench_outcome outcome = sweep("none", "BAD_DISK=full:0", "");
  assert_int_equal(outcome.exit_status, 4);
  outcome_free(&outcome);
}

/* A real limit of the operating system on a file's size. */
static void a_file_that_may_not_grow(void **state) {
  (void)state;
  bench_outcome outcome = sweep("limit", "ulimit -f 4; exec env", "");
  assert_int_equal(outcome.exit_status, 4);
  assert_non_null(strstr(outcome.err, "File too large"));
  outcome_free(&outcome);
}

/* Runs a sweep of sustained cases and a command beside it; returns the exit status. */
static int disturbed(const char *name, const char *disturbance, char err[512]) {
  char command[2048];
  char path[300];
  snprintf(path, sizeof path, "%s.err", folder_of(name));
  snprintf(command, sizeof command,
           "'%s/bin/bench' sweep %s --backend cpu -o %s --set 'sweep.modes=[\"sustained\"]' "
           ">/dev/null 2>%s & pid=$!; cd %s; while ! [ -s %s/manifest.json ]; do sleep 0.05; "
           "done; %s; wait $pid",
           BENCH_BINARY_DIR, scratch_file("disk.toml", config), folder_of(name), path,
           scratch_folder(), name, disturbance);
  const int status = system(command) >> 8 & 0xff;
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  err[fread(err, 1, 511, file)] = '\0';
  fclose(file);
  return status;
}

static void a_folder_that_vanishes(void **state) {
  (void)state;
  char err[512];
  assert_int_equal(disturbed("removed", "rm -r removed", err), 4);
  assert_non_null(strstr(err, "is gone"));
  assert_int_equal(disturbed("moved", "mv moved moved_away", err), 4);
  assert_non_null(strstr(err, "is gone"));
  assert_true(ends_whole("moved_away", "sweep.csv"));
}

static void a_folder_that_cannot_be_written(void **state) {
  (void)state;
  static const char *const places[] = {"/proc/result", "/dev/null/result", "/sys/result"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    bench_outcome outcome =
        run_bench("", "sweep %s --backend cpu -o %s", scratch_file("disk.toml", config), places[i]);
    assert_int_equal(outcome.exit_status, 4);
    assert_non_null(strstr(outcome.err, places[i][1] == 'd' ? "/dev/null" : places[i]));
    outcome_free(&outcome);
  }
}

/* Two runs in one folder would mix their lines. */
static void two_runs_in_one_folder(void **state) {
  (void)state;
  char err[512];
  char second[512];
  snprintf(second, sizeof second,
           "sleep 1; '%s/bin/bench' sweep disk.toml --backend cpu -o both --resume >/dev/null "
           "2>second; echo $? >>second; kill -INT $pid; kill -INT $pid",
           BENCH_BINARY_DIR);
  assert_int_equal(disturbed("both", second, err), 130);
  char path[300];
  char text[512];
  snprintf(path, sizeof path, "%s/second", scratch_folder());
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  assert_non_null(strstr(text, "another run is writing it"));
  assert_non_null(strstr(text, "\n4\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_full_disk_loses_nothing),       cmocka_unit_test(no_room_at_all),
      cmocka_unit_test(a_file_that_may_not_grow),        cmocka_unit_test(a_folder_that_vanishes),
      cmocka_unit_test(a_folder_that_cannot_be_written), cmocka_unit_test(two_runs_in_one_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
