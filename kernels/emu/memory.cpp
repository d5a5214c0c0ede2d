/* Ordinary, atomic and ordered accesses through operations, and the device's memory. */
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "emu/internal.h"
#include "emu/sanitizer.h"
#include "emu/sm80.h"

namespace emu {

namespace {

struct Mapping {
  size_t bytes;
  size_t asked;
};

/* By where the user's bytes begin. */
std::map<const unsigned char *, Mapping> mappings;

/* The one that was asked for last. */
const unsigned char *latest;
size_t latest_bytes;

/* All that was ever given lies between these two. */
const unsigned char *lowest = reinterpret_cast<const unsigned char *>(UINTPTR_MAX);
const unsigned char *highest;

constexpr size_t MEMORY_ALIGNMENT = 256;

std::string value_text(const void *what) {
  uint32_t value;
  memcpy(&value, what, sizeof value);
  return "the value is " + std::to_string(value);
}

}  // namespace

static void check_aligned(const void *pointer, size_t alignment, const char *operation, Site at) {
  if (reinterpret_cast<uintptr_t>(pointer) % alignment != 0) {
    fail(at, "%s: %p is not aligned to %zu bytes", operation, pointer, alignment);
  }
}

void shared_read(smem_addr from, void *to, uint32_t bytes, const char *operation, Site at) {
  self->last = at;
  const SharedPlace place = shared_at(from, bytes, bytes, operation, at);
  check_read(*self, *place.block, place.offset, bytes, operation, at);
  race_read(*self, *place.block, place.offset, bytes, at);
  memcpy(to, place.bytes, bytes);
}

void shared_write(smem_addr to, const void *from, uint32_t bytes, const char *operation, Site at) {
  self->last = at;
  const SharedPlace place = shared_at(to, bytes, bytes, operation, at);
  check_write(*self, *place.block, place.offset, bytes, operation, at);
  race_write(*self, *place.block, place.offset, bytes, at);
  memcpy(place.bytes, from, bytes);
}

void fence_device(Site at) {
  if (site("fence_device", at)) {
    clock_fence_device(*self);
  }
}

/* A read in a loop waits for another thread: the others come first. */
uint32_t load_acquire(const uint32_t *from, Site at) {
  const bool acquires = site("load_acquire", at);
  check_aligned(from, sizeof *from, "load_acquire", at);
  poll({"load_acquire", at, value_text, from});
  location_read(from, acquires, at);
  return *from;
}

void store_release(uint32_t *to, uint32_t value, Site at) {
  const bool releases = site("store_release", at);
  check_aligned(to, sizeof *to, "store_release", at);
  location_write(to, releases, false, at);
  *to = value;
}

uint32_t atomic(uint32_t *address, const std::function<uint32_t(uint32_t)> &change, Site at) {
  self->last = at;
  check_aligned(address, sizeof *address, "an atomic", at);
  location_read(address, false, at);
  location_write(address, false, true, at);
  const uint32_t before = *address;
  *address = change(before);
  return before;
}

void global_load(const void *from, void *to, size_t bytes, const char *operation, Site at) {
  self->last = at;
  check_aligned(from, bytes, operation, at);
  global_read(from, bytes, at);
  memcpy(to, from, bytes);
}

void global_store(void *to, const void *from, size_t bytes, const char *operation, Site at) {
  self->last = at;
  check_aligned(to, bytes, operation, at);
  global_write(to, bytes, at);
  memcpy(to, from, bytes);
}

bool is_device_memory(const void *pointer) {
  const unsigned char *byte = static_cast<const unsigned char *>(pointer);
  if (byte < lowest || byte >= highest) {
    return false;
  }
  if (byte >= latest && byte < latest + latest_bytes) {
    return true;
  }
  auto after = mappings.upper_bound(byte);
  if (after == mappings.begin()) {
    return false;
  }
  --after;
  if (byte >= after->first + after->second.asked) {
    return false;
  }
  latest = after->first;
  latest_bytes = after->second.asked;
  return true;
}

}  // namespace emu

extern "C" void *emu_memory_take(size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t rounded =
      (bytes + emu::MEMORY_ALIGNMENT - 1) / emu::MEMORY_ALIGNMENT * emu::MEMORY_ALIGNMENT;
  const size_t inner = (rounded + page - 1) / page * page;
  void *memory =
      mmap(nullptr, inner + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  unsigned char *start = static_cast<unsigned char *>(memory) + page;
  mprotect(memory, page, PROT_NONE);
  mprotect(start + inner, page, PROT_NONE);
  unsigned char *given = start + (inner - rounded);
  emu::sanitizer_poison(start, inner);
  emu::sanitizer_unpoison(given, bytes);
  emu::mappings[given] = {inner + 2 * page, bytes};
  emu::lowest = given < emu::lowest ? given : emu::lowest;
  emu::highest = given + bytes > emu::highest ? given + bytes : emu::highest;
  return given;
}

extern "C" size_t emu_memory_give(void *memory) {
  if (memory == nullptr) {
    return 0;
  }
  const auto found = emu::mappings.find(static_cast<unsigned char *>(memory));
  if (found == emu::mappings.end()) {
    return 0;
  }
  emu::latest_bytes = 0;
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  char *start = reinterpret_cast<char *>(reinterpret_cast<uintptr_t>(memory) / page * page - page);
  const emu::Mapping mapping = found->second;
  emu::sanitizer_unpoison(start, mapping.bytes);
  munmap(start, mapping.bytes);
  emu::mappings.erase(found);
  return mapping.asked;
}
