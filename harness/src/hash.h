/* FNV-1a over text, 64 bits: for ids that stand in files and must never change. Slow, but the text
 * that is hashed can be read when two ids differ. */
#ifndef BENCH_HASH_H
#define BENCH_HASH_H

#include <stdint.h>

#define BENCH_HASH_START UINT64_C(0xcbf29ce484222325)

/* Goes on from `hash`, BENCH_HASH_START or an earlier result. */
static inline uint64_t bench_hash_text(uint64_t hash, const char *text) {
  for (const char *c = text; *c != '\0'; c++) {
    hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  }
  return hash;
}

#endif
