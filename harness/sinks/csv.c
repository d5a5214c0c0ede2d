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

#include "sinks/csv_reader.h"

struct bench_csv {
  int fd;
  const bench_table *table;
  char *line; /* one row being put together */
  size_t used;
  size_t capacity;
  char path[4096];
};

static void put(bench_csv *csv, const char *bytes, size_t count) {
  if (csv->used + count + 1 > csv->capacity) {
    size_t capacity = (csv->used + count + 1) * 2;
    char *line = realloc(csv->line, capacity);
    if (line == NULL) {
      abort(); /* a few hundred bytes: the machine cannot go on */
    }
    csv->line = line;
    csv->capacity = capacity;
  }
  memcpy(csv->line + csv->used, bytes, count);
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

/* One write per line, so that a killed process leaves at most one torn line, the last. */
static bench_code write_line(bench_csv *csv, bench_error *error) {
  put(csv, "\n", 1);
  size_t done = 0;
  while (done < csv->used) {
    ssize_t written = write(csv->fd, csv->line + done, csv->used - done);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return bench_fail(error, BENCH_ERR_ENV, "%s: cannot write: %s", csv->path, strerror(errno));
    }
    done += (size_t)written;
  }
  csv->used = 0;
  return BENCH_OK;
}

static void put_header(bench_csv *csv) {
  for (size_t i = 0; i < csv->table->count; i++) {
    if (i > 0) {
      put(csv, ",", 1);
    }
    put_field(csv, csv->table->columns[i].name);
  }
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
static bench_code resume_file(bench_csv *csv, bool *has_header, bench_error *error) {
  size_t bytes = 0;
  char *text = read_whole(csv->fd, &bytes);
  if (text == NULL) {
    return bench_fail(error, BENCH_ERR_ENV, "%s: cannot read: %s", csv->path, strerror(errno));
  }
  bench_code code = BENCH_OK;
  char *last = memrchr(text, '\n', bytes);
  size_t whole = last == NULL ? 0 : (size_t)(last - text) + 1;
  *has_header = whole > 0;
  if (*has_header) {
    put_header(csv);
    put(csv, "\n", 1);
    if (whole < csv->used || memcmp(text, csv->line, csv->used) != 0) {
      code =
          bench_fail(error, BENCH_ERR_USAGE,
                     "%s: its header is not that of this version; it cannot be resumed", csv->path);
    }
    csv->used = 0;
  }
  free(text);
  if (code == BENCH_OK &&
      (ftruncate(csv->fd, (off_t)whole) != 0 || lseek(csv->fd, 0, SEEK_END) < 0)) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot cut: %s", csv->path, strerror(errno));
  }
  return code;
}

bench_code bench_csv_open(const char *folder, const char *name, const bench_table *table,
                          bool resume, bench_csv **out, bench_error *error) {
  bench_csv *csv = calloc(1, sizeof *csv);
  if (csv == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for %s", name);
  }
  csv->table = table;
  snprintf(csv->path, sizeof csv->path, "%s/%s", folder, name);
  csv->fd = open(csv->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  bench_code code = BENCH_OK;
  if (csv->fd < 0) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot open: %s", csv->path, strerror(errno));
  } else if (flock(csv->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: another run is writing it", csv->path);
  } else if (!resume && ftruncate(csv->fd, 0) != 0 && errno != EINVAL) { /* EINVAL: a device */
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot empty: %s", csv->path, strerror(errno));
  }
  bool has_header = false;
  if (code == BENCH_OK && resume) {
    code = resume_file(csv, &has_header, error);
  }
  if (code == BENCH_OK && !has_header) {
    put_header(csv);
    code = write_line(csv, error);
  }
  if (code != BENCH_OK) {
    bench_csv_close(csv, NULL);
    return code;
  }
  *out = csv;
  return BENCH_OK;
}

bench_code bench_csv_append(bench_csv *csv, const void *row, bench_error *error) {
  char text[BENCH_FIELD_TEXT_MAX];
  for (size_t i = 0; i < csv->table->count; i++) {
    if (i > 0) {
      put(csv, ",", 1);
    }
    put_field(csv, bench_field_format(&csv->table->columns[i], row, text));
  }
  return write_line(csv, error);
}

bench_code bench_csv_sync(bench_csv *csv, bench_error *error) {
  if (fdatasync(csv->fd) != 0 && errno != EINVAL && errno != EROFS) {
    return bench_fail(error, BENCH_ERR_ENV, "%s: cannot sync: %s", csv->path, strerror(errno));
  }
  return BENCH_OK;
}

bench_code bench_csv_close(bench_csv *csv, bench_error *error) {
  if (csv == NULL) {
    return BENCH_OK;
  }
  bench_code code = BENCH_OK;
  if (csv->fd >= 0 && close(csv->fd) != 0) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot close: %s", csv->path, strerror(errno));
  }
  free(csv->line);
  free(csv);
  return code;
}

