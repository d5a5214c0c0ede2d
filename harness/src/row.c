/* The column tables, and fields as text. */
#include "bench/row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMN_TEXT(row, name, bytes, help) \
  {#name, BENCH_TEXT, offsetof(row, name), bytes, "", help},
#define COLUMN_NUMBER(row, type, name, unit, help) \
  {#name, type, offsetof(row, name), 0, unit, help},

#define SWEEP_TEXT(name, bytes, help) COLUMN_TEXT(bench_row, name, bytes, help)
#define SWEEP_INT(name, unit, help) COLUMN_NUMBER(bench_row, BENCH_INT, name, unit, help)
#define SWEEP_REAL(name, unit, help) COLUMN_NUMBER(bench_row, BENCH_REAL, name, unit, help)
static const bench_column sweep_columns[] = {
    BENCH_SWEEP_COLUMNS(SWEEP_TEXT, SWEEP_INT, SWEEP_REAL)};

#define HEAD_TEXT(name, bytes, help) COLUMN_TEXT(bench_head_row, name, bytes, help)
#define HEAD_INT(name, unit, help) COLUMN_NUMBER(bench_head_row, BENCH_INT, name, unit, help)
#define HEAD_REAL(name, unit, help) COLUMN_NUMBER(bench_head_row, BENCH_REAL, name, unit, help)
static const bench_column head_columns[] = {BENCH_HEAD_COLUMNS(HEAD_TEXT, HEAD_INT, HEAD_REAL)};

#define SAMPLE_TEXT(name, bytes, help) COLUMN_TEXT(bench_sample_row, name, bytes, help)
#define SAMPLE_INT(name, unit, help) COLUMN_NUMBER(bench_sample_row, BENCH_INT, name, unit, help)
#define SAMPLE_REAL(name, unit, help) COLUMN_NUMBER(bench_sample_row, BENCH_REAL, name, unit, help)
static const bench_column sample_columns[] = {
    BENCH_SAMPLE_COLUMNS(SAMPLE_TEXT, SAMPLE_INT, SAMPLE_REAL)};

const bench_table bench_sweep_table = {
    sweep_columns, sizeof sweep_columns / sizeof sweep_columns[0], sizeof(bench_row)};
const bench_table bench_head_table = {head_columns, sizeof head_columns / sizeof head_columns[0],
                                      sizeof(bench_head_row)};
const bench_table bench_sample_table = {
    sample_columns, sizeof sample_columns / sizeof sample_columns[0], sizeof(bench_sample_row)};

const char *const bench_status_names[BENCH_STATUS_COUNT] = {
    "ok", "skipped", "wrong", "oom", "timeout", "crashed", "failed", "invalid"};

int bench_status_index(const char *status) {
  for (int i = 0; i < BENCH_STATUS_COUNT; i++) {
    if (strcmp(status, bench_status_names[i]) == 0) {
      return i;
    }
  }
  return -1;
}

const bench_column *bench_table_find(const bench_table *table, const char *name) {
  for (size_t i = 0; i < table->count; i++) {
    if (strcmp(table->columns[i].name, name) == 0) {
      return &table->columns[i];
    }
  }
  return NULL;
}

void bench_table_clear(const bench_table *table, void *row) {
  memset(row, 0, table->row_bytes);
  for (size_t i = 0; i < table->count; i++) {
    const bench_column *column = &table->columns[i];
    void *field = (char *)row + column->offset;
    if (column->type == BENCH_INT) {
      *(int64_t *)field = BENCH_MISSING_INT;
    } else if (column->type == BENCH_REAL) {
      *(double *)field = NAN;
    }
  }
}

/* Writes a number's decimal digits and returns their end. There are two or three numbers to a
 * sample, and snprintf would take longer than all else that becomes of it. */
static char *put_digits(uint64_t number, char *to) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) {
    *to++ = digits[--count];
  }
  *to = '\0';
  return to;
}

static void format_integer(int64_t value, char *text) {
  if (value < 0) {
    *text++ = '-';
  }
  put_digits(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, text);
}

/* Numbers of at most three decimals, which nearly all samples are, by integers alone: the shortest
 * digits are then known, and need no trial. A whole number of thousandths, divided once, is the
 * double nearest to its decimal text. */
static bool format_thousandths(double value, char *text) {
  const double thousandths = rint(1000 * fabs(value));
  if (!(thousandths < 1e15) || thousandths / 1000 != fabs(value) ||
      (value == 0 && signbit(value))) {
    return false;
  }
  const uint64_t count = (uint64_t)thousandths;
  if (value < 0) {
    *text++ = '-';
  }
  text = put_digits(count / 1000, text);
  if (count % 1000 != 0) {
    char *decimals = text;
    text = put_digits(1000 + count % 1000, text); /* the 1 keeps leading zeros, and makes way */
    *decimals = '.';
    while (text[-1] == '0') {
      *--text = '\0';
    }
  }
  return true;
}

/* The fewest digits that read back as the same number. */
static void format_real(double value, char *text) {
  if (format_thousandths(value, text)) {
    return;
  }
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, BENCH_FIELD_TEXT_MAX, "%.*g", digits, value);
    if (strtod(text, NULL) == value) {
      return;
    }
  }
}

const char *bench_field_format(const bench_column *column, const void *row,
                               char text[BENCH_FIELD_TEXT_MAX]) {
  const void *field = (const char *)row + column->offset;
  text[0] = '\0';
  if (column->type == BENCH_TEXT) {
    bench_text_copy(text, BENCH_FIELD_TEXT_MAX, field);
    for (char *c = text; *c != '\0'; c++) {
      if (*c == '\n' || *c == '\r') {
        *c = ' ';
      }
    }
  } else if (column->type == BENCH_INT) {
    int64_t value = *(const int64_t *)field;
    if (value != BENCH_MISSING_INT) {
      format_integer(value, text);
    }
  } else if (isfinite(*(const double *)field)) {
    format_real(*(const double *)field, text);
  }
  return text;
}

void bench_field_set_text(const bench_column *column, void *row, const char *value) {
  bench_text_copy((char *)row + column->offset, column->capacity, value);
}

void bench_row_parse(const bench_table *table, char *const *fields, void *row) {
  bench_table_clear(table, row);
  for (size_t i = 0; i < table->count; i++) {
    const bench_column *column = &table->columns[i];
    void *field = (char *)row + column->offset;
    char *end = fields[i];
    if (column->type == BENCH_TEXT) {
      bench_field_set_text(column, row, fields[i]);
    } else if (column->type == BENCH_INT) {
      const long long value = strtoll(fields[i], &end, 10);
      *(int64_t *)field = end == fields[i] ? BENCH_MISSING_INT : value;
    } else {
      const double value = strtod(fields[i], &end);
      *(double *)field = end == fields[i] ? NAN : value;
    }
  }
}

void bench_text_copy(char *to, size_t capacity, const char *from) {
  size_t length = strlen(from);
  if (length >= capacity) {
    length = capacity - 1;
    while (length > 0 && ((unsigned char)from[length] & 0xc0u) == 0x80u) {
      length--; /* not in the middle of a UTF-8 character */
    }
  }
  memmove(to, from, length);
  to[length] = '\0';
}
