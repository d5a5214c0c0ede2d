/* Token files, good and bad, each bad one with its exact message. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/model.h"
#include "model/tokens.h"
#include "scratch.h"

/* Bytes of a string literal, NULs included. */
#define BYTES(text) text, sizeof(text) - 1
#define NPY1(length) "\x93NUMPY\x01\x00" length
#define NPY2(length) "\x93NUMPY\x02\x00" length "\0\0"
#define NPY3(length) "\x93NUMPY\x03\x00" length "\0\0"
#define DICT(descr, order, shape) \
  "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }\n"

typedef struct good_file {
  const char *path;
  const char *bytes;
  size_t size;
  bool wide;
  int64_t count;
  int64_t ids[4];
} good_file;

static const good_file good_files[] = {
    {"a.txt", BYTES("Aa\xff"), false, 3, {65, 97, 255}},
    {"no-ending", BYTES("\n"), true, 1, {10}},
    {"a.bin", BYTES("\x01\x00\xff\x00"), false, 2, {1, 255}},
    {"a.bin", BYTES("\x01\x00\x00\x00\x2c\x01\x00\x00"), true, 2, {1, 300}},
    {"a.npy",
     BYTES(NPY1("\x3a\x00") DICT("<i2", "False", "(2,)") "\x01\x00\x02\x00"),
     false,
     2,
     {1, 2}},
    {"a.npy",
     BYTES(NPY1("\x3a\x00") DICT("|u1", "False", "(4,)") "\x01\x02\x03\x04"),
     false,
     4,
     {1, 2, 3, 4}},
    {"a.npy",
     BYTES(NPY2("\x3c\x00") DICT("<u2", "False", "(2, 1)") "\x01\x00\x2c\x01"),
     false,
     2,
     {1, 300}},
    {"a.npy",
     BYTES(NPY3("\x3a\x00") DICT("<i4", "False", "(1,)") "\x2c\x01\x00\x00"),
     false,
     1,
     {300}},
    {"a.npy",
     BYTES(NPY1("\x3a\x00") DICT("<u4", "False", "(1,)") "\x2c\x01\x00\x00"),
     false,
     1,
     {300}},
    {"a.npy",
     BYTES(NPY1("\x3a\x00") DICT("<i8", "False", "(1,)") "\x07\0\0\0\0\0\0\0"),
     false,
     1,
     {7}},
    {"a.npy",
     BYTES(NPY1("\x3a\x00") DICT("<u8", "False", "(1,)") "\x07\0\0\0\0\0\0\0"),
     false,
     1,
     {7}},
};

static void good(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof good_files / sizeof good_files[0]; i++) {
    const good_file *file = &good_files[i];
    bench_tokens tokens;
    bench_error error = {0};
    if (bench_tokens_parse(file->path, file->bytes, file->size, file->wide, 400, &tokens, &error) !=
        BENCH_OK) {
      fail_msg("row %zu: %s", i, error.message);
    }
    assert_int_equal(tokens.count, file->count);
    assert_memory_equal(tokens.ids, file->ids, (size_t)file->count * sizeof file->ids[0]);
    bench_tokens_free(&tokens);
  }
}

typedef struct bad_file {
  const char *path;
  const char *bytes;
  size_t size;
  const char *message;
} bad_file;

#define HEADER(length, text) BYTES("\x93NUMPY\x01\x00" length text)

