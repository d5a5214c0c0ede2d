/* Causal attention of one sequence by this suite's own kernels on the CPU. */
#ifndef BENCH_MODEL_ATTENTION_H
#define BENCH_MODEL_ATTENTION_H

#include "bench/backend.h"
#include "bench/model.h"

typedef struct bench_model_attention {
  bench_attn attn; /* batch 1, one layer, fp32, causal */
  const bench_backend *backend;
  bench_context *context;
  const bench_kernel *kernel;
  bench_blocklist blocks; /* for a kernel that wants_blocks, else zero */
  void *workspace;        /* allocated once for all layers */
} bench_model_attention;

/* The fp32 causal problem of one layer of `info` over `seq` tokens. */
bench_attn bench_model_problem(const bench_model_info *info, int64_t seq);

/* Takes the flash kernel, or naive where flash refuses the head dimension. The caller closes,
 * after a failure too. */
bench_code bench_model_attention_open(const bench_model_info *info, int64_t seq,
                                      bench_model_attention *out, bench_error *error);
void bench_model_attention_close(bench_model_attention *attention);

/* Shapes as in attn.h, pointers 64-byte aligned. */
bench_code bench_model_attention_run(const bench_model_attention *attention, const float *q,
                                     const float *k, const float *v, float *o, float *lse,
                                     bench_error *error);

#endif
