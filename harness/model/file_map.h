/* A file's bytes, mapped read-only: nothing is copied, and the pages that nobody reads cost
 * nothing. Whatever keeps a file from being read is reported as BENCH_ERR_USAGE with the path and
 * the system's reason, because the path came from the user. */
#ifndef BENCH_MODEL_FILE_MAP_H
#define BENCH_MODEL_FILE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "bench/status.h"

typedef struct bench_file_map {
  const unsigned char *bytes; /* valid for `size` bytes; never NULL after a successful open */
  size_t size;
} bench_file_map;

/* Only regular files are mapped. After a failure there is nothing to close. */
bench_code bench_file_map_open(const char *path, bench_file_map *out, bench_error *error);
void bench_file_map_close(bench_file_map *map); /* a zeroed map is closed already */

/* A 64-bit hash of content for identities, not against an adversary: FNV-1a over 8-byte words,
 * each step folded so that high bits reach low ones. Chain several files through `hash`, starting
 * with BENCH_CONTENT_HASH_START. */
#define BENCH_CONTENT_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t bench_content_hash(uint64_t hash, const void *bytes, size_t size);

#endif
