/* Strict JSON objects from memory; see json_read.h. */
#include "model/json_read.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

bench_code bench_json_object(const char *label, const char *part, const void *bytes, size_t size,
                             json_t **out, bench_error *error) {
  json_error_t fault;
  json_t *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &fault);
  if (root == NULL) {
    bool memory = json_error_code(&fault) == json_error_out_of_memory;
    return bench_fail(error, memory ? BENCH_ERR_NOMEM : BENCH_ERR_USAGE,
                      "%s: %s is not valid JSON: %s (byte %d)", label, part,
                      bench_quote(fault.text).text, fault.position);
  }
  if (!json_is_object(root)) {
    json_decref(root);
    return bench_fail(error, BENCH_ERR_USAGE, "%s: %s is not a JSON object", label, part);
  }
  *out = root;
  return BENCH_OK;
}

bench_quoted bench_quote(const char *text) {
  bench_quoted quoted;
  size_t length = strnlen(text, sizeof quoted.text);
  size_t kept = length < sizeof quoted.text ? length : sizeof quoted.text - 4;
  for (size_t i = 0; i < kept; i++) {
    quoted.text[i] = text[i];
    if (text[i] < ' ' || text[i] > '~') {
      quoted.text[i] = '?';
    }
  }
  memcpy(quoted.text + kept, kept < length ? "..." : "", kept < length ? 4 : 1);
  return quoted;
}

bench_quoted bench_json_quote(const json_t *value) {
  if (json_is_object(value)) {
    return bench_quote("an object");
  }
  if (json_is_array(value) && json_array_size(value) > 8) {
    return bench_quote("a long array");
  }
  char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
  bench_quoted quoted = bench_quote(text != NULL ? text : "a value");
  free(text);
  return quoted;
}
