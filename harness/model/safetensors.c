/* Parsing and reading of safetensors files; see safetensors.h. */
#include "model/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "model/json_read.h"

/* Where a fault is: "FILE: tensor NAME". */
typedef struct place {
  const char *label;
  const char *name;
  bench_error *error;
} place;

#define FAIL_AT(place_, format_, ...)                                                      \
  bench_fail((place_)->error, BENCH_ERR_USAGE, "%s: tensor %s: " format_, (place_)->label, \
             (place_)->name, __VA_ARGS__)

static bench_code parse_dtype(const place *at, const json_t *entry, bench_dtype *out) {
  static const struct {
    const char *name;
    bench_dtype dtype;
  } known[] = {{"F32", BENCH_FP32}, {"F16", BENCH_FP16}, {"BF16", BENCH_BF16}};
  const char *name = json_string_value(json_object_get(entry, "dtype"));
  if (name == NULL) {
    return FAIL_AT(at, "%s", "dtype is missing or not a string");
  }
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(name, known[i].name) == 0) {
      *out = known[i].dtype;
      return BENCH_OK;
    }
  }
  return FAIL_AT(at, "dtype %s is not supported (F32, F16, BF16)", bench_quote(name).text);
}

static bench_code parse_shape(const place *at, const json_t *entry, bench_safetensor *out) {
  const json_t *shape = json_object_get(entry, "shape");
  if (!json_is_array(shape)) {
    return FAIL_AT(at, "%s", "shape is missing or not an array");
  }
  if (json_array_size(shape) > BENCH_SAFETENSORS_RANK_MAX) {
    return FAIL_AT(at, "%zu dimensions, at most %d are supported", json_array_size(shape),
                   BENCH_SAFETENSORS_RANK_MAX);
  }
  out->rank = (int)json_array_size(shape);
  out->elements = 1;
  for (int i = 0; i < out->rank; i++) {
    const json_t *size = json_array_get(shape, (size_t)i);
    if (!json_is_integer(size) || json_integer_value(size) < 0) {
      return FAIL_AT(at, "dimension %d of the shape is %s, not a count", i,
                     bench_json_quote(size).text);
    }
    out->shape[i] = json_integer_value(size);
    if (__builtin_mul_overflow(out->elements, out->shape[i], &out->elements)) {
      return FAIL_AT(at, "%s", "the product of the shape exceeds 2^63");
    }
  }
  return BENCH_OK;
}

static bench_code parse_offsets(const place *at, const json_t *entry, int64_t data_bytes,
                                bench_safetensor *out) {
  const json_t *offsets = json_object_get(entry, "data_offsets");
  const json_t *begin = json_array_get(offsets, 0);
  const json_t *end = json_array_get(offsets, 1);
  if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end)) {
    return FAIL_AT(at, "%s", "data_offsets is missing or not two integers");
  }
  out->begin = json_integer_value(begin);
  out->end = json_integer_value(end);
  if (out->begin < 0 || out->end < out->begin) {
    return FAIL_AT(at, "data_offsets [%" PRId64 ", %" PRId64 "] are not a range", out->begin,
                   out->end);
  }
  if (out->end > data_bytes) {
    return FAIL_AT(at,
                   "data_offsets end at %" PRId64 ", the file holds %" PRId64
                   " bytes of data: is it truncated?",
                   out->end, data_bytes);
  }
  int64_t bytes;
  if (__builtin_mul_overflow(out->elements, (int64_t)bench_dtype_bytes(out->dtype), &bytes) ||
      bytes != out->end - out->begin) {
    return FAIL_AT(at, "%" PRId64 " bytes of data for %" PRId64 " elements of %zu bytes",
                   out->end - out->begin, out->elements, bench_dtype_bytes(out->dtype));
  }
  return BENCH_OK;
}

static bench_code parse_tensor(const place *at, const json_t *entry, int64_t data_bytes,
                               bench_safetensor *out) {
  if (!json_is_object(entry)) {
    return FAIL_AT(at, "%s", "its entry is not an object");
  }
  bench_code code = parse_dtype(at, entry, &out->dtype);
  if (code == BENCH_OK) {
    code = parse_shape(at, entry, out);
  }
  if (code == BENCH_OK) {
    code = parse_offsets(at, entry, data_bytes, out);
  }
  return code;
}

static bench_code check_name(const char *label, const char *name, bench_error *error) {
  size_t length = strnlen(name, BENCH_SAFETENSORS_NAME_MAX);
  if (length == 0 || length == BENCH_SAFETENSORS_NAME_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: the tensor name '%s' is %s", label,
                      bench_quote(name).text, length == 0 ? "empty" : "too long");
  }
  for (size_t i = 0; i < length; i++) {
    if (name[i] < '!' || name[i] > '~') {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "%s: the tensor name '%s' is not of printable ASCII characters", label,
                        bench_quote(name).text);
    }
  }
  return BENCH_OK;
}

