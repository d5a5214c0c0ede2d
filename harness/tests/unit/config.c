/* Configs that must be refused: every one of golden/config/bad with the exact message beside it,
 * bad --set, files that cannot be read, texts too long for a message. */
#include <stdlib.h>
#include <sys/stat.h>

#include "config_golden.h"

static void check_refused(const char *name) {
  bench_config config;
  bench_error error;
  if (bench_config_load(name, NULL, 0, &config, &error) == BENCH_OK) {
    bench_config_free(&config);
    fail_msg("%s loads, though it is bad", name);
  }
  assert_int_equal(error.code, BENCH_ERR_USAGE);
  char message[sizeof error.message + 1];
  snprintf(message, sizeof message, "%s\n", error.message);
  assert_string_equal(message, expected_of(name));
  assert_int_equal(bench_config_load(name, NULL, 0, &config, NULL), BENCH_ERR_USAGE);
}

static void bad_configs_are_refused(void **state) {
  (void)state;
  assert_true(for_each_config(GOLDEN "bad", check_refused) >= 45);
}

static void bad_sets_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *set;
    const char *message;
  } cases[] = {
      {"sweep.name",
       "1:11: --set takes KEY=VALUE with a dotted key, as in sweep.name=x\n"
       "sweep.name\n          ^"},
      {"", "1:1: --set takes KEY=VALUE with a dotted key, as in sweep.name=x\n\n^"},
      {"=1", "1:1: --set takes KEY=VALUE with a dotted key, as in sweep.name=x\n=1\n^"},
      {"[sweep]=1",
       "1:1: --set takes KEY=VALUE with a dotted key, as in sweep.name=x\n[sweep]=1\n^"},
      {"sweep.name=",
       "1:12: TOML syntax error while parsing key-value pair: encountered end-of-file\n"
       "sweep.name=\n           ^"},
      {"sweep..name=x",
       "1:7: TOML syntax error while parsing key: expected bare key starting character or string "
       "delimiter, saw '.'\nsweep..name=x\n      ^"},
      {"sweep.name=a/b",
       "1:12: name must be 1 to 63 letters, digits, '.', '_' or '-', and begin with a letter or "
       "digit\nsweep.name=a/b\n           ^"},
      {"sweep.nme=x",
       "1:7: unknown key \"nme\" in [sweep]; did you mean \"name\"?\n"
       "sweep.nme=x\n      ^"},
      {"grid.seq=[0]",
       "1:11: seq must be between 1 and 16777216, not 0\ngrid.seq=[0]\n          ^"},
      {"grid.seq=long",
       "1:10: seq must be an integer or a list of such, not a string\n"
       "grid.seq=long\n         ^"},
      {"grid.seq_q=4",
       "1:6: seq_q and seq exclude each other in one grid\n"
       "grid.seq_q=4\n     ^"},
      {"grid.kv_heads=5",
       "1:15: heads = 2 is not a multiple of kv_heads = 5\n"
       "grid.kv_heads=5\n              ^"},
      {"grid=[{seq=1}]",
       "1:6: name one key of the grids, as in grid.seq=[64]\ngrid=[{seq=1}]\n     ^"},
      {"grid.input=model:x",
       "two.toml:5:1: heads cannot be given where the input is a checkpoint, which fixes it\n"
       "heads = 2\n^"},
      {"sweep.budget.case_s=nan",
       "1:21: case_s must be above 0 and at most 1000000, not nan\n"
       "sweep.budget.case_s=nan\n                    ^"},
      {"sweep.name=a\nb", "1:13: --set takes one line\nsweep.name=a\n            ^"},
      {"sweep.name=\x1b[31m",
       "1:12: control character 0x1b: only newline and tab are allowed\n"
       "sweep.name=?[31m\n           ^"},
      {"input.seed=1 2",
       "1:14: TOML syntax error while parsing key-value pair: expected a comment "
       "or whitespace, saw '2'\ninput.seed=1 2\n             ^"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bench_config config;
    bench_error error;
    const char *sets[] = {"sweep.name=first", cases[i].set};
    if (parse_two_grids(sets, 2, &config, &error) == BENCH_OK) {
      bench_config_free(&config);
      fail_msg("--set %s is taken, though it is bad", cases[i].set);
    }
    char expected[1024];
    const bool in_file = strncmp(cases[i].message, "two.toml", 8) == 0;
    snprintf(expected, sizeof expected, "%s%s%s%s", in_file ? "" : "--set ",
             in_file ? "" : cases[i].set, in_file ? "" : ":", cases[i].message);
    for (char *c = expected; c < expected + strlen("--set ") + strlen(cases[i].set); c++) {
      *c = !in_file && (*c == '\n' || *c == '\x1b') ? '?' : *c; /* in the label */
    }
    assert_string_equal(error.message, expected);
  }
}

static void expect_message(const char *path, const char *message) {
  bench_config config;
  bench_error error;
  assert_int_equal(bench_config_load(path, NULL, 0, &config, &error), BENCH_ERR_USAGE);
  char expected[512];
  snprintf(expected, sizeof expected, "%s: %s", path, message);
  assert_string_equal(error.message, expected);
}

static void unreadable_files_say_why(void **state) {
  (void)state;
  assert_int_equal(chdir(BENCH_BINARY_DIR), 0);
  expect_message("no-such.toml", "cannot be opened: No such file or directory");
  expect_message(".", "cannot be read: Is a directory");
  FILE *file = fopen("config-large.toml", "wb");
  assert_non_null(file);
  for (int i = 0; i < (1 << 20); i++) {
    fputc('\n', file);
  }
  fclose(file);
  expect_message("config-large.toml", "there is no [[grid]], so nothing to measure");
  file = fopen("config-large.toml", "ab");
  fputc('\n', file);
  fclose(file);
  expect_message("config-large.toml", "a config may have 1048576 bytes, this one has more");
  if (geteuid() != 0) { /* root reads whatever it likes */
    assert_int_equal(chmod("config-large.toml", 0), 0);
    expect_message("config-large.toml", "cannot be opened: Permission denied");
  }
  unlink("config-large.toml");
}

/* A message has room for its caret however long the label and the names in it are. */
static void long_texts_are_cut(void **state) {
  (void)state;
  static char label[5000];
  memset(label, 'x', sizeof label - 1);
  static char text[9000] = "[sweep]\n";
  memset(text + 8, 'y', sizeof text - 16);
  memcpy(text + sizeof text - 8, " = 1\n", 6);
  bench_config config;
  bench_error error;
  assert_int_equal(bench_config_parse(label, "", text, strlen(text), NULL, 0, &config, &error),
                   BENCH_ERR_USAGE);
  assert_true(strlen(error.message) < sizeof error.message - 1);
  assert_string_equal(error.message + strlen(error.message) - 6, "y...\n^");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_configs_are_refused),
      cmocka_unit_test(bad_sets_are_refused),
      cmocka_unit_test(unreadable_files_say_why),
      cmocka_unit_test(long_texts_are_cut),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