static const bad_file bad_files[] = {
    {"a.txt", "", 0, "a.txt: the file is empty"},
    {"a.bin", "", 0, "a.bin: the file is empty"},
    {"a.npy", "", 0, "a.npy: the file is empty"},
    {"a.bin", BYTES("\x01\x00\x02"), "a.bin: 3 bytes are not a multiple of 2"},
    {"a.bin", BYTES("\x01\x00\x90\x01"), "a.bin: token 1 (byte 2) is 400, the vocabulary has 400"},
    {"a.npy", BYTES("\x93NUMP"), "a.npy: not a .npy file"},
    {"a.npy", BYTES("not a numpy file"), "a.npy: not a .npy file"},
    {"a.npy", BYTES("\x93NUMPY\x04\x00\x00\x00"),
     "a.npy: version 4 of .npy is not supported (1 to 3)"},
    {"a.npy", BYTES("\x93NUMPY\x01\x00\xff\xff{"),
     "a.npy: the .npy header goes beyond the end of the file"},
    {"a.npy", BYTES("\x93NUMPY\x02\x00\x00\x00"),
     "a.npy: the .npy header goes beyond the end of the file"},
    {"a.npy", BYTES("\x93NUMPY\x02\x00\xff\xff\xff\xff"),
     "a.npy: the .npy header goes beyond the end of the file"},
    {"a.npy", HEADER("\x00\x00", ""), "a.npy: '{' is expected at byte 10 of the .npy header"},
    {"a.npy", HEADER("\x02\x00", "{}"),
     "a.npy: descr, fortran_order or shape is missing at byte 12 of the .npy header"},
    {"a.npy", HEADER("\x08\x00", "{'size':"),
     "a.npy: an unknown key ends at byte 17 of the .npy header"},
    {"a.npy", HEADER("\x1e\x00", "{'descr': '<i2','descr': '<i2'"),
     "a.npy: a repeated key ends at byte 33 of the .npy header"},
    {"a.npy", HEADER("\x08\x00", "{'descr'"),
     "a.npy: ':' is expected at byte 18 of the .npy header"},
    {"a.npy", HEADER("\x0c\x00", "{'descr': '<"),
     "a.npy: a string does not end at byte 22 of the .npy header"},
    {"a.npy", HEADER("\x0f\x00", "{'descr': [('a'"),
     "a.npy: a string is expected at byte 20 of the .npy header"},
    {"a.npy", HEADER("\x3a\x00", DICT(">i2", "False", "(2,)") "\x00\x01\x00\x02"),
     "a.npy: dtype '>i2' is not supported (little-endian i2 i4 i8 u1 u2 u4 u8)"},
    {"a.npy", HEADER("\x3a\x00", DICT("<f4", "False", "(1,)") "\x00\x00\x00\x00"),
     "a.npy: dtype '<f4' is not supported (little-endian i2 i4 i8 u1 u2 u4 u8)"},
    {"a.npy", HEADER("\x3b\x00", DICT("\x1b[2J", "False", "(1,)") "\x00"),
     "a.npy: dtype '?[2J' is not supported (little-endian i2 i4 i8 u1 u2 u4 u8)"},
    {"a.npy", HEADER("\x3b\x00", DICT("<i2", "True", "(1, 2)") "\x01\x00\x02\x00"),
     "a.npy: Fortran order is not supported, save the array in C order"},
    {"a.npy", HEADER("\x36\x00", DICT("<i2", "1", "(2,)") "\x01\x00\x02\x00"),
     "a.npy: True or False is expected at byte 44 of the .npy header"},
    {"a.npy", HEADER("\x38\x00", DICT("<i2", "False", "()") "\x01\x00"),
     "a.npy: an array of 0 dimensions, 1 or 2 are supported"},
    {"a.npy", HEADER("\x3f\x00", DICT("<i2", "False", "(1, 1, 1)") "\x01\x00"),
     "a.npy: an array of 3 dimensions, 1 or 2 are supported"},
    {"a.npy", HEADER("\x3b\x00", DICT("<i2", "False", "(-1,)") "\x01\x00"),
     "a.npy: a dimension is expected at byte 61 of the .npy header"},
    {"a.npy", HEADER("\x37\x00", DICT("<i2", "False", "2") "\x01\x00"),
     "a.npy: a shape is expected at byte 60 of the .npy header"},
    {"a.npy", HEADER("\x4c\x00", DICT("<i2", "False", "(99999999999999999999,)")),
     "a.npy: a dimension exceeds 2^63 at byte 79 of the .npy header"},
    {"a.npy", HEADER("\x4e\x00", DICT("<i2", "False", "(9223372036854775807, 2)")),
     "a.npy: the product of the shape exceeds 2^63 at byte 83 of the .npy header"},
    {"a.npy", HEADER("\x4c\x00", DICT("<i2", "False", "(9223372036854775807,)")),
     "a.npy: 0 bytes of data for 9223372036854775807 integers of 2 bytes"},
    {"a.npy", HEADER("\x3a\x00", DICT("<i2", "False", "(2,)") "\x01\x00\x02"),
     "a.npy: 3 bytes of data for 2 integers of 2 bytes"},
    {"a.npy", HEADER("\x3a\x00", DICT("<i2", "False", "(2,)") "\x01\x00\x02\x00\x03"),
     "a.npy: 5 bytes of data for 2 integers of 2 bytes"},
    {"a.npy", HEADER("\x3a\x00", DICT("<i2", "False", "(0,)")), "a.npy: there are no tokens in it"},
    {"a.npy", HEADER("\x3a\x00", DICT("<i2", "False", "(2,)") "\x01\x00\xff\xff"),
     "a.npy: token 1 (byte 70) is -1, the vocabulary has 400"},
    {"a.npy", HEADER("\x3a\x00", DICT("<u8", "False", "(1,)") "\xff\xff\xff\xff\xff\xff\xff\xff"),
     "a.npy: token 0 (byte 68) is 18446744073709551615, the vocabulary has 400"},
};

