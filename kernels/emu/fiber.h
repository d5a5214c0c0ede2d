/* Fibers: stacks of their own, switched by hand. */
#ifndef BENCH_EMU_FIBER_H
#define BENCH_EMU_FIBER_H

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emu {

struct Fiber {
#if defined(__x86_64__)
  void *stack_pointer; /* of a fiber that does not run */
#else
  ucontext_t context;
#endif
  char *stack; /* null: the host's own */
  void *fake;  /* AddressSanitizer's */
};

constexpr size_t FIBER_STACK_BYTES = 256u << 10;

/* A fiber that will run entry(), which must not return. Its stack comes from a pool and lies behind
 * a guard page. False: no memory. */
bool fiber_make(Fiber &fiber, void (*entry)());
/* Gives the stack back, whatever stood on it. */
void fiber_drop(Fiber &fiber);
/* `ends`: `from` will never be switched to again. */
void fiber_switch(Fiber &from, Fiber &to, bool ends);
/* The host is about to switch to a new fiber, the first of a group. */
void fiber_host_starts();
/* First call of an entry function. */
void fiber_entered();

}  // namespace emu

#endif