static bool is_header(const bench_table *table, char *const *fields) {
  bool same = true;
  for (size_t i = 0; same && i < table->count; i++) {
    same = strcmp(fields[i], table->columns[i].name) == 0;
  }
  return same;
}

bench_code bench_csv_read(const char *folder, const char *name, const bench_table *table,
                          bench_csv_visit_fn *visit, void *context, bench_error *error) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (access(path, F_OK) != 0 && errno == ENOENT) {
    return BENCH_OK;
  }
  bench_csv_reader reader;
  bench_code code = bench_csv_reader_open(path, &reader, error);
  bool more = code == BENCH_OK;
  for (bool header = true; more; header = false) {
    code = bench_csv_reader_next(&reader, &more, error);
    if (code != BENCH_OK || !more) {
      break;
    }
    if (reader.count != table->count) {
      code = bench_fail(error, BENCH_ERR_USAGE, "%s:%zu: %zu fields where %zu are expected", path,
                        reader.line, reader.count, table->count);
    } else if (!header) {
      visit(context, reader.fields);
    } else if (!is_header(table, reader.fields)) {
      code = bench_fail(error, BENCH_ERR_USAGE, "%s: its header is not that of this version", path);
    }
    more = code == BENCH_OK;
  }
  bench_csv_reader_close(&reader);
  return code;
}

typedef struct csv_filter {
  bench_csv *to;
  bench_csv_keep_fn *keep;
  void *context;
  bench_code code;
  bench_error *error;
} csv_filter;

static void copy_if_kept(void *context, char *const *fields) {
  csv_filter *filter = context;
  if (filter->code != BENCH_OK || !filter->keep(filter->context, fields)) {
    return;
  }
  for (size_t i = 0; i < filter->to->table->count; i++) {
    if (i > 0) {
      put(filter->to, ",", 1);
    }
    put_field(filter->to, fields[i]);
  }
  filter->code = write_line(filter->to, filter->error);
}

bench_code bench_csv_filter(const char *folder, const char *name, const bench_table *table,
                            bench_csv_keep_fn *keep, void *context, bench_error *error) {
  char old_path[4096];
  char new_name[256];
  snprintf(old_path, sizeof old_path, "%s/%s", folder, name);
  snprintf(new_name, sizeof new_name, "%s.new", name);
  if (access(old_path, F_OK) != 0) {
    return BENCH_OK;
  }
  csv_filter filter = {.keep = keep, .context = context, .error = error};
  bench_code code = bench_csv_open(folder, new_name, table, false, &filter.to, error);
  if (code != BENCH_OK) {
    return code;
  }
  char new_path[4096];
  snprintf(new_path, sizeof new_path, "%s", filter.to->path);
  code = bench_csv_read(folder, name, table, copy_if_kept, &filter, error);
  code = code == BENCH_OK ? filter.code : code;
  bench_code closed = bench_csv_close(filter.to, error);
  code = code == BENCH_OK ? closed : code;
  if (code == BENCH_OK && rename(new_path, old_path) != 0) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot rename: %s", new_path, strerror(errno));
  }
  return code;
}
