/* cuDNN's fused attention, opened when it is first asked for and not linked: a machine without it
 * lacks the kernel that needs it and nothing else. Compiled into the CUDA plug-in, with what it can
 * do where CMake found the headers of cuDNN and of its frontend, and with the reason alone where it
 * did not. */
#ifndef BENCH_CUDNN_H
#define BENCH_CUDNN_H

#include "bench/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NULL, or why there is no cuDNN: one sentence that lives as long as the process. Looks for
 * libcudnn.so.9 where the loader looks. Safe to call from any thread. */
const char *bench_cudnn_why_not(void);

/* What cuDNN may use at launch->workspace. How much it wants is known only to a plan, which only a
 * device can make; one that wants more is refused. */
#define BENCH_CUDNN_WORKSPACE_BYTES ((size_t)64 << 20)

/* Enqueues the attention of one layer: masks full, causal and window (not both-sided). The first
 * launch of a problem makes its plan, which takes a second and allocates; it is kept for the next.
 * What cuDNN does not support is BENCH_ERR_UNSUPPORTED, with its reason in launch->error. Not to be
 * called from two threads at once. */
bench_code bench_cudnn_attention(const bench_launch *launch);

#ifdef __cplusplus
}
#endif
#endif
