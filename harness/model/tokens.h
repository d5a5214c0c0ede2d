/* Token files from memory: what bench_tokens_load does once the file is mapped. */
#ifndef BENCH_MODEL_TOKENS_H
#define BENCH_MODEL_TOKENS_H

#include "bench/model.h"

/* `path` chooses the format by its ending and begins messages; the file is not opened. */
bench_code bench_tokens_parse(const char *path, const void *bytes, size_t size, bool wide,
                              int64_t vocab, bench_tokens *out, bench_error *error);

#endif
