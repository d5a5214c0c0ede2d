/* A set of 64-bit ids. Ids are hashes already, so their low bits choose the slot. */
#include "src/idset.h"

#include <stdlib.h>

static size_t slot_of(const bench_idset *set, uint64_t id) {
  size_t slot = (size_t)id & (set->capacity - 1);
  while (set->slots[slot] != 0 && set->slots[slot] != id) {
    slot = (slot + 1) & (set->capacity - 1);
  }
  return slot;
}

static bool enlarge(bench_idset *set) {
  bench_idset larger = {.capacity = set->capacity == 0 ? 256 : set->capacity * 2};
  larger.slots = calloc(larger.capacity, sizeof *larger.slots);
  if (larger.slots == NULL) {
    return false;
  }
  for (size_t i = 0; i < set->capacity; i++) {
    if (set->slots[i] != 0) {
      larger.slots[slot_of(&larger, set->slots[i])] = set->slots[i];
    }
  }
  larger.count = set->count;
  larger.has_zero = set->has_zero;
  free(set->slots);
  *set = larger;
  return true;
}

bool bench_idset_add(bench_idset *set, uint64_t id, bool *is_new) {
  if (id == 0) {
    *is_new = !set->has_zero;
    set->has_zero = true;
    return true;
  }
  if (2 * (set->count + 1) > set->capacity && !enlarge(set)) {
    return false;
  }
  size_t slot = slot_of(set, id);
  *is_new = set->slots[slot] == 0;
  set->slots[slot] = id;
  set->count += *is_new;
  return true;
}

bool bench_idset_has(const bench_idset *set, uint64_t id) {
  if (id == 0) {
    return set->has_zero;
  }
  return set->capacity > 0 && set->slots[slot_of(set, id)] == id;
}

bool bench_idset_within(const bench_idset *part, const bench_idset *whole) {
  bool within = !part->has_zero || whole->has_zero;
  for (size_t i = 0; within && i < part->capacity; i++) {
    within = part->slots[i] == 0 || bench_idset_has(whole, part->slots[i]);
  }
  return within;
}

void bench_idset_free(bench_idset *set) {
  free(set->slots);
  *set = (bench_idset){0};
}
