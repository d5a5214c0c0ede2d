/* Shared memory: an arena of 256 KiB per block, between two guard pages.
 *
 *   0      1024             static_end                dynamic_begin       256 KiB
 *   | no one's | slots, each behind a gap | ... no one's ... | dynamic region | (slack) |
 *
 * The dynamic region stands as near to the guard page behind the arena as its alignment lets it.
 * What is no one's keeps its poison; a write there is found when the block ends, and at once by
 * AddressSanitizer. */
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "emu/internal.h"
#include "emu/sanitizer.h"

namespace emu {

namespace {

constexpr uint32_t GAP = 32; /* before each slot */
constexpr uint32_t NEAR = 4096;

uint32_t round_up(uint32_t value, uint32_t unit) {
  return (value + unit - 1) / unit * unit;
}

void *map(size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

/* Is what is asked for inside a slot or the dynamic region? */
bool is_given(const Block &block, uint32_t offset, uint32_t bytes) {
  if (offset >= block.dynamic_begin) {
    return offset + bytes <= block.dynamic_begin + block.dynamic_bytes;
  }
  for (const Slot &slot : block.slots) {
    if (offset >= slot.begin && offset + bytes <= slot.begin + slot.bytes) {
      return true;
    }
  }
  return false;
}

void check_poison(const Block &block, uint32_t begin, uint32_t end, const std::string &where) {
  for (uint32_t at = begin; at < end; at++) {
    if (block.arena[at] != POISON) {
      keep_fault("block " + std::to_string(block.index) + ": wrote outside of shared memory: " +
                 std::to_string(at - begin) + " bytes behind " + where);
      return;
    }
  }
}

}  // namespace

bool arena_take(Block &block) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *memory = static_cast<char *>(map(ARENA_BYTES + 2 * page));
  block.words = static_cast<ClaimedWord *>(map(ARENA_BYTES / 4 * sizeof *block.words));
  if (memory == nullptr || block.words == nullptr) {
    return false;
  }
  block.arena = reinterpret_cast<unsigned char *>(memory + page);
  memset(block.arena, POISON, ARENA_BYTES);
  block.dynamic_begin = ARENA_BYTES;
  block.dynamic_bytes = 0;
  block.static_end = ARENA_RESERVED;
  return mprotect(memory, page, PROT_NONE) == 0 &&
         mprotect(memory + page + ARENA_BYTES, page, PROT_NONE) == 0;
}

void arena_start(Block &block, size_t dynamic_bytes) {
  sanitizer_unpoison(block.arena, ARENA_BYTES);
  const uint32_t near_static = round_up(block.static_end, NEAR) + NEAR;
  memset(block.arena, POISON, near_static < ARENA_BYTES ? near_static : ARENA_BYTES);
  memset(block.arena + block.dynamic_begin, POISON, ARENA_BYTES - block.dynamic_begin);
  block.slots.clear();
  block.static_end = ARENA_RESERVED;
  block.dynamic_bytes = (uint32_t)dynamic_bytes;
  block.dynamic_begin = (ARENA_BYTES - block.dynamic_bytes) / 1024 * 1024;
  if (options.misalign && dynamic_bytes > 0) {
    block.dynamic_begin -= 1024 - 16;
  }
  memset(block.arena + block.dynamic_begin, POISON, ARENA_BYTES - block.dynamic_begin);
  sanitizer_poison(block.arena, ARENA_BYTES);
  sanitizer_unpoison(block.arena + block.dynamic_begin, block.dynamic_bytes);
}

void arena_end(Block &block) {
  sanitizer_unpoison(block.arena, ARENA_BYTES);
  check_poison(block, block.dynamic_begin + block.dynamic_bytes, ARENA_BYTES, "dynamic memory");
  uint32_t begin = 0;
  std::string where = "the start of the window";
  for (const Slot &slot : block.slots) {
    check_poison(block, begin, slot.begin, where);
    begin = slot.begin + slot.bytes;
    where = slot.name;
  }
  const uint32_t end = round_up(block.static_end, NEAR) + NEAR;
  check_poison(block, begin, end < block.dynamic_begin ? end : block.dynamic_begin, where);
}

void *shared_static(const void *key, const char *name, size_t bytes, size_t alignment) {
  Block &block = *self->block;
  size_t total = block.dynamic_bytes + bytes;
  for (const Slot &slot : block.slots) {
    if (slot.key == key) {
      return block.arena + slot.begin;
    }
    total += slot.bytes;
  }
  const Site at = self->last;
  const uint32_t unit = alignment < 16 ? 16 : (uint32_t)alignment;
  const uint32_t begin = round_up(block.static_end + GAP, unit);
  if (total > SHARED_LIMIT || begin + bytes + GAP > block.dynamic_begin) {
    fail(at, "shared memory %s of %zu bytes: the block would have %zu, more than %u", name, bytes,
         total, SHARED_LIMIT);
  }
  block.slots.push_back({key, name, begin, (uint32_t)bytes});
  block.static_end = begin + (uint32_t)bytes;
  sanitizer_unpoison(block.arena + begin, bytes);
  return block.arena + begin;
}

unsigned char *shared_dynamic(size_t alignment) {
  (void)alignment; /* a wish that the hardware need not fulfil beyond 16 */
  return self->block->arena + self->block->dynamic_begin;
}

SharedPlace shared_at(const Thread &of, smem_addr address, uint32_t bytes, uint32_t alignment,
                      const char *operation, Site at) {
  Block *block = of.block;
  const uint32_t offset = address & 0xffffffu;
  if (address >> 24 != 0) {
    const Group &group = *block->group;
    const int rank = (int)(address >> 24) - 1;
    if (rank >= group.cluster) {
      fail_for(&of, at, "%s: block %d of a cluster of %d", operation, rank, group.cluster);
    }
    block = group.blocks[(size_t)(block->place - block->rank + rank)];
  }
  if (alignment > 1 && offset % alignment != 0) {
    fail_for(&of, at, "%s: shared address %u is not a multiple of %u", operation, offset,
             alignment);
  }
  if (offset + bytes > ARENA_BYTES || !is_given(*block, offset, bytes)) {
    fail_for(&of, at, "%s: %u bytes at shared address %u are outside of the block's memory",
             operation, bytes, offset);
  }
  return {block, offset, block->arena + offset};
}

SharedPlace shared_at(smem_addr address, uint32_t bytes, uint32_t alignment, const char *operation,
                      Site at) {
  return shared_at(*self, address, bytes, alignment, operation, at);
}

smem_addr shared_address(const void *pointer, Site at) {
  const unsigned char *arena = self->block->arena;
  const unsigned char *byte = static_cast<const unsigned char *>(pointer);
  if (byte < arena || byte >= arena + ARENA_BYTES) {
    fail(at, "smem_of: %p is no pointer into the block's shared memory", pointer);
  }
  return (smem_addr)(byte - arena);
}

}  // namespace emu
