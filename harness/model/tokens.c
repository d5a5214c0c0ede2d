/* Token files: .npy, .bin, or bytes. Every id is checked against the vocabulary here, so that the
 * forward pass can index by it. */
#include "model/tokens.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/file_map.h"
#include "model/npy.h"

/* A model with more tokens than this does not read bytes: its byte ids would be other tokens. */
#define BYTE_VOCAB_MAX 512

static bool ends_with(const char *path, const char *ending) {
  size_t length = strlen(path);
  size_t tail = strlen(ending);
  return length >= tail && strcmp(path + length - tail, ending) == 0;
}

/* Where the integers are and what they look like, whatever the format. */
static bench_code layout(const char *path, const void *bytes, size_t size, bool wide, int64_t vocab,
                         bench_npy *out, bench_error *error) {
  if (size == 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: the file is empty", path);
  }
  if (ends_with(path, ".npy")) {
    return bench_npy_parse(path, bytes, size, out, error);
  }
  *out = (bench_npy){.width = 1};
  if (ends_with(path, ".bin")) {
    out->width = wide ? 4 : 2;
  } else if (vocab > BYTE_VOCAB_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: a vocabulary of %" PRId64
                      " tokens is not one of bytes: give the text as a .npy or .bin token file",
                      path, vocab);
  }
  if (size % (size_t)out->width != 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: %zu bytes are not a multiple of %d", path, size,
                      out->width);
  }
  out->elements = (int64_t)(size / (size_t)out->width);
  return BENCH_OK;
}

/* One little-endian integer; the sign is extended by hand, so that the machine's order is moot. */
static uint64_t integer_at(const unsigned char *bytes, const bench_npy *form) {
  uint64_t value = 0;
  for (int i = form->width - 1; i >= 0; i--) {
    value = value << 8 | bytes[i];
  }
  if (form->is_signed && form->width < 8 && value >> (8 * form->width - 1) != 0) {
    value |= UINT64_MAX << (8 * form->width);
  }
  return value;
}

bench_code bench_tokens_parse(const char *path, const void *bytes, size_t size, bool wide,
                              int64_t vocab, bench_tokens *out, bench_error *error) {
  bench_npy form;
  bench_code code = layout(path, bytes, size, wide, vocab, &form, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (form.elements == 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: there are no tokens in it", path);
  }
  int64_t *ids = malloc((size_t)form.elements * sizeof *ids);
  if (ids == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "%s: no memory for %" PRId64 " tokens", path,
                      form.elements);
  }
  for (int64_t i = 0; i < form.elements; i++) {
    size_t offset = form.data + (size_t)i * (size_t)form.width;
    uint64_t id = integer_at((const unsigned char *)bytes + offset, &form);
    if (id >= (uint64_t)vocab) {
      free(ids);
      return bench_fail(error, BENCH_ERR_USAGE,
                        form.is_signed ? "%s: token %" PRId64 " (byte %zu) is %" PRId64
                                         ", the vocabulary has %" PRId64
                                       : "%s: token %" PRId64 " (byte %zu) is %" PRIu64
                                         ", the vocabulary has %" PRId64,
                        path, i, offset, id, vocab);
    }
    ids[i] = (int64_t)id;
  }
  const size_t id_bytes = (size_t)form.elements * sizeof *ids;
  *out = (bench_tokens){ids, form.elements,
                        bench_content_hash(BENCH_CONTENT_HASH_START, ids, id_bytes)};
  return BENCH_OK;
}

bench_code bench_tokens_load(const char *path, bool wide, int64_t vocab, bench_tokens *out,
                             bench_error *error) {
  bench_file_map file;
  bench_code code = bench_file_map_open(path, &file, error);
  if (code == BENCH_OK) {
    code = bench_tokens_parse(path, file.bytes, file.size, wide, vocab, out, error);
    bench_file_map_close(&file);
  }
  return code;
}

void bench_model_text_path(const char *folder, const char *text, char path[4096]) {
  if (text != NULL) {
    snprintf(path, 4096, "%s", text);
  } else {
    snprintf(path, 4096, "%s/heldout.txt", folder);
  }
}

void bench_tokens_free(bench_tokens *tokens) {
  free(tokens->ids);
  *tokens = (bench_tokens){0};
}
