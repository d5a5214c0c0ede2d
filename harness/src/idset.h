/* A set of 64-bit ids that counts how often each was added: open addressing, doubled when half
 * full. Zero-initialise before use. */
#ifndef BENCH_IDSET_H
#define BENCH_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench_idset_slot {
  uint64_t id; /* 0: free */
  int64_t added;
} bench_idset_slot;

typedef struct bench_idset {
  bench_idset_slot *slots;
  size_t capacity;
  size_t count;
  int64_t zero_added; /* the id 0 has no slot */
} bench_idset;

/* False when memory is out. *is_new (may be NULL) tells whether the id was not there before. */
bool bench_idset_add(bench_idset *set, uint64_t id, bool *is_new);
bool bench_idset_has(const bench_idset *set, uint64_t id);
int64_t bench_idset_added(const bench_idset *set, uint64_t id);
void bench_idset_free(bench_idset *set);

#endif