static void bad(void **state) {
  (void)state;
  int faults = 0;
  for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
    const bad_file *file = &bad_files[i];
    bench_tokens tokens;
    bench_error error = {0};
    assert_int_equal(
        bench_tokens_parse(file->path, file->bytes, file->size, false, 400, &tokens, &error),
        BENCH_ERR_USAGE);
    if (strcmp(error.message, file->message) != 0) {
      print_error("row %zu:\n  expected %s\n  got      %s\n", i, file->message, error.message);
      faults++;
    }
  }
  assert_int_equal(faults, 0);
}

/* A text is bytes, and only a model of bytes can read it. */
static void text_needs_a_byte_vocabulary(void **state) {
  (void)state;
  bench_tokens tokens;
  bench_error error = {0};
  assert_int_equal(bench_tokens_parse("a.txt", "hello", 5, false, 32000, &tokens, &error),
                   BENCH_ERR_USAGE);
  assert_string_equal(error.message,
                      "a.txt: a vocabulary of 32000 tokens is not one of bytes: give the text as a "
                      ".npy or .bin token file");
  assert_int_equal(bench_tokens_parse("a.txt", "hello", 5, false, 100, &tokens, &error),
                   BENCH_ERR_USAGE);
  assert_string_equal(error.message, "a.txt: token 0 (byte 0) is 104, the vocabulary has 100");
}

/* Through the file system: the hash is of the ids, and a missing file says so. */
static void loads_files(void **state) {
  (void)state;
  const char *folder = scratch_folder();
  char path[PATH_MAX];
  char wanted[PATH_MAX + 64];
  bench_tokens first;
  bench_tokens second;
  bench_error error = {0};
  snprintf(path, sizeof path, "%s/text", folder);
  assert_int_equal(bench_tokens_load(path, false, 256, &first, &error), BENCH_ERR_USAGE);
  snprintf(wanted, sizeof wanted, "%s: No such file or directory", path);
  assert_string_equal(error.message, wanted);
  assert_int_equal(bench_tokens_load(folder, false, 256, &first, &error), BENCH_ERR_USAGE);
  for (int i = 0; i < 2; i++) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(i == 0 ? "abcdefghij" : "abcdefghik", file);
    fclose(file);
    assert_int_equal(bench_tokens_load(path, false, 256, i == 0 ? &first : &second, &error),
                     BENCH_OK);
  }
  assert_int_equal(first.count, 10);
  assert_int_equal(first.ids[9], 'j');
  assert_true(first.hash != second.hash);
  bench_tokens_free(&first);
  snprintf(path, sizeof path, "%s/ids.bin", folder); /* the second text as u16 */
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  for (const char *c = "abcdefghik"; *c != '\0'; c++) {
    fputc(*c, file);
    fputc(0, file);
  }
  fclose(file);
  assert_int_equal(bench_tokens_load(path, false, 256, &first, &error), BENCH_OK);
  assert_true(first.hash == second.hash);
  bench_tokens_free(&first);
  bench_tokens_free(&second);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good),
      cmocka_unit_test(bad),
      cmocka_unit_test(text_needs_a_byte_vocabulary),
      cmocka_unit_test(loads_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
