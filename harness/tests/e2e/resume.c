/* What --resume makes again, what it leaves, and when it refuses a folder. */
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

#define CONFIG(seq)                                                       \
  "[sweep]\nname = \"resume\"\nkernels = [\"null\", \"flash\"]\n"         \
  "modes = [\"warm\"]\nbudget = { case_s = 0.01 }\n[[grid]]\nseq = [" seq \
  "]\n"                                                                   \
  "heads = [2]\nhead_dim = [32]\nmask = [\"causal\", \"full\"]\n"

static const char *folder_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  return path;
}

/* Runs the config with more options; its words on stderr go to *err, if asked for. */
static int sweep(const char *name, const char *text, const char *environment, const char *options,
                 char err[512]) {
  char file[256];
  snprintf(file, sizeof file, "%s", scratch_file("resume.toml", text));
  bench_outcome outcome =
      run_bench(environment, "sweep %s --backend cpu -o %s %s", file, folder_of(name), options);
  int status = outcome.exit_status;
  if (err != NULL) {
    snprintf(err, 512, "%s", outcome.err);
  }
  outcome_free(&outcome);
  return status;
}

static size_t count_rows(const char *name, const char *column, const char *value) {
  result_table table = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
  const size_t count = column == NULL ? table.rows : table_count(&table, column, value);
  table_free(&table);
  return count;
}

/* Replaces text in a file of a result, as if another version or machine had written it. */
static void edit(const char *name, const char *file, const char *script) {
  char command[1024];
  snprintf(command, sizeof command, "sed -i '%s' '%s/%s'", script, folder_of(name), file);
  assert_int_equal(system(command), 0);
}

static void first_field(const char *name, const char *column, char value[128]) {
  result_table table = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
  snprintf(value, 128, "%s", table_field(&table, 0, column));
  table_free(&table);
}

static void a_config_may_grow(void **state) {
  (void)state;
  assert_int_equal(sweep("grows", CONFIG("16"), "", "", NULL), 0);
  assert_int_equal(count_rows("grows", NULL, NULL), 4);
  char run_id[128];
  first_field("grows", "run_id", run_id);
  assert_int_equal(sweep("grows", CONFIG("8, 16, 24") "# and more\n", "", "--resume", NULL), 0);
  assert_int_equal(count_rows("grows", NULL, NULL), 12);
  assert_int_equal(count_rows("grows", "run_id", run_id), 4);
  char command[600];
  snprintf(command, sizeof command, "cmp -s %s/config.toml %s/resume.toml", folder_of("grows"),
           scratch_folder());
  assert_int_equal(system(command), 0);
}

static void a_config_may_not_shrink(void **state) {
  (void)state;
  char err[512];
  assert_int_equal(sweep("grows", CONFIG("8"), "", "--resume", err), 3);
  assert_non_null(strstr(err, "not of this plan"));
  assert_int_equal(count_rows("grows", NULL, NULL), 12);
  assert_int_equal(sweep("grows", CONFIG("8"), "", "--resume --force", NULL), 0);
  assert_int_equal(count_rows("grows", NULL, NULL), 12);
}

