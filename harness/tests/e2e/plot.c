/* bench plot on the folder of a small sweep: every figure in every form, what is left out and why,
 * and bad usage. Without gnuplot on the machine, only the latter. */
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

static const char config[] =
    "[sweep]\nname = \"plot\"\nkernels = [\"naive\", \"flash\", \"sparse\"]\nmodes = [\"warm\"]\n"
    "budget = { case_s = 0.01 }\n"
    "[[grid]]\nseq = [32, 64, 128]\nheads = [2]\nhead_dim = [16]\ndtype = [\"fp32\"]\n"
    "mask = [\"full\", \"causal\"]\n"
    "[[grid]]\nseq = [32]\nheads = [2]\nhead_dim = [16]\nlayers = [1, 3]\ndtype = [\"fp32\"]\n";

/* With what shells and gnuplot might take for more than a name. */
#define RESULT "a 'b' \"c\" `d` <e"
static char result[256];
static char quoted[256]; /* for the shell */

static int sweep_once(void **state) {
  (void)state;
  snprintf(result, sizeof result, "%s/%s", scratch_folder(), RESULT);
  snprintf(quoted, sizeof quoted, "%s/a\\ \\'b\\'\\ \\\"c\\\"\\ \\`d\\`\\ \\<e", scratch_folder());
  bench_outcome outcome = run_bench("OMP_WAIT_POLICY=passive", "sweep '%s' -o %s --backend cpu",
                                    scratch_file("plot.toml", config), quoted);
  bool done = outcome.exit_status == 0;
  outcome_free(&outcome);
  return done ? 0 : -1;
}

static void need_gnuplot(void) {
  if (system("command -v gnuplot >/dev/null") != 0) {
    print_message("no gnuplot on this machine\n");
    skip();
  }
}

/* DIR/plots/NAME whole, or NULL. The caller frees. */
static char *picture(const char *name, size_t *bytes) {
  char path[512];
  snprintf(path, sizeof path, "%s/plots/%s", result, name);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return NULL;
  }
  char *data = calloc(1, 1 << 20);
  assert_non_null(data);
  *bytes = fread(data, 1, (1 << 20) - 1, file);
  fclose(file);
  return data;
}

static const char *const drawn[] = {"throughput", "time",    "memory",  "scaling",
                                    "sparse",     "entropy", "distance"};
enum { DRAWN = sizeof drawn / sizeof drawn[0] };

static void pictures(void **state) {
  (void)state;
  need_gnuplot();
  bench_outcome outcome = run_bench("", "plot %s", quoted);
  assert_int_equal(outcome.exit_status, 0);
  size_t bytes = 0;
  for (size_t i = 0; i < DRAWN; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s.png", drawn[i]);
    assert_non_null(strstr(outcome.out, name));
    char *data = picture(name, &bytes);
    assert_non_null(data);
    assert_true(bytes > 5000);
    assert_memory_equal(data, "\x89PNG\r\n\x1a\n", 8);
    free(data);
  }
  /* Nothing but the one reason: gnuplot had nothing to warn of. */
  assert_string_equal(strchr(outcome.err, '\n'), "\n");
  assert_memory_equal(outcome.err, "bench plot: shares is not drawn: ", 33);
  assert_non_null(strstr(outcome.err, "no ok row of scope block has attention_share"));
  assert_null(picture("shares.png", &bytes));
  assert_null(picture("shares.csv", &bytes));
  outcome_free(&outcome);
}

static void vector_pictures(void **state) {
  (void)state;
  need_gnuplot();
  static const char *const texts[DRAWN][5] = {
      {"naive", "flash", "sparse", "throughput (TFLOP/s)", "roof: not measured"},
      {"naive", "flash", "sequence length (tokens)", "median time", "µs"},
      {"naive", "flash", "sequence length (tokens)", "MiB", "lines: predicted"},
      {"naive", "flash", "layers", "median time", "2 heads × 16"},
      {"naive", "sparse", "density of the mask (visible pairs / all pairs)", "fraction of ideal",
       "causal"},
      {"full", "causal", "layer", "entropy / log(visible keys)", "least to greatest head"},
      {"full", "causal", "layer", "distance |i - j| (tokens)", "without key 0"},
  };
  bench_outcome outcome = run_bench("", "plot --term svg %s", quoted);
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  for (size_t i = 0; i < DRAWN; i++) {
    char name[64];
    size_t bytes;
    snprintf(name, sizeof name, "%s.svg", drawn[i]);
    char *data = picture(name, &bytes);
    assert_non_null(data);
    assert_non_null(strstr(data, "<svg"));
    assert_non_null(strstr(data, "</svg>"));
    for (size_t t = 0; t < 5; t++) {
      if (strstr(data, texts[i][t]) == NULL) {
        fail_msg("%s does not say \"%s\"", name, texts[i][t]);
      }
    }
    free(data);
  }
}

static void on_the_terminal(void **state) {
  (void)state;
  need_gnuplot();
  bench_outcome outcome = run_bench("", "plot %s --term ascii", quoted);
  assert_int_equal(outcome.exit_status, 0);
  static const char *const texts[] = {"Attention throughput by sequence length",
                                      "Attention time by sequence length",
                                      "Memory by sequence length",
                                      "Attention time by layers",
                                      "Fraction of the ideal speed-up",
                                      "Attention entropy by layer",
                                      "Mean attention distance by layer",
                                      "naive",
                                      "flash",
                                      "sequence length (tokens)",
                                      "2 heads x 16",
                                      "roof: not measured"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (strstr(outcome.out, texts[i]) == NULL) {
      fail_msg("the pictures do not say \"%s\"", texts[i]);
    }
  }
  size_t width = 0;
  for (const char *c = outcome.out; *c != '\0'; c++) { /* no terminal: 79 columns, and ASCII */
    width = *c == '\n' ? 0 : width + 1;
    assert_true(width <= 79);
    assert_true((unsigned char)*c < 0x80 && (*c >= ' ' || *c == '\n'));
  }
  outcome_free(&outcome);
}

