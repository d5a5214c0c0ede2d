/* memory: moves what attention has to move, and computes nothing. Q, K and V are read once and O
 * and LSE written once, each by all threads: what the machine's memory takes for the problem, and
 * so the roof of one that memory limits, as decoding. Its own row stands beside those of the other
 * kernels, over the same tensors: where memory is faster in one allocation than in the next, as on
 * a virtual machine, no other measure of it will do. What it writes is zeros; `verify` does not
 * compare it. */
#include <stdint.h>
#include <string.h>

#include "cpu/common.h"

#define PIECE ((int64_t)1 << 16) /* bytes: a thread's share is a run of them */

enum { VECTOR = CPU_LANES * 4, SUMS = 4 };
typedef uint64_t words __attribute__((vector_size(VECTOR), may_alias));

/* Four sums, so that no addition waits for the one before it; they are used, so that no compiler
 * leaves the reading out. `from` is aligned like a tensor, and so like a vector. */
static void read_piece(const char *from, size_t bytes) {
  const words *vectors = (const words *)from;
  const size_t whole = bytes / VECTOR / SUMS * SUMS;
  words sums[SUMS] = {{0}, {0}, {0}, {0}};
  for (size_t i = 0; i < whole; i += SUMS) {
#pragma GCC unroll 4
    for (size_t s = 0; s < SUMS; s++) {
      sums[s] += vectors[i + s];
    }
  }
  words sum = sums[0] + sums[1] + sums[2] + sums[3];
  for (size_t at = whole * VECTOR; at < bytes; at++) {
    sum[0] += (unsigned char)from[at];
  }
  __asm__ volatile("" : : "m"(sum));
}

static bench_code memory_launch(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const int64_t item = (int64_t)bench_dtype_bytes(attn->dtype);
  const int64_t q = bench_attn_q_elements(attn) * item;
  const int64_t kv = bench_attn_kv_elements(attn) * item;
  const struct {
    const void *from;
    void *to;
    int64_t bytes;
  } tensors[] = {{launch->q, NULL, q},
                 {launch->k, NULL, kv},
                 {launch->v, NULL, kv},
                 {NULL, launch->o, q},
                 {NULL, launch->lse, bench_attn_rows(attn) * (int64_t)sizeof(float)}};
#pragma omp parallel num_threads(launch->threads)
  for (size_t t = 0; t < sizeof tensors / sizeof tensors[0]; t++) {
    const int64_t bytes = tensors[t].bytes;
#pragma omp for schedule(static) nowait
    for (int64_t at = 0; at < bytes; at += PIECE) {
      const size_t take = (size_t)(bytes - at < PIECE ? bytes - at : PIECE);
      if (tensors[t].to != NULL) {
        memset((char *)tensors[t].to + at, 0, take);
      } else {
        read_piece((const char *)tensors[t].from + at, take);
      }
    }
  }
  return BENCH_OK;
}

BENCH_KERNEL(cpu, memory) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(memory),
    .summary = "reads Q, K and V and writes O and LSE, once: the roof of memory",
    .why_not = cpu_why_not,
    .launch = memory_launch,
};