/* The share of the ideal needs the dense row, which an earlier run made. */
static void the_ideal_survives_a_resume(void **state) {
  (void)state;
  assert_int_equal(sweep("ideal", CONFIG("64"), "", "--filter mask=full", NULL), 0);
  assert_int_equal(sweep("ideal", CONFIG("64"), "", "--resume", NULL), 0);
  result_table table = read_table(folder_of("ideal"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 4);
  assert_string_equal(table_field(&table, 3, "mask"), "causal");
  assert_string_equal(table_field(&table, 3, "kernel"), "flash");
  assert_string_not_equal(table_field(&table, 3, "fraction_of_ideal"), "");
  table_free(&table);
}

/* What is sustained is compared with the burst, which an earlier run made. */
static void the_burst_survives_a_resume(void **state) {
  (void)state;
  const char *one = "--filter kernel=flash,mask=full";
  char more[256];
  snprintf(more, sizeof more, "--resume --set 'sweep.modes=[\"sustained\",\"warm\"]' %s", one);
  assert_int_equal(sweep("burst", CONFIG("64"), "", one, NULL), 0);
  assert_int_equal(sweep("burst", CONFIG("64"), "", more, NULL), 0);
  result_table table = read_table(folder_of("burst"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 2);
  assert_string_equal(table_field(&table, 1, "mode"), "sustained");
  assert_string_not_equal(table_field(&table, 1, "sustained_of_burst"), "");
  table_free(&table);
}

static void skipped_rows_are_made_when_their_reason_is_gone(void **state) {
  (void)state;
  const char *tight = "--set sweep.budget.memory_fraction=1e-9";
  assert_int_equal(sweep("tight", CONFIG("16"), "", tight, NULL), 0);
  assert_int_equal(count_rows("tight", "status", "skipped"), 4);
  char run_id[128];
  first_field("tight", "run_id", run_id);
  char again[128];
  snprintf(again, sizeof again, "--resume %s", tight);
  assert_int_equal(sweep("tight", CONFIG("16"), "", again, NULL), 0); /* the same reason holds */
  assert_int_equal(count_rows("tight", "run_id", run_id), 4);
  assert_int_equal(sweep("tight", CONFIG("16"), "", "--resume --filter mask=full", NULL), 0);
  assert_int_equal(count_rows("tight", "status", "ok"), 2); /* the others are not of this run */
  assert_int_equal(sweep("tight", CONFIG("16"), "", "--resume", NULL), 0);
  assert_int_equal(count_rows("tight", "status", "ok"), 4);
}

/* Each of these makes a stored measurement another's; --force mixes them. */
static void rows_of_another_origin_are_refused(void **state) {
  (void)state;
  char value[128];
  char script[512];
  static const char *const columns[] = {"git_commit", "device"};
  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
    char name[32];
    char err[512];
    snprintf(name, sizeof name, "origin_%s", columns[i]);
    assert_int_equal(sweep(name, CONFIG("16"), "", "", NULL), 0);
    first_field(name, columns[i], value);
    snprintf(script, sizeof script, "s|%s|elsewhere|", value);
    edit(name, "sweep.csv", script);
    assert_int_equal(sweep(name, CONFIG("16"), "", "--resume", err), 3);
    assert_non_null(strstr(err, "\"elsewhere\""));
    assert_non_null(strstr(err, "--force"));
    assert_int_equal(count_rows(name, columns[i], "elsewhere"), 4);
    assert_int_equal(sweep(name, CONFIG("16, 8"), "", "--resume --force", NULL), 0);
    assert_int_equal(count_rows(name, NULL, NULL), 8);
    assert_int_equal(count_rows(name, columns[i], "elsewhere"), 4);
  }
}

/* Two builds of one commit with changes of their own differ in nothing but their code. */
static void rows_of_other_code_are_refused(void **state) {
  (void)state;
  char value[128];
  char script[512];
  char err[512];
  assert_int_equal(sweep("code", CONFIG("16"), "", "--filter kernel=flash", NULL), 0);
  first_field("code", "kernel_hash", value);
  snprintf(script, sizeof script, "s|%s|0123456789abcdef|", value);
  edit("code", "sweep.csv", script);
  /* What this run would not make again stays, and is looked at all the same. */
  assert_int_equal(sweep("code", CONFIG("16"), "", "--resume --filter kernel=null", err), 3);
  assert_non_null(strstr(err, "kernel flash with code"));
  assert_non_null(strstr(err, "0123456789abcdef\", not"));
  assert_non_null(strstr(err, value));
  assert_non_null(strstr(err, "--force"));
  assert_int_equal(count_rows("code", NULL, NULL), 2);
  assert_int_equal(sweep("code", CONFIG("16"), "", "--resume --force", NULL), 0);
  assert_int_equal(count_rows("code", NULL, NULL), 4);
  assert_int_equal(count_rows("code", "kernel_hash", "0123456789abcdef"), 2);
}

/* Rows that failed or were skipped measured nothing: whose they are does not matter. */
static void failures_of_another_origin_are_made_again(void **state) {
  (void)state;
  assert_int_equal(
      sweep("failed", CONFIG("16"), "BENCH_FAULT=crash@1", "--filter kernel=null", NULL), 1);
  assert_int_equal(sweep("failed", CONFIG("16"), "", "--filter kernel=null --resume", NULL), 0);
  assert_int_equal(count_rows("failed", "status", "ok"), 2);
  assert_int_equal(
      sweep("crashed", CONFIG("16"), "BENCH_FAULT=crash@1,abort@3", "--filter kernel=null", NULL),
      1);
  assert_int_equal(count_rows("crashed", "status", "crashed"), 2);
  edit("crashed", "sweep.csv", "2,$s|,cpu,[^,]*,|,cpu,elsewhere,|");
  assert_int_equal(sweep("crashed", CONFIG("16"), "", "--resume", NULL), 0);
  assert_int_equal(count_rows("crashed", "status", "ok"), 4);
}

/* A schema with a column less: refused, and read by name if told to. */
static void another_schema(void **state) {
  (void)state;
  char err[512];
  assert_int_equal(sweep("schema", CONFIG("16"), "", "", NULL), 0);
  edit("schema", "sweep.csv", "1s|,p_max,|,p_most,|");
  assert_int_equal(sweep("schema", CONFIG("16"), "", "--resume", err), 3);
  assert_non_null(strstr(err, "its header is not that of this version"));
  assert_int_equal(sweep("schema", CONFIG("16, 8"), "", "--resume --force", NULL), 0);
  assert_int_equal(count_rows("schema", NULL, NULL), 8);
  assert_int_equal(count_rows("schema", "p_max", ""), 4);
  assert_int_equal(sweep("version", CONFIG("16"), "", "", NULL), 0);
  edit("version", "sweep.csv", "2,$s|^[0-9]*,|99,|");
  assert_int_equal(sweep("version", CONFIG("16"), "", "--resume", err), 3);
  assert_non_null(strstr(err, "schema \"99\""));
  scratch_file("other.csv", "a,b\n1,2\n");
  char command[600];
  snprintf(command, sizeof command, "mkdir %s && mv %s/other.csv %s/sweep.csv", folder_of("other"),
           scratch_folder(), folder_of("other"));
  assert_int_equal(system(command), 0); /* and a file that is none of ours is never taken over */
  assert_int_equal(sweep("other", CONFIG("16"), "", "--resume --force", NULL), 3);
}

/* Starts a sweep of two sustained cases, waits until the first runs, and signals it. */
static int interrupted(const char *name, const char *signals) {
  char command[2048];
  snprintf(command, sizeof command,
           "'%s/bin/bench' sweep %s --backend cpu -o %s --set 'sweep.modes=[\"sustained\"]' "
           "--filter kernel=flash >/dev/null 2>%s.err & pid=$!; "
           "while ! [ -s %s/manifest.json ]; do sleep 0.05; done; sleep 1; %s wait $pid",
           BENCH_BINARY_DIR, scratch_file("resume.toml", CONFIG("16")), folder_of(name),
           folder_of(name), folder_of(name), signals);
  return system(command) >> 8 & 0xff;
}

static void ctrl_c_finishes_the_row(void **state) {
  (void)state;
  assert_int_equal(interrupted("once", "kill -INT $pid;"), 130);
  assert_int_equal(count_rows("once", "status", "ok"), 1);
  char path[300];
  char text[512];
  snprintf(path, sizeof path, "%s.err", folder_of("once"));
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  assert_non_null(strstr(text, "stopping after the case in hand"));
  assert_non_null(strstr(text, "1 rows in"));
  assert_int_equal(interrupted("twice", "kill -INT $pid; sleep 0.3; kill -INT $pid;"), 130);
  assert_int_equal(count_rows("twice", NULL, NULL), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_config_may_grow),
      cmocka_unit_test(a_config_may_not_shrink),
      cmocka_unit_test(the_ideal_survives_a_resume),
      cmocka_unit_test(the_burst_survives_a_resume),
      cmocka_unit_test(skipped_rows_are_made_when_their_reason_is_gone),
      cmocka_unit_test(rows_of_another_origin_are_refused),
      cmocka_unit_test(rows_of_other_code_are_refused),
      cmocka_unit_test(failures_of_another_origin_are_made_again),
      cmocka_unit_test(another_schema),
      cmocka_unit_test(ctrl_c_finishes_the_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
