/* CSV files of one table. The table gives the header, so that no file can disagree with it. */
#include "sinks/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sinks/file.h"

struct bench_csv {
  int fd;
  const bench_table *table;
  off_t whole; /* bytes of the file up to the end of its last whole line */
  char *lines; /* rows to be written */
  size_t used;
  size_t capacity;
  bool is_short; /* there was no memory for a part of them */
  char path[4096];
};

static void put(bench_csv *csv, const char *bytes, size_t count) {
  if (csv->used + count + 1 > csv->capacity) {
    size_t capacity = (csv->used + count + 1) * 2;
    char *lines = realloc(csv->lines, capacity);
    if (lines == NULL) {
      csv->is_short = true;
      return;
    }
    csv->lines = lines;
    csv->capacity = capacity;
  }
  memcpy(csv->lines + csv->used, bytes, count);
  csv->used += count;
}

/* RFC 4180: a field with a comma, a quote or a line end is quoted, its quotes doubled. */
static void put_field(bench_csv *csv, const char *text) {
  if (strpbrk(text, ",\"\r\n") == NULL) {
    put(csv, text, strlen(text));
    return;
  }
  put(csv, "\"", 1);
  for (const char *c = text; *c != '\0'; c++) {
    put(csv, c, 1);
    if (*c == '"') {
      put(csv, c, 1);
    }
  }
  put(csv, "\"", 1);
}

static void put_header(bench_csv *csv) {
  for (size_t i = 0; i < csv->table->count; i++) {
    if (i > 0) {
      put(csv, ",", 1);
    }
    put_field(csv, csv->table->columns[i].name);
  }
  put(csv, "\n", 1);
}

/* An error of the environment, so that the run ends: what a row takes is next to nothing. */
static bench_code check_whole(const bench_csv *csv, bench_error *error) {
  return csv->is_short ? bench_fail(error, BENCH_ERR_ENV, "%s: no memory for its rows", csv->path)
                       : BENCH_OK;
}

/* The whole file with a terminator, or NULL with errno. */
static char *read_whole(int fd, size_t *bytes) {
  struct stat info;
  if (fstat(fd, &info) != 0) {
    return NULL;
  }
  char *text = malloc((size_t)info.st_size + 1);
  if (text == NULL) {
    return NULL;
  }
  size_t used = 0;
  while (used < (size_t)info.st_size) {
    ssize_t got = pread(fd, text + used, (size_t)info.st_size - used, (off_t)used);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    used += (size_t)got;
  }
  text[used] = '\0';
  *bytes = used;
  return text;
}

/* Cuts a torn last line and checks the header of a file to go on with. */
static bench_code resume_file(bench_csv *csv, bench_csv_start start, bool *has_header,
                              bench_error *error) {
  size_t bytes = 0;
  char *text = read_whole(csv->fd, &bytes);
  if (text == NULL) {
    return bench_fail(error, BENCH_ERR_ENV, "%s: cannot read: %s", csv->path, strerror(errno));
  }
  bench_code code = BENCH_OK;
  char *last = memrchr(text, '\n', bytes);
  size_t whole = last == NULL ? 0 : (size_t)(last - text) + 1;
  *has_header = whole > 0;
  if (*has_header && start == BENCH_CSV_RESUME) {
    put_header(csv);
    code = check_whole(csv, error);
    if (code == BENCH_OK && (whole < csv->used || memcmp(text, csv->lines, csv->used) != 0)) {
      code = bench_fail(error, BENCH_ERR_UNSUPPORTED,
                        "%s: its header is not that of this version; give --force to go on",
                        csv->path);
    }
    csv->used = 0;
  }
  free(text);
  csv->whole = (off_t)whole;
  if (code == BENCH_OK &&
      (ftruncate(csv->fd, csv->whole) != 0 || lseek(csv->fd, 0, SEEK_END) < 0)) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot cut: %s", csv->path, strerror(errno));
  }
  return code;
}

