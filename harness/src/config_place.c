/* Messages with a place, and the checks of a text as text: its characters, its TOML. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/config_read.h"

enum {
  LABEL_MAX = 1000,  /* characters of the label in a message */
  TEXT_MAX = 640,    /* characters of what is wrong */
  EXCERPT_MAX = 120, /* columns of the line that is shown */
  EXCERPT_LEFT = 80, /* of which left of the caret, in a line that is longer */
  DOTS_MAX = 256,    /* on one line: bounds how deep dotted keys can nest tables */
};

static bool is_printable(unsigned char c) {
  return c >= 0x20 && c < 0x7f;
}

/* The offset of a line's first character and, in *length, how many there are before its end. */
static size_t find_line(const config_source *source, int line, size_t *length) {
  size_t begin = 0;
  for (int at = 1; at < line; at++) {
    const char *end = memchr(source->text + begin, '\n', source->bytes - begin);
    if (end == NULL) {
      break;
    }
    begin = (size_t)(end - source->text) + 1;
  }
  const char *end =
      begin < source->bytes ? memchr(source->text + begin, '\n', source->bytes - begin) : NULL;
  *length = (end == NULL ? source->bytes : (size_t)(end - source->text)) - begin;
  return begin;
}

/* Writes the line and, below it, a caret under the column. Tabs stay tabs in both, so that they
 * line up whatever a tab's width; characters that could disturb a terminal become '?'. */
static void print_excerpt(const config_source *source, int line, int column, char *out,
                          size_t capacity) {
  size_t length;
  const char *text = source->text + find_line(source, line, &length);
  size_t caret = column > 0 ? (size_t)column - 1 : 0;
  if (caret > length) {
    caret = length;
  }
  size_t begin = length > EXCERPT_MAX && caret > EXCERPT_LEFT ? caret - EXCERPT_LEFT : 0;
  size_t shown = length - begin;
  if (shown > EXCERPT_MAX) {
    shown = EXCERPT_MAX;
  }
  char line_text[EXCERPT_MAX + 1];
  char blank[EXCERPT_MAX + 1];
  for (size_t i = 0; i < shown; i++) {
    unsigned char c = (unsigned char)text[begin + i];
    line_text[i] = is_printable(c) || c == '\t' ? (char)c : '?';
  }
  line_text[shown] = '\0';
  for (size_t i = begin; i < caret; i++) {
    blank[i - begin] = text[i] == '\t' ? '\t' : ' ';
  }
  blank[caret - begin] = '\0';
  snprintf(out, capacity, "%s%s%s\n%s%s^", begin > 0 ? "..." : "", line_text,
           begin + shown < length ? "..." : "", begin > 0 ? "   " : "", blank);
}

static bench_code fault(config_reader *reader, int origin, int line, int column, const char *format,
                        va_list arguments) {
  const config_source *source = &reader->sources[origin];
  char what[TEXT_MAX];
  vsnprintf(what, sizeof what, format, arguments);
  char excerpt[2 * (EXCERPT_MAX + 8)];
  print_excerpt(source, line, column, excerpt, sizeof excerpt);
  return bench_fail(reader->error, BENCH_ERR_USAGE, "%.*s:%d:%d: %s\n%s", LABEL_MAX, source->label,
                    line, column, what, excerpt);
}

bench_code config_fault(config_reader *reader, const bench_toml *node, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  bench_code code = fault(reader, node->origin, node->line, node->column, format, arguments);
  va_end(arguments);
  return code;
}

bench_code config_fault_key(config_reader *reader, const bench_toml *node, const char *format,
                            ...) {
  va_list arguments;
  va_start(arguments, format);
  bench_code code =
      fault(reader, node->origin, node->key_line, node->key_column, format, arguments);
  va_end(arguments);
  return code;
}

bench_code config_fault_at(config_reader *reader, int origin, int line, int column,
                           const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  bench_code code = fault(reader, origin, line, column, format, arguments);
  va_end(arguments);
  return code;
}

bench_code config_no_memory(config_reader *reader) {
  return bench_fail(reader->error, BENCH_ERR_NOMEM, "no memory to read the config");
}

bench_code config_check_characters(config_reader *reader, int origin) {
  const config_source *source = &reader->sources[origin];
  int line = 1;
  int column = 1;
  int dots = 0;
  for (size_t i = 0; i < source->bytes; i++, column++) {
    unsigned char c = (unsigned char)source->text[i];
    if (c == '\r') {
      return config_fault_at(reader, origin, line, column,
                             "carriage return: lines must end in a newline alone");
    }
    if (c >= 0x80) {
      return config_fault_at(reader, origin, line, column,
                             "byte 0x%02x: a config must be plain ASCII", c);
    }
    if (!is_printable(c) && c != '\n' && c != '\t') {
      return config_fault_at(reader, origin, line, column,
                             "control character 0x%02x: only newline and tab are allowed", c);
    }
    dots += c == '.';
    if (dots > DOTS_MAX) {
      return config_fault_at(reader, origin, line, column, "more than %d dots in one line",
                             DOTS_MAX);
    }
    if (c == '\n') {
      line++;
      column = 0;
      dots = 0;
    }
  }
  return BENCH_OK;
}

static bool all_printable(const char *text, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    if (!is_printable((unsigned char)text[i])) {
      return false;
    }
  }
  return true;
}

/* Escapes such as \n or \u0000 can bring back what config_check_characters has refused. */
static bench_code check_strings(config_reader *reader, const bench_toml *node) {
  if (!all_printable(node->key, node->key_bytes)) {
    return config_fault_key(reader, node, "a key must be printable ASCII");
  }
  if (!all_printable(node->string, node->string_bytes)) {
    return config_fault(reader, node, "a string must be printable ASCII on one line");
  }
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && i < node->count; i++) {
    code = check_strings(reader, &node->item[i]);
  }
  return code;
}

bench_code config_read_text(config_reader *reader, int origin, bench_toml *root) {
  bench_code code = config_check_characters(reader, origin);
  if (code != BENCH_OK) {
    return code;
  }
  bench_toml_fault wrong;
  const config_source *source = &reader->sources[origin];
  code = bench_toml_parse(source->text, source->bytes, origin, root, &wrong);
  if (code == BENCH_ERR_NOMEM) {
    return config_no_memory(reader);
  }
  if (code != BENCH_OK) {
    const char *what = wrong.message[0] == 'E' ? wrong.message + 1 : wrong.message;
    return config_fault_at(reader, origin, wrong.line, wrong.column, "TOML syntax %s%s",
                           what != wrong.message ? "e" : "error: ", what);
  }
  code = check_strings(reader, root);
  if (code != BENCH_OK) {
    bench_toml_free(root);
  }
  return code;
}
