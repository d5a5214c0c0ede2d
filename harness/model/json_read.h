/* What config.json and the safetensors header share: strict JSON from memory, and untrusted text
 * made fit for a message. */
#ifndef BENCH_MODEL_JSON_READ_H
#define BENCH_MODEL_JSON_READ_H

#include <jansson.h>
#include <stddef.h>

#include "bench/status.h"

/* Parses one JSON object. Duplicate keys, NUL characters, deep nesting (2048) and anything after
 * the object are errors; `label` and `part` ("the header") begin the message. The caller releases
 * `out` with json_decref. */
bench_code bench_json_object(const char *label, const char *part, const void *bytes, size_t size,
                             json_t **out, bench_error *error);

/* A copy for messages: at most 63 bytes, what is not printable ASCII becomes '?', what does not
 * fit ends in "...". */
typedef struct bench_quoted {
  char text[64];
} bench_quoted;
bench_quoted bench_quote(const char *text);

/* How a message names a value: its text if it is short, else its type. */
bench_quoted bench_json_quote(const json_t *value);

#endif
