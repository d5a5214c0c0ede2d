/* Race mode's eyes: what a compiler calls before every access of a kernel that is compiled with
 * -fsanitize=thread. The library of ThreadSanitizer is not linked; these are its names. */
#include "emu/internal.h"
#include "emu/sanitizer.h"
#include "emu/sm80.h"

#ifndef EMU_ASAN /* two sanitizers do not go together, and this is half of one */

namespace emu {

namespace {

bool on_own_stack(const unsigned char *byte) {
  const unsigned char *stack = reinterpret_cast<const unsigned char *>(self->fiber.stack);
  return byte >= stack && byte < stack + FIBER_STACK_BYTES;
}

Block *block_of(const unsigned char *byte) {
  for (Block *block : self->block->group->blocks) {
    if (byte >= block->arena && byte < block->arena + ARENA_BYTES) {
      return block;
    }
  }
  return nullptr;
}

void access(const void *address, size_t bytes, bool write, const void *caller) {
  if (self == nullptr || !options.race) {
    return;
  }
  const unsigned char *byte = static_cast<const unsigned char *>(address);
  if (on_own_stack(byte)) {
    return;
  }
  /* The call stands before the address that it returns to. */
  const Site at = {static_cast<const char *>(caller) - 1, 0};
  Block *block = block_of(byte);
  if (block == nullptr) {
    if (write) {
      global_write(address, bytes, at);
    } else {
      global_read(address, bytes, at);
    }
    return;
  }
  const uint32_t offset = (uint32_t)(byte - block->arena);
  if (write) {
    check_write(*self, *block, offset, (uint32_t)bytes, "plain code", at);
    race_write(*self, *block, offset, (uint32_t)bytes, at);
  } else {
    check_read(*self, *block, offset, (uint32_t)bytes, "plain code", at);
    race_read(*self, *block, offset, (uint32_t)bytes, at);
  }
}

}  // namespace

}  // namespace emu

/* The names are reserved for the compiler's runtime, which this stands in for. */
#define EMU_HOOK extern "C" __attribute__((visibility("default")))
#define EMU_HOOKS(bytes)                                             \
  EMU_HOOK void __tsan_read##bytes(void *address);                   \
  void __tsan_read##bytes(void *address) {                           \
    emu::access(address, bytes, false, __builtin_return_address(0)); \
  }                                                                  \
  EMU_HOOK void __tsan_write##bytes(void *address);                  \
  void __tsan_write##bytes(void *address) {                          \
    emu::access(address, bytes, true, __builtin_return_address(0));  \
  }                                                                  \
  EMU_HOOK void __tsan_unaligned_read##bytes(void *address);         \
  void __tsan_unaligned_read##bytes(void *address) {                 \
    emu::access(address, bytes, false, __builtin_return_address(0)); \
  }                                                                  \
  EMU_HOOK void __tsan_unaligned_write##bytes(void *address);        \
  void __tsan_unaligned_write##bytes(void *address) {                \
    emu::access(address, bytes, true, __builtin_return_address(0));  \
  }
EMU_HOOKS(1)
EMU_HOOKS(2)
EMU_HOOKS(4)
EMU_HOOKS(8)
EMU_HOOKS(16)

EMU_HOOK void __tsan_read_range(void *address, size_t bytes);
void __tsan_read_range(void *address, size_t bytes) {
  emu::access(address, bytes, false, __builtin_return_address(0));
}
EMU_HOOK void __tsan_write_range(void *address, size_t bytes);
void __tsan_write_range(void *address, size_t bytes) {
  emu::access(address, bytes, true, __builtin_return_address(0));
}
EMU_HOOK void __tsan_vptr_update(void **address, void *value);
void __tsan_vptr_update(void **address, void *value) {
  (void)address;
  (void)value;
}
EMU_HOOK void __tsan_init(void);
void __tsan_init(void) {}
EMU_HOOK void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller) {
  (void)caller;
}
EMU_HOOK void __tsan_func_exit(void);
void __tsan_func_exit(void) {}

#endif