static int by_begin(const void *left, const void *right) {
  const bench_safetensor *a = left;
  const bench_safetensor *b = right;
  int order = (a->begin > b->begin) - (a->begin < b->begin);
  return order != 0 ? order : (a->end > b->end) - (a->end < b->end);
}

static int by_name(const void *left, const void *right) {
  return strcmp(((const bench_safetensor *)left)->name, ((const bench_safetensor *)right)->name);
}

/* The ranges must tile the data: this is the format's rule, and it makes overlap impossible. */
static bench_code check_cover(const char *label, bench_safetensors *file, int64_t data_bytes,
                              bench_error *error) {
  qsort(file->tensors, file->count, sizeof file->tensors[0], by_begin);
  int64_t covered = 0;
  for (size_t i = 0; i < file->count; i++) {
    const bench_safetensor *tensor = &file->tensors[i];
    if (tensor->begin < covered) {
      return bench_fail(error, BENCH_ERR_USAGE, "%s: the data of tensors %s and %s overlap", label,
                        file->tensors[i - 1].name, tensor->name);
    }
    if (tensor->begin > covered) {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "%s: bytes %" PRId64 " to %" PRId64 " of the data belong to no tensor",
                        label, covered, tensor->begin);
    }
    covered = tensor->end;
  }
  if (covered != data_bytes) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: bytes %" PRId64 " to %" PRId64 " of the data belong to no tensor", label,
                      covered, data_bytes);
  }
  return BENCH_OK;
}

static bench_code parse_tensors(const char *label, const unsigned char *data, int64_t data_bytes,
                                bench_safetensors *file, bench_error *error) {
  file->tensors = calloc(json_object_size(file->root) + 1, sizeof file->tensors[0]);
  if (file->tensors == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "%s: no memory for the list of tensors", label);
  }
  const char *name;
  json_t *entry;
  json_object_foreach(file->root, name, entry) {
    if (strcmp(name, "__metadata__") == 0) {
      continue;
    }
    bench_code code = check_name(label, name, error);
    if (code != BENCH_OK) {
      return code;
    }
    bench_safetensor *tensor = &file->tensors[file->count++];
    code = parse_tensor(&(place){label, name, error}, entry, data_bytes, tensor);
    if (code != BENCH_OK) {
      return code;
    }
    tensor->name = name;
    tensor->data = data + tensor->begin;
  }
  bench_code code = check_cover(label, file, data_bytes, error);
  if (code == BENCH_OK) {
    qsort(file->tensors, file->count, sizeof file->tensors[0], by_name);
  }
  return code;
}

bench_code bench_safetensors_parse(const char *label, const void *bytes, size_t size,
                                   bench_safetensors *out, bench_error *error) {
  const unsigned char *from = bytes;
  if (size < 8) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: %zu bytes are too few for a safetensors file",
                      label, size);
  }
  uint64_t header = 0;
  for (int i = 7; i >= 0; i--) {
    header = header << 8 | from[i];
  }
  if (header > size - 8) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: a header length of %" PRIu64 " goes beyond the file's %zu bytes", label,
                      header, size);
  }
  if (header > BENCH_SAFETENSORS_HEADER_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: a header length of %" PRIu64 " exceeds the limit of %" PRId64, label,
                      header, BENCH_SAFETENSORS_HEADER_MAX);
  }
  bench_safetensors file = {0};
  bench_code code =
      bench_json_object(label, "the header", from + 8, (size_t)header, &file.root, error);
  if (code == BENCH_OK) {
    int64_t data_bytes = (int64_t)(size - 8 - (size_t)header);
    code = parse_tensors(label, from + 8 + header, data_bytes, &file, error);
  }
  if (code != BENCH_OK) {
    bench_safetensors_free(&file);
    return code;
  }
  *out = file;
  return BENCH_OK;
}

void bench_safetensors_free(bench_safetensors *file) {
  free(file->tensors);
  json_decref(file->root);
  *file = (bench_safetensors){0};
}

const bench_safetensor *bench_safetensors_find(const bench_safetensors *file, const char *name) {
  bench_safetensor key = {.name = name};
  return bsearch(&key, file->tensors, file->count, sizeof key, by_name);
}

void bench_safetensor_read(const bench_safetensor *tensor, int64_t first, int64_t count,
                           float *out) {
  uint16_t halves[1024]; /* an aligned stop for data that need not be aligned */
  const size_t width = bench_dtype_bytes(tensor->dtype);
  const unsigned char *from = tensor->data + (size_t)first * width;
  if (tensor->dtype == BENCH_FP32) {
    memcpy(out, from, (size_t)count * width);
    return;
  }
  for (int64_t done = 0; done < count;) {
    int64_t step = count - done < 1024 ? count - done : 1024;
    memcpy(halves, from + (size_t)done * width, (size_t)step * width);
    bench_to_float(tensor->dtype, halves, out + done, step);
    done += step;
  }
}
