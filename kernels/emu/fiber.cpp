#include "emu/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "emu/sanitizer.h"

namespace emu {

namespace {

std::vector<char *> pool;

char *take_stack() {
  if (!pool.empty()) {
    char *stack = pool.back();
    pool.pop_back();
    return stack;
  }
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  void *memory = mmap(nullptr, page + FIBER_STACK_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) {
    return nullptr;
  }
  if (mprotect(memory, page, PROT_NONE) != 0) {
    munmap(memory, page + FIBER_STACK_BYTES);
    return nullptr;
  }
  return static_cast<char *>(memory) + page;
}

#ifdef EMU_ASAN
/* The bounds of the host's own stack, as the first fiber on it found them. */
const void *host_stack;
size_t host_bytes;
#endif

}  // namespace

#if defined(__x86_64__)

/* void emu_switch(void **save, void *load): keeps what the ABI calls callee-saved on the old stack
 * and takes it from the new one. The control words of the units for floating point are the same in
 * all fibers. */
extern "C" void emu_switch(void **save, void *load);
__asm__(
    ".text\n"
    ".type emu_switch, @function\n"
    "emu_switch:\n"
    "  pushq %rbp\n"
    "  pushq %rbx\n"
    "  pushq %r12\n"
    "  pushq %r13\n"
    "  pushq %r14\n"
    "  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n"
    "  popq %r14\n"
    "  popq %r13\n"
    "  popq %r12\n"
    "  popq %rbx\n"
    "  popq %rbp\n"
    "  ret\n"
    ".size emu_switch, . - emu_switch\n");

static void prepare(Fiber &fiber, void (*entry)()) {
  void **top = reinterpret_cast<void **>(fiber.stack + FIBER_STACK_BYTES);
  *--top = nullptr;                         /* keeps the stack aligned at entry, ends backtraces */
  *--top = reinterpret_cast<void *>(entry); /* where the first switch returns to */
  for (int i = 0; i < 6; i++) {
    *--top = nullptr;
  }
  fiber.stack_pointer = top;
}

static void change(Fiber &from, Fiber &to) {
  emu_switch(&from.stack_pointer, to.stack_pointer);
}

#else

static void prepare(Fiber &fiber, void (*entry)()) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack;
  fiber.context.uc_stack.ss_size = FIBER_STACK_BYTES;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, entry, 0);
}

static void change(Fiber &from, Fiber &to) {
  swapcontext(&from.context, &to.context);
}

#endif

bool fiber_make(Fiber &fiber, void (*entry)()) {
  fiber.fake = nullptr;
  fiber.stack = take_stack();
  if (fiber.stack == nullptr) {
    return false;
  }
  prepare(fiber, entry);
  return true;
}

void fiber_drop(Fiber &fiber) {
  if (fiber.stack != nullptr) {
    sanitizer_unpoison(fiber.stack, FIBER_STACK_BYTES);
    pool.push_back(fiber.stack);
    fiber.stack = nullptr;
  }
}

void fiber_host_starts() {
#ifdef EMU_ASAN
  host_stack = nullptr;
#endif
}

void fiber_entered() {
#ifdef EMU_ASAN
  const void *bottom;
  size_t bytes;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (host_stack == nullptr) { /* nothing but the host starts a first fiber */
    host_stack = bottom;
    host_bytes = bytes;
  }
#endif
}

void fiber_switch(Fiber &from, Fiber &to, bool ends) {
#ifdef EMU_ASAN
  __sanitizer_start_switch_fiber(ends ? nullptr : &from.fake,
                                 to.stack == nullptr ? host_stack : to.stack,
                                 to.stack == nullptr ? host_bytes : FIBER_STACK_BYTES);
#else
  (void)ends;
#endif
  change(from, to);
#ifdef EMU_ASAN
  __sanitizer_finish_switch_fiber(from.fake, nullptr, nullptr);
#endif
}

}  // namespace emu