/* Against a second run: one that opened the file before it was replaced has no lock that counts. */
static bench_code lock(const bench_csv *csv, bench_error *error) {
  bool other = flock(csv->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (other || !bench_file_is_at(csv->fd, csv->path)) {
    return bench_fail(error, BENCH_ERR_ENV, "%s: another run is writing it", csv->path);
  }
  return BENCH_OK;
}

bench_code bench_csv_open(const char *folder, const char *name, const bench_table *table,
                          bench_csv_start start, bench_csv **out, bench_error *error) {
  bench_csv *csv = calloc(1, sizeof *csv);
  if (csv == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for %s", name);
  }
  csv->table = table;
  snprintf(csv->path, sizeof csv->path, "%s/%s", folder, name);
  csv->fd = open(csv->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  bench_code code = csv->fd < 0 ? bench_fail(error, BENCH_ERR_ENV, "%s: cannot open: %s", csv->path,
                                             strerror(errno))
                                : lock(csv, error);
  bool has_header = false;
  if (code == BENCH_OK && start != BENCH_CSV_FRESH) {
    code = resume_file(csv, start, &has_header, error);
  } else if (code == BENCH_OK && ftruncate(csv->fd, 0) != 0 && errno != EINVAL) { /* a device */
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot empty: %s", csv->path, strerror(errno));
  }
  if (code == BENCH_OK && !has_header) {
    put_header(csv);
    code = bench_csv_flush(csv, error);
  }
  if (code != BENCH_OK) {
    bench_csv_close(csv, NULL);
    return code;
  }
  *out = csv;
  return BENCH_OK;
}

static void add_line(bench_csv *csv, char *const *fields, const void *row) {
  char text[BENCH_FIELD_TEXT_MAX];
  for (size_t i = 0; i < csv->table->count; i++) {
    if (i > 0) {
      put(csv, ",", 1);
    }
    const bench_column *column = &csv->table->columns[i];
    put_field(csv, fields != NULL ? fields[i] : bench_field_format(column, row, text));
  }
  put(csv, "\n", 1);
}

void bench_csv_add(bench_csv *csv, const void *row) {
  add_line(csv, NULL, row);
}

void bench_csv_add_fields(bench_csv *csv, char *const *fields) {
  add_line(csv, fields, NULL);
}

/* One write for all that was added, so that a killed process leaves at most one torn line, the
 * last. What a failed write left behind is taken back, and what lacks a part is not written. */
bench_code bench_csv_flush(bench_csv *csv, bench_error *error) {
  bench_code code = check_whole(csv, error);
  if (code == BENCH_OK) {
    code = bench_file_write(csv->fd, csv->path, csv->lines, csv->used, error);
  }
  if (code == BENCH_OK) {
    csv->whole += (off_t)csv->used;
  } else if (ftruncate(csv->fd, csv->whole) != 0) {
    /* then --resume cuts the torn line */
  }
  csv->used = 0;
  csv->is_short = false;
  return code;
}

bench_code bench_csv_append(bench_csv *csv, const void *row, bench_error *error) {
  bench_csv_add(csv, row);
  return bench_csv_flush(csv, error);
}

bench_code bench_csv_sync(bench_csv *csv, bench_error *error) {
  return bench_file_sync(csv->fd, csv->path, error);
}

bench_code bench_csv_check_place(const bench_csv *csv, bench_error *error) {
  if (bench_file_is_at(csv->fd, csv->path)) {
    return BENCH_OK;
  }
  return bench_fail(error, BENCH_ERR_ENV,
                    "%s: is gone: removed, moved or replaced while the run was writing it",
                    csv->path);
}

bench_code bench_csv_close(bench_csv *csv, bench_error *error) {
  if (csv == NULL) {
    return BENCH_OK;
  }
  bench_code code = BENCH_OK;
  if (csv->fd >= 0 && close(csv->fd) != 0) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot close: %s", csv->path, strerror(errno));
  }
  free(csv->lines);
  free(csv);
  return code;
}
