/* The RFC 4180 reader: what is well-formed reads as it was meant, and what is not is refused with
 * its line, whatever it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"
#include "sinks/csv_reader.h"

/* All records as one text: fields end in '|', records in '\n'; or the error's message. */
static char *read_all(const char *bytes, size_t count, bool *torn) {
  char path[256];
  snprintf(path, sizeof path, "%s/in.csv", scratch_folder());
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, count, file), count);
  assert_int_equal(fclose(file), 0);
  char *text = calloc(1, 2 * count + 4096);
  assert_non_null(text);
  bench_csv_reader reader;
  bench_error error = {0};
  bool more = true;
  assert_int_equal(bench_csv_reader_open(path, &reader, &error), BENCH_OK);
  char *end = text;
  while (more) {
    bench_code code = bench_csv_reader_next(&reader, &more, &error);
    if (code != BENCH_OK) {
      assert_int_equal(code, BENCH_ERR_USAGE);
      assert_memory_equal(error.message, path, strlen(path));
      snprintf(text, sizeof error.message, "%s", error.message + strlen(path));
      break;
    }
    for (size_t i = 0; more && i < reader.count; i++) {
      end += sprintf(end, "%s|", reader.fields[i]);
    }
    end += sprintf(end, "%s", more ? "\n" : "");
  }
  *torn = reader.torn;
  bench_csv_reader_close(&reader);
  return text;
}

static void well_formed(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    const char *records;
    bool torn;
  } cases[] = {
      {"", "", false},
      {"a\n", "a|\n", false},
      {"a,b\n1,2\n", "a|b|\n1|2|\n", false},
      {"a,b\r\n1,2\r\n", "a|b|\n1|2|\n", false},
      {",\n", "||\n", false},
      {"\n", "|\n", false},
      {"\"a,b\",\"c\"\"d\"\n", "a,b|c\"d|\n", false},
      {"\"\",\"\"\"\"\n", "|\"|\n", false},
      {"\"a\nb\",c\nd,e\n", "a\nb|c|\nd|e|\n", false},
      {"\"a\r\nb\"\r\n", "a\r\nb|\n", false},
      {"é,ü\n", "é|ü|\n", false},
      {"a,b\n1,2", "a|b|\n", true},
      {"a,b\n1,2\r", "a|b|\n", true},
      {"a,b\n1,", "a|b|\n", true},
      {"a,b\n1,\"2", "a|b|\n", true},
      {"a,b\n1,\"2\"", "a|b|\n", true},
      {"a", "", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool torn;
    char *text = read_all(cases[i].bytes, strlen(cases[i].bytes), &torn);
    assert_string_equal(text, cases[i].records);
    assert_int_equal(torn, cases[i].torn);
    free(text);
  }
}

static void malformed(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t count;
    const char *message;
  } cases[] = {
#define CASE(bytes, message) {bytes, sizeof bytes - 1, message}
      CASE("a,b\n1,\"2\n3,4\n", ":2: a quote that is never closed"),
      CASE("\"a\nb\",c\n1,\"2\n3,4\n", ":3: a quote that is never closed"),
      CASE("a\n\"b\"c\n", ":2: text behind a closing quote"),
      CASE("a\nb\"c\n", ":2: a quote inside a field without quotes"),
      CASE("a\nb\rc\n", ":2: a carriage return outside quotes"),
      CASE("a\nb\n\0\n", ":3: a NUL byte"),
      CASE("a\n\"b\0\"\n", ":2: a NUL byte"),
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool torn;
    char *text = read_all(cases[i].bytes, cases[i].count, &torn);
    assert_string_equal(text, cases[i].message);
    free(text);
  }
}

static void missing_file(void **state) {
  (void)state;
  bench_csv_reader reader;
  bench_error error = {0};
  assert_int_equal(bench_csv_reader_open("/nonexistent/x.csv", &reader, &error), BENCH_ERR_USAGE);
  assert_non_null(strstr(error.message, "/nonexistent/x.csv"));
  bench_csv_reader_close(&reader);
  assert_int_equal(bench_csv_reader_open("/", &reader, &error), BENCH_ERR_ENV);
  bench_csv_reader_close(&reader);
}

static void a_million_columns(void **state) {
  (void)state;
  enum { COLUMNS = 1000000 };
  char *bytes = malloc(COLUMNS);
  assert_non_null(bytes);
  memset(bytes, ',', COLUMNS);
  bytes[COLUMNS - 1] = '\n';
  bool torn;
  char *text = read_all(bytes, COLUMNS, &torn);
  assert_int_equal(strlen(text), COLUMNS + 1);
  free(text);
  free(bytes);
}

/* Every short text over the characters that mean something: read or refused, never a crash. */
static void every_short_text(void **state) {
  (void)state;
  static const char letters[] = {'a', ',', '"', '\n', '\r', '\0'};
  enum { LETTERS = sizeof letters, LENGTH = 4 };
  for (int code = 0; code < LETTERS * LETTERS * LETTERS * LETTERS; code++) {
    char bytes[LENGTH];
    for (int i = 0, rest = code; i < LENGTH; i++, rest /= LETTERS) {
      bytes[i] = letters[rest % LETTERS];
    }
    bool torn;
    free(read_all(bytes, LENGTH, &torn));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(well_formed),      cmocka_unit_test(malformed),
      cmocka_unit_test(missing_file),     cmocka_unit_test(a_million_columns),
      cmocka_unit_test(every_short_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
