/* A machine that kills for memory: each look at the kernel's count of such kills finds one more. */
#include "platform/proc.h"

int64_t __wrap_bench_proc_oom_kills(void);

int64_t __wrap_bench_proc_oom_kills(void) {
  static int64_t kills;
  return kills++;
}
