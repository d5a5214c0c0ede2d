/* null: computes nothing and claims nothing. It tests the harness itself: what a row costs when
 * the kernel costs nothing is the harness's own floor. It writes nothing, so `verify` does not
 * compare it. */
#include "bench/kernel.h"

static const char *null_why_not(const bench_attn *attn, const bench_device *device) {
  (void)attn;
  (void)device;
  return NULL;
}

static bench_code null_launch(const bench_launch *launch) {
  (void)launch;
  return BENCH_OK;
}

BENCH_KERNEL(cpu, null) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(null),
    .summary = "does nothing: the floor of the harness's own cost",
    .why_not = null_why_not,
    .launch = null_launch,
};
