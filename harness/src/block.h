/* Scope block: one layer's attention between its projections.
 *
 *   Q, K, V = X Wq, X Wk, X Wv      O = attention(Q, K, V)      Y = O Wo
 *
 * X and Y are [batch][seq_q][d_model]; Wq [d_model][heads_q * d], Wk and Wv [d_model][heads_kv *
 * d], Wo [heads_q * d][d_model], head by head in both. X gives the last seq_q rows of K and V; what
 * stands before them (seq_kv > seq_q) was computed earlier, as in a cache, and is input. No bias,
 * norm or rotation: they cost next to nothing and have no standard form. Products are the
 * backend's gemm; sequences, tokens and heads are strides, so that Q, K, V and O keep the layout of
 * attn.h and nothing is transposed or copied here. Y is float whatever the dtype, so that the sum
 * over heads is rounded once. */
#ifndef BENCH_BLOCK_H
#define BENCH_BLOCK_H

#include "bench/backend.h"

typedef struct bench_block {
  void *x, *wq, *wk, *wv, *wo; /* backend memory, in the problem's dtype */
  float *y;                    /* between canaries */
} bench_block;

static inline int64_t bench_block_x_elements(const bench_attn *attn) {
  return attn->batch * attn->seq_q * attn->d_model;
}

typedef struct bench_work bench_work;
typedef struct bench_layer bench_layer;
typedef struct bench_verdict bench_verdict;

/* NULL, or why this problem cannot have scope=block: a reason for a skipped row. Pure. */
const char *bench_block_why_not(const bench_attn *attn, const bench_backend *backend);

/* Allocates the block's tensors and fills X and the weights from the generator: X like Q, and
 * weights of variance 1/k, so that Q, K, V and Y have the variance of X. */
bench_code bench_block_open(const bench_work *work, int64_t layer, bench_block *out,
                            bench_error *error);
/* X once more, of another seed; the weights stay. */
bench_code bench_block_fill(const bench_work *work, const bench_block *block, int64_t layer,
                            uint64_t seed, bench_error *error);
void bench_block_close(const bench_work *work, bench_block *block);

/* Enqueue the projections of one layer before and after its attention. */
bench_code bench_block_project_in(const bench_work *work, const bench_layer *layer,
                                  bench_error *error);
bench_code bench_block_project_out(const bench_work *work, const bench_layer *layer,
                                   bench_error *error);

/* Sets Y to NaN; is the memory around Y as it was? */
bench_code bench_block_poison(const bench_work *work, const bench_layer *layer, bench_error *error);
bench_code bench_block_canaries(const bench_work *work, const bench_layer *layer, bool *intact,
                                bench_error *error);

/* Compares the projections of every distinct layer, as they stand after a launch, with products in
 * double of what they read (X, the weights, and the O that the kernel wrote): seeded elements and
 * the corners of Q, K, V and Y, and every element of them for being finite. A finding makes the
 * verdict wrong; an earlier one is kept. */
bench_code bench_block_verify(const bench_work *work, bench_verdict *verdict, bench_error *error);

#endif
