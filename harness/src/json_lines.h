/* Lines of JSON that come through a pipe, piece by piece. */
#ifndef BENCH_JSON_LINES_H
#define BENCH_JSON_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised: nothing was read. The owner frees `buffer`. */
typedef struct bench_json_lines {
  char *buffer; /* bytes read and not yet taken */
  size_t used;
  size_t capacity;
} bench_json_lines;

typedef enum bench_json_lines_read {
  BENCH_JSON_LINES_MORE, /* something came, or a signal */
  BENCH_JSON_LINES_END,
  BENCH_JSON_LINES_TOO_LONG, /* for the protocol, or for memory */
} bench_json_lines_read;

/* Takes the first line, if all of it is there. *event is a new reference, NULL if the line is not
 * JSON. */
bool bench_json_lines_take(bench_json_lines *lines, json_t **event);

/* Reads what waits in the pipe, or waits for it. */
bench_json_lines_read bench_json_lines_fill(bench_json_lines *lines, int fd);

#endif
