/* A set of 64-bit ids: open addressing, doubled when half full. Zero-initialise before use. */
#ifndef BENCH_IDSET_H
#define BENCH_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench_idset {
  uint64_t *slots; /* 0: free */
  size_t capacity;
  size_t count;
  bool has_zero;
} bench_idset;

/* False when memory is out. *is_new tells whether the id was not there before. */
bool bench_idset_add(bench_idset *set, uint64_t id, bool *is_new);
bool bench_idset_has(const bench_idset *set, uint64_t id);
/* Is every id of `part` in `whole`? */
bool bench_idset_within(const bench_idset *part, const bench_idset *whole);
void bench_idset_free(bench_idset *set);

#endif
