/* The safetensors container: eight bytes of header length (little-endian), a JSON header that
 * gives each tensor's dtype, shape and byte range, then the data. Nothing in it is trusted: the
 * ranges must lie in the file, must cover all of the data without overlap, and must have the size
 * that dtype and shape ask for. Data need not be aligned. */
#ifndef BENCH_MODEL_SAFETENSORS_H
#define BENCH_MODEL_SAFETENSORS_H

#include <jansson.h>
#include <stddef.h>

#include "bench/attn.h"

#define BENCH_SAFETENSORS_RANK_MAX 4
#define BENCH_SAFETENSORS_NAME_MAX 256
/* A header of this size names some hundred thousand tensors; more is an attack on memory. */
#define BENCH_SAFETENSORS_HEADER_MAX (INT64_C(16) << 20)

typedef struct bench_safetensor {
  const char *name; /* printable ASCII; owned by the bench_safetensors */
  bench_dtype dtype;
  int rank;
  int64_t shape[BENCH_SAFETENSORS_RANK_MAX];
  int64_t elements;
  const unsigned char *data; /* in the bytes given to parse; of any alignment */
  int64_t begin;             /* bytes from the start of the data */
  int64_t end;
} bench_safetensor;

typedef struct bench_safetensors {
  json_t *root; /* owns the names */
  bench_safetensor *tensors;
  size_t count;
} bench_safetensors;

/* Parses a whole file held in memory, which must outlive `out`; `label` begins every message. The
 * caller frees `out`; after a failure there is nothing to free. */
bench_code bench_safetensors_parse(const char *label, const void *bytes, size_t size,
                                   bench_safetensors *out, bench_error *error);
void bench_safetensors_free(bench_safetensors *file);

/* NULL if there is none of that name. */
const bench_safetensor *bench_safetensors_find(const bench_safetensors *file, const char *name);

/* Elements [first, first + count) as float. */
void bench_safetensor_read(const bench_safetensor *tensor, int64_t first, int64_t count,
                           float *out);

#endif
