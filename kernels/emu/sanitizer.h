/* AddressSanitizer's calls, or nothing where it is not there. */
#ifndef BENCH_EMU_SANITIZER_H
#define BENCH_EMU_SANITIZER_H

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#endif

#ifdef EMU_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emu {

inline void sanitizer_poison(const void *memory, size_t bytes) {
#ifdef EMU_ASAN
  __asan_poison_memory_region(memory, bytes);
#else
  (void)memory;
  (void)bytes;
#endif
}

inline void sanitizer_unpoison(const void *memory, size_t bytes) {
#ifdef EMU_ASAN
  __asan_unpoison_memory_region(memory, bytes);
#else
  (void)memory;
  (void)bytes;
#endif
}

}  // namespace emu

#endif
