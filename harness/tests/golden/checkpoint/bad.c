/* Every row of bad_table.c, and every way a file can be missing or be something else, is refused
 * with exactly its message; nothing crashes or leaks on the way (run with the sanitizers). */
#include <limits.h>
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

#include "bad_table.h"
#include "bench/model.h"
#include "scratch.h"

static const char *folder; /* scratch_folder() */

static void apply(const bad_checkpoint *row, made_model *made) {
  if (row->tree == NULL) {
    row->mutate(made);
    return;
  }
  json_t *tree = strcmp(row->tree, CONFIG) == 0   ? made->config
                 : strcmp(row->tree, HEADER) == 0 ? made->header
                                                  : json_object_get(made->header, row->tree);
  assert_non_null(tree);
  if (row->value == NULL) {
    assert_int_equal(json_object_del(tree, row->key), 0);
  } else {
    json_t *value = json_loads(row->value, JSON_DECODE_ANY, NULL);
    assert_int_equal(json_object_set_new(tree, row->key, value), 0);
  }
}

/* The message of opening `path`, with the test's folder as "@". */
static void message_of(const char *path, char message[sizeof((bench_error *)0)->message]) {
  bench_model *model;
  bench_error error = {0};
  const bench_code code = bench_model_open(path, &model, &error);
  if (code == BENCH_OK) {
    bench_model_close(model);
    fail_msg("%s: opened without an error", path);
  }
  assert_int_equal(code, BENCH_ERR_USAGE);
  assert_int_equal(error.code, BENCH_ERR_USAGE);
  assert_memory_equal(error.message, folder, strlen(folder));
  snprintf(message, sizeof error.message, "@%s", error.message + strlen(folder));
}

static void every_row(void **state) {
  (void)state;
  int faults = 0;
  for (size_t i = 0; i < bad_checkpoint_count; i++) {
    made_model made;
    char message[sizeof((bench_error *)0)->message];
    made_model_init(&bad_base, &made);
    apply(&bad_checkpoints[i], &made);
    made_model_write(&made, folder);
    made_model_free(&made);
    message_of(folder, message);
    if (strcmp(message, bad_checkpoints[i].message) != 0) {
      print_error("%s:\n  expected %s\n  got      %s\n", bad_checkpoints[i].name,
                  bad_checkpoints[i].message, message);
      faults++;
    }
  }
  assert_int_equal(faults, 0);
}

static void check_path(const char *path, const char *expected) {
  char message[sizeof((bench_error *)0)->message];
  message_of(path, message);
  assert_string_equal(message, expected);
}

static void in_folder(char path[PATH_MAX], const char *name) {
  snprintf(path, PATH_MAX, "%s/%s", folder, name);
}

/* Files that are missing, are something else, or cannot be read. */
static void bad_files(void **state) {
  (void)state;
  char path[PATH_MAX];
  made_model made;
  made_model_init(&bad_base, &made);
  made_model_write(&made, folder);
  in_folder(path, "nowhere");
  check_path(path, "@/nowhere/config.json: No such file or directory");
  in_folder(path, "config.json");
  check_path(path, "@/config.json/config.json: Not a directory");

  in_folder(path, "model.safetensors");
  unlink(path);
  check_path(folder, IN_FILE "No such file or directory");
  made_file_write(folder, "model.safetensors.index.json", "{}", 2);
  check_path(folder,
             "@: a sharded checkpoint (model.safetensors.index.json) is not supported: "
             "merge it into one model.safetensors");
  mkdir(path, 0700);
  check_path(folder, IN_FILE "is a directory");
  rmdir(path);
  mkfifo(path, 0600);
  check_path(folder, IN_FILE "is not a regular file");
  unlink(path);
  assert_int_equal(symlink("model.safetensors", path), 0);
  in_folder(path, "model.safetensors.index.json");
  unlink(path);
  check_path(folder, IN_FILE "Too many levels of symbolic links");
  in_folder(path, "model.safetensors");
  unlink(path);
  made_file_write(folder, "model.safetensors", "", 0);
  check_path(folder, IN_FILE "0 bytes are too few for a safetensors file");
  if (geteuid() != 0) { /* root reads everything */
    chmod(path, 0);
    check_path(folder, IN_FILE "Permission denied");
  }
  unlink(path);
  made_model_free(&made);
}

/* The rows above would prove nothing if the unchanged checkpoint were refused too. */
static void the_good_one(void **state) {
  (void)state;
  made_model made;
  bench_model *model;
  made_model_init(&bad_base, &made);
  made_model_write(&made, folder);
  assert_int_equal(made.data_bytes, BAD_BASE_DATA_BYTES);
  assert_int_equal(bench_model_open(folder, &model, NULL), BENCH_OK);
  bench_model_close(model);
  made_model_free(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_good_one),
      cmocka_unit_test(every_row),
      cmocka_unit_test(bad_files),
  };
  folder = scratch_folder();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
