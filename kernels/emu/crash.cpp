/* A kernel that touches memory which is not there: its thread continues with a report of the fault
 * instead, on a stack of its own, for its own may be what has run out. Under AddressSanitizer,
 * which knows more, the report is left to it. */
#include <csignal>
#include <cstdio>

#include "emu/internal.h"
#include "emu/sanitizer.h"

#if defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emu {

#if defined(__x86_64__) && !defined(EMU_ASAN)

namespace {

constexpr size_t STACK_BYTES = 256u << 10;
alignas(16) char signal_stack[STACK_BYTES];
alignas(16) char report_stack[STACK_BYTES];
struct sigaction before_segv;
struct sigaction before_bus;
const void *touched;
const char *code;

bool is_stack_overflow() {
  const char *stack = self->fiber.stack;
  const char *byte = static_cast<const char *>(touched);
  return byte < stack && byte >= stack - 4096;
}

/* No frame stands below this one, so nothing can be thrown. */
[[noreturn]] void report() {
  std::string text = place_text({code, 0}) + ": block " + std::to_string(self->block->index) +
                     ", thread " + std::to_string(self->index) + ": ";
  if (is_stack_overflow()) {
    text += "the thread's stack is full";
  } else {
    char address[32];
    snprintf(address, sizeof address, "%p", touched);
    text += std::string("touches memory that is not there: ") + address +
            "; the last operation before it is at " + place_text(self->last);
  }
  keep_fault(text);
  abandon_here();
}

void on_signal(int number, siginfo_t *info, void *context) {
  ucontext_t *at = static_cast<ucontext_t *>(context);
  if (self == nullptr) { /* not a kernel's doing */
    signal(number, SIG_DFL);
    return;
  }
  touched = info->si_addr;
  code = reinterpret_cast<const char *>(at->uc_mcontext.gregs[REG_RIP]);
  at->uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(report);
  /* As behind a call: the address that report() would return to is the 8 bytes. */
  at->uc_mcontext.gregs[REG_RSP] = reinterpret_cast<greg_t>(report_stack + STACK_BYTES - 64 - 8);
}

}  // namespace

void crashes_watch() {
  stack_t stack = {};
  stack.ss_sp = signal_stack;
  stack.ss_size = STACK_BYTES;
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &before_segv);
  sigaction(SIGBUS, &action, &before_bus);
}

void crashes_ignore() {
  sigaction(SIGSEGV, &before_segv, nullptr);
  sigaction(SIGBUS, &before_bus, nullptr);
}

#else

void crashes_watch() {}

void crashes_ignore() {}

#endif

}  // namespace emu
