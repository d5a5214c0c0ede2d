/* bench profile: its loss is the library's, its heads.csv has every layer and head, and each way
 * to misuse it is one line and exit status 2. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/model.h"
#include "model_maker.h"
#include "run_bench.h"

#define TEXT_BYTES 250

static const made_shape shape = {2, 32, 48, 4, 2, 16, 256, true, BENCH_BF16, false};
static char text[TEXT_BYTES + 1];

static int make_checkpoint(void **state) {
  (void)state;
  made_model made;
  for (int i = 0; i < TEXT_BYTES; i++) {
    text[i] = (char)('a' + i * i % 23);
  }
  made_model_init(&shape, &made);
  made_model_write(&made, scratch_folder());
  made_model_free(&made);
  scratch_file("text", text);
  return 0;
}

static double library_loss(int64_t seq) {
  bench_model *model;
  bench_tokens tokens;
  double total = 0.0;
  assert_int_equal(bench_model_open(scratch_folder(), &model, NULL), BENCH_OK);
  assert_int_equal(bench_tokens_load(scratch_file("text", text), false, 256, &tokens, NULL),
                   BENCH_OK);
  const int64_t windows = tokens.count / seq;
  for (int64_t i = 0; i < windows; i++) {
    double loss;
    assert_int_equal(bench_model_forward(model, tokens.ids + i * seq, seq, NULL, NULL, &loss, NULL),
                     BENCH_OK);
    total += loss;
  }
  bench_tokens_free(&tokens);
  bench_model_close(model);
  return total / (double)(windows * (seq - 1));
}

static void reports_and_writes(void **state) {
  (void)state;
  const char *folder = scratch_folder();
  char out[4096];
  snprintf(out, sizeof out, "%s/out", folder);
  bench_outcome run =
      run_bench("", "profile %s --text %s/text --seq 40 --windows 2 -o %s", folder, folder, out);
  assert_int_equal(run.exit_status, 0);
  assert_string_equal(run.err, "");
  assert_non_null(strstr(run.out,
                         "windows     6 of 40 tokens, 10 tokens left over; statistics of "
                         "the first 2\n"));
  const char *loss = strstr(run.out, "loss        ");
  assert_non_null(loss);
  assert_true(fabs(strtod(loss + strlen("loss"), NULL) - library_loss(40)) < 1e-6);
  outcome_free(&run);

  result_table heads = read_table(out, "heads.csv", &bench_head_table);
  assert_int_equal(heads.rows, shape.layers * shape.heads_q);
  for (size_t i = 0; i < heads.rows; i++) {
    const double entropy_norm = strtod(table_field(&heads, i, "entropy_norm"), NULL);
    assert_string_equal(table_field(&heads, i, "rows"), "78"); /* 39 of each window */
    assert_string_equal(table_field(&heads, i, "seq_q"), "40");
    assert_true(entropy_norm > 0.0 && entropy_norm < 1.0);
  }
  table_free(&heads);

  run = run_bench("", "profile %s --text %s/text -o %s", folder, folder, out);
  assert_int_equal(run.exit_status, 2);
  assert_non_null(strstr(run.err, "the folder is not empty"));
  outcome_free(&run);
}

static void misuse(void **state) {
  (void)state;
  static const struct {
    const char *arguments; /* "@" stands for the checkpoint */
    const char *message;
  } cases[] = {
      {"", "a checkpoint folder is needed; see bench profile --help"},
      {"@", "one of --text FILE and --tokens FILE is needed; see bench profile --help"},
      {"@ --text a --tokens b.npy",
       "one of --text FILE and --tokens FILE is needed; see bench profile --help"},
      {"@ --tokens a.txt",
       "--tokens a.txt: a token file ends in .npy or .bin; see bench profile --help"},
      {"@ --text a --token-type u8",
       "--token-type u8: u16 or u32 is expected; see bench profile --help"},
      {"@ --text a --seq 0",
       "--seq 0: a count from 1 to 2^24 is expected; see bench profile --help"},
      {"@ --text a --windows 1x",
       "--windows 1x: a count from 1 to 2^24 is expected; see bench profile --help"},
      {"@ b --text a", "unexpected argument b; see bench profile --help"},
      {"/nowhere --text a", "/nowhere/config.json: No such file or directory"},
      {"@ --text /nowhere", "/nowhere: No such file or directory"},
      {"@ --text @/text --seq 251",
       "@/text: 250 tokens do not fill one window of 251 (at least 2): give a shorter --seq or a "
       "longer text"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char arguments[1024] = "";
    char expected[1024] = "bench profile: ";
    const char *const from[] = {cases[i].arguments, cases[i].message};
    char *const to[] = {arguments, expected};
    for (int part = 0; part < 2; part++) {
      for (const char *at = from[part]; *at != '\0'; at++) {
        const size_t used = strlen(to[part]);
        snprintf(to[part] + used, 1024 - used, *at == '@' ? "%s" : "%.1s",
                 *at == '@' ? scratch_folder() : at);
      }
    }
    bench_outcome run = run_bench("", "profile %s", arguments);
    expected[strlen(expected)] = '\n'; /* the buffer is zeroed beyond */
    assert_string_equal(run.err, expected);
    assert_int_equal(run.exit_status, 2);
    assert_string_equal(run.out, "");
    outcome_free(&run);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reports_and_writes),
      cmocka_unit_test(misuse),
  };
  return cmocka_run_group_tests(tests, make_checkpoint, NULL);
}