/* The columns may stand in any order, and more may be there; a script draws by hand what is left
 * from before. */
static void columns_by_name(void **state) {
  (void)state;
  need_gnuplot();
  char folder[256];
  char command[1024];
  snprintf(folder, sizeof folder, "%s/names", scratch_folder());
  assert_int_equal(mkdir(folder, 0777), 0);
  scratch_file("names/sweep.csv",
               "new,tflops,seq_kv,seq_q,kernel,status\n"
               "x,0.5,64,64,flash,ok\nx,0.25,128,128,mine,ok\n");
  bench_outcome outcome = run_bench("", "plot '%s' --term svg", folder);
  assert_int_equal(outcome.exit_status, 0);
  assert_non_null(strstr(outcome.out, "throughput.svg"));
  assert_non_null(strstr(outcome.err, "time is not drawn"));
  assert_null(strstr(outcome.err, "warning"));
  outcome_free(&outcome);
  snprintf(command, sizeof command,
           "gnuplot -d -e \"dir='%s'\" '%s/plots/throughput.gp' && "
           "test -s '%s/plots/throughput.png' && grep -q mine '%s/plots/throughput.svg'",
           folder, BENCH_SOURCE_DIR, folder, folder);
  assert_int_equal(system(command), 0);
}

static void expect(const char *environment, const char *arguments, int status, const char *says) {
  bench_outcome outcome = run_bench(environment, "%s", arguments);
  if (outcome.exit_status != status || strstr(outcome.err, says) == NULL) {
    fail_msg("bench %s: exit %d, \"%s\"", arguments, outcome.exit_status, outcome.err);
  }
  assert_string_equal(outcome.out, "");
  outcome_free(&outcome);
}

static void bad_usage(void **state) {
  (void)state;
  char arguments[512];
  expect("", "plot", 2, "a result folder is needed");
  expect("", "plot a b", 2, "one result folder is expected");
  expect("", "plot --term pdf x", 2, "--term pdf: expected png, svg or ascii");
  expect("", "plot --term", 2, "option --term needs a value");
  expect("", "plot --colour x", 2, "unknown option --colour");
  expect("", "plot /nonexistent", 2, "/nonexistent: there is no such folder");
  snprintf(arguments, sizeof arguments, "%s/empty", scratch_folder());
  assert_int_equal(mkdir(arguments, 0777), 0);
  snprintf(arguments, sizeof arguments, "plot '%s/empty'", scratch_folder());
  expect("", arguments, 2, "there is no sweep.csv in this folder");
  scratch_file("empty/sweep.csv", "status,kernel\nok,\"flash\nok,flash\n");
  expect("", arguments, 2, "empty/sweep.csv:2: a quote that is never closed");
  scratch_file("empty/sweep.csv", "status,kernel\nok,flash,3\n");
  expect("", arguments, 2, "empty/sweep.csv:2: 3 fields where the header has 2");
  scratch_file("empty/sweep.csv", "");
  expect("", arguments, 2, "empty/sweep.csv: it has no header line");
  scratch_file("empty/sweep.csv", "status,kernel,seq_kv,tflops\nok,flash,64,1\nok,flash,128");
  expect("PATH=/nonexistent", arguments, 4, "the package gnuplot-nox");
  expect("PATH=/nonexistent", arguments, 4, "its last line does not end; it is left out");
}

/* A gnuplot that fails leaves no picture, and its message is seen. */
static void gnuplot_fails(void **state) {
  (void)state;
  char path[256];
  char arguments[320];
  snprintf(path, sizeof path, "%s/fails", scratch_folder());
  assert_int_equal(mkdir(path, 0777), 0);
  scratch_file("fails/sweep.csv", "status,kernel,seq_kv,tflops\nok,flash,64,1\n");
  assert_int_equal(
      chmod(scratch_file("fails/gnuplot", "#!/bin/sh\necho broken >&2\nexit 3\n"), 0755), 0);
  snprintf(arguments, sizeof arguments, "plot '%s'", path);
  char environment[320];
  snprintf(environment, sizeof environment, "PATH='%s'", path);
  expect(environment, arguments, 1, "broken");
  expect(environment, arguments, 1, "gnuplot failed in ");
  char left[320];
  snprintf(left, sizeof left, "%s/plots/throughput.png", path);
  assert_int_equal(access(left, F_OK), -1);
}

static void help(void **state) {
  (void)state;
  bench_outcome outcome = run_bench("", "plot --help");
  assert_int_equal(outcome.exit_status, 0);
  assert_non_null(strstr(outcome.out, "example: bench plot "));
  for (size_t i = 0; i < DRAWN; i++) {
    assert_non_null(strstr(outcome.out, drawn[i]));
  }
  outcome_free(&outcome);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures),
      cmocka_unit_test(vector_pictures),
      cmocka_unit_test(on_the_terminal),
      cmocka_unit_test(columns_by_name),
      cmocka_unit_test(bad_usage),
      cmocka_unit_test(gnuplot_fails),
      cmocka_unit_test(help),
  };
  return cmocka_run_group_tests(tests, sweep_once, NULL);
}
