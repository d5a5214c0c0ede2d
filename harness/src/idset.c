/* A set of 64-bit ids. Ids are hashes already, so their low bits choose the slot. */
#include "src/idset.h"

#include <stdlib.h>

static size_t slot_of(const bench_idset *set, uint64_t id) {
  size_t slot = (size_t)id & (set->capacity - 1);
  while (set->slots[slot].id != 0 && set->slots[slot].id != id) {
    slot = (slot + 1) & (set->capacity - 1);
  }
  return slot;
}

static bool enlarge(bench_idset *set) {
  bench_idset larger = {.capacity = set->capacity == 0 ? 256 : set->capacity * 2,
                        .count = set->count,
                        .zero_added = set->zero_added};
  larger.slots = calloc(larger.capacity, sizeof *larger.slots);
  if (larger.slots == NULL) {
    return false;
  }
  for (size_t i = 0; i < set->capacity; i++) {
    if (set->slots[i].id != 0) {
      larger.slots[slot_of(&larger, set->slots[i].id)] = set->slots[i];
    }
  }
  free(set->slots);
  *set = larger;
  return true;
}

bool bench_idset_add(bench_idset *set, uint64_t id, bool *is_new) {
  if (id != 0 && 2 * (set->count + 1) > set->capacity && !enlarge(set)) {
    return false;
  }
  int64_t *added = &set->zero_added;
  if (id != 0) {
    bench_idset_slot *slot = &set->slots[slot_of(set, id)];
    set->count += slot->id == 0;
    slot->id = id;
    added = &slot->added;
  }
  (*added)++;
  if (is_new != NULL) {
    *is_new = *added == 1;
  }
  return true;
}

int64_t bench_idset_added(const bench_idset *set, uint64_t id) {
  if (id == 0) {
    return set->zero_added;
  }
  return set->capacity > 0 ? set->slots[slot_of(set, id)].added : 0;
}

bool bench_idset_has(const bench_idset *set, uint64_t id) {
  return bench_idset_added(set, id) > 0;
}

void bench_idset_free(bench_idset *set) {
  free(set->slots);
  *set = (bench_idset){0};
}
