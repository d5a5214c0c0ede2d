#include "src/json_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No line of the protocol is as long: heads of the largest models are a line each. */
#define LINE_MAX_BYTES ((size_t)64 << 20)
#define PIECE_BYTES 65536

bool bench_json_lines_take(bench_json_lines *lines, json_t **event) {
  const char *end = lines->used > 0 ? memchr(lines->buffer, '\n', lines->used) : NULL;
  if (end == NULL) {
    return false;
  }
  const size_t length = (size_t)(end - lines->buffer);
  *event = json_loadb(lines->buffer, length, 0, NULL);
  lines->used -= length + 1;
  memmove(lines->buffer, end + 1, lines->used);
  return true;
}

static bool make_room(bench_json_lines *lines) {
  if (lines->capacity - lines->used >= PIECE_BYTES) {
    return true;
  }
  const size_t capacity = lines->capacity == 0 ? 2 * PIECE_BYTES : lines->capacity * 2;
  char *buffer = capacity <= LINE_MAX_BYTES ? realloc(lines->buffer, capacity) : NULL;
  if (buffer == NULL) {
    return false;
  }
  lines->buffer = buffer;
  lines->capacity = capacity;
  return true;
}

bench_json_lines_read bench_json_lines_fill(bench_json_lines *lines, int fd) {
  if (!make_room(lines)) {
    return BENCH_JSON_LINES_TOO_LONG;
  }
  const ssize_t got = read(fd, lines->buffer + lines->used, lines->capacity - lines->used);
  if (got < 0 && errno == EINTR) {
    return BENCH_JSON_LINES_MORE;
  }
  lines->used += got > 0 ? (size_t)got : 0;
  return got > 0 ? BENCH_JSON_LINES_MORE : BENCH_JSON_LINES_END;
}
