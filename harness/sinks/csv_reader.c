/* RFC 4180, read in place: unquoting never makes a field longer, so each stays where it stood. */
#include "sinks/csv_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bench_code bench_csv_reader_open(const char *path, bench_csv_reader *out, bench_error *error) {
  *out = (bench_csv_reader){.path = path, .next_line = 1};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return bench_fail(error, errno == ENOENT ? BENCH_ERR_USAGE : BENCH_ERR_ENV,
                      "%s: cannot open: %s", path, strerror(errno));
  }
  struct stat info;
  if (fstat(fd, &info) == 0) {
    out->text = malloc((size_t)info.st_size + 1);
  }
  ssize_t got = out->text == NULL ? -1 : 1;
  while (got > 0 && out->bytes < (size_t)info.st_size) {
    got = read(fd, out->text + out->bytes, (size_t)info.st_size - out->bytes);
    out->bytes += got > 0 ? (size_t)got : 0;
    got = got < 0 && errno == EINTR ? 1 : got;
  }
  bench_code code = BENCH_OK;
  if (got < 0) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot read: %s", path, strerror(errno));
  } else {
    out->text[out->bytes] = '\0';
  }
  close(fd);
  return code;
}

void bench_csv_reader_close(bench_csv_reader *reader) {
  free(reader->text);
  free(reader->fields);
  *reader = (bench_csv_reader){0};
}

static bench_code malformed(const bench_csv_reader *reader, const char *what, bench_error *error) {
  return bench_fail(error, BENCH_ERR_USAGE, "%s:%zu: %s", reader->path, reader->next_line, what);
}

static bench_code add_field(bench_csv_reader *reader, char *field, bench_error *error) {
  if (reader->count == reader->capacity) {
    size_t capacity = reader->capacity == 0 ? 128 : reader->capacity * 2;
    char **fields = realloc(reader->fields, capacity * sizeof *fields);
    if (fields == NULL) {
      return bench_fail(error, BENCH_ERR_NOMEM, "no memory to read %s", reader->path);
    }
    reader->fields = fields;
    reader->capacity = capacity;
  }
  reader->fields[reader->count++] = field;
  return BENCH_OK;
}

/* Where a field ends: at a comma, or with its line. */
typedef enum field_end { END_COMMA, END_LINE, END_FILE } field_end;

/* Steps over what ends a field. */
static bench_code read_end(bench_csv_reader *reader, field_end *end, bench_error *error) {
  const char *from = reader->text + reader->at;
  *end = END_FILE;
  if (reader->at == reader->bytes || (reader->at + 1 == reader->bytes && *from == '\r')) {
    return BENCH_OK;
  }
  bool crlf = from[0] == '\r' && from[1] == '\n';
  if (*from == ',') {
    *end = END_COMMA;
  } else if (*from == '\n' || crlf) {
    *end = END_LINE;
  } else {
    return malformed(reader,
                     *from == '\r'   ? "a carriage return outside quotes"
                     : *from == '\0' ? "a NUL byte"
                     : *from == '"'  ? "a quote inside a field without quotes"
                                     : "text behind a closing quote",
                     error);
  }
  reader->at += crlf ? 2 : 1;
  return BENCH_OK;
}

/* The inside of a quoted field; `at` stands behind the opening quote. */
static bench_code read_quoted(bench_csv_reader *reader, char **end, bench_error *error) {
  char *to = reader->text + reader->at;
  size_t opened_on = reader->next_line;
  for (; reader->at < reader->bytes; reader->at++) {
    const char *from = reader->text + reader->at;
    if (*from == '"') {
      if (from[1] != '"') {
        reader->at++;
        *end = to;
        return BENCH_OK;
      }
      reader->at++;
    } else if (*from == '\0') {
      return malformed(reader, "a NUL byte", error);
    }
    reader->next_line += *from == '\n';
    *to++ = *from;
  }
  *end = to;
  if (reader->next_line == opened_on) { /* on the last line: torn */
    return BENCH_OK;
  }
  reader->next_line = opened_on;
  return malformed(reader, "a quote that is never closed", error);
}

static bench_code read_field(bench_csv_reader *reader, field_end *end, bench_error *error) {
  char *field = reader->text + reader->at;
  char *stop = field;
  bench_code code = BENCH_OK;
  if (*field == '"') {
    reader->at++;
    field++;
    code = read_quoted(reader, &stop, error);
  } else {
    reader->at += strcspn(field, ",\"\r\n"); /* or the NUL behind the text */
    stop = reader->text + reader->at;
  }
  if (code == BENCH_OK) {
    code = read_end(reader, end, error);
  }
  if (code == BENCH_OK) {
    *stop = '\0'; /* only now: it may have stood on what ends the field */
    code = add_field(reader, field, error);
  }
  return code;
}

bench_code bench_csv_reader_next(bench_csv_reader *reader, bool *more, bench_error *error) {
  reader->count = 0;
  reader->line = reader->next_line;
  *more = reader->at < reader->bytes;
  if (!*more) {
    return BENCH_OK;
  }
  field_end end = END_COMMA;
  while (end == END_COMMA) {
    bench_code code = read_field(reader, &end, error);
    if (code != BENCH_OK) {
      return code;
    }
  }
  if (end == END_FILE) {
    reader->torn = true;
    reader->at = reader->bytes;
    *more = false;
  }
  reader->next_line++;
  return BENCH_OK;
}
