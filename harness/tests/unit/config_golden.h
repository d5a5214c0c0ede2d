/* For the tests of configs: the golden files, NAME.toml with NAME.expected beside it, and a config
 * for --set to change. */
#ifndef BENCH_TEST_CONFIG_GOLDEN_H
#define BENCH_TEST_CONFIG_GOLDEN_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/config.h"

#define GOLDEN BENCH_SOURCE_DIR "/harness/tests/golden/config/"

static inline char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    fail_msg("%s cannot be opened", path);
  }
  static char text[1 << 16];
  size_t bytes = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[bytes] = '\0';
  return text;
}

/* NAME.expected for NAME.toml. */
static inline const char *expected_of(const char *name) {
  char path[600];
  int stem = (int)(strlen(name) - strlen(".toml"));
  snprintf(path, sizeof path, "%.*s.expected", stem, name);
  return read_text(path);
}

static inline bool ends_in_toml(const char *name) {
  size_t length = strlen(name);
  return length > 5 && strcmp(name + length - 5, ".toml") == 0;
}

/* Calls `check` for every config of a folder, in which the process then is. Returns how many. */
static inline int for_each_config(const char *folder, void (*check)(const char *name)) {
  assert_int_equal(chdir(folder), 0);
  DIR *stream = opendir(".");
  assert_non_null(stream);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
    if (ends_in_toml(entry->d_name)) {
      check(entry->d_name);
      count++;
    }
  }
  closedir(stream);
  return count;
}

static const char two_grids[] =
    "[sweep]\nname = 'two'\n[[grid]]\nseq = [8, 16]\nheads = 2\nhead_dim = 64\n"
    "[[grid]]\nmodel = 'gpt2'\nseq = [32]\n";

static inline bench_code parse_two_grids(const char *const *sets, size_t count,
                                         bench_config *config, bench_error *error) {
  return bench_config_parse("two.toml", "", two_grids, strlen(two_grids), sets, count, config,
                            error);
}

#endif
