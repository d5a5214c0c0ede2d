/* The oracle, one row at a time: what `verify` holds every kernel against.
 *
 * q, k and v are one layer's tensors in host memory, of the shapes in attn.h; `list` is needed for
 * a BLOCK mask, else NULL. Pure and without allocation, so callers run rows in parallel. */
#ifndef BENCH_KERNELS_CPU_REFERENCE_H
#define BENCH_KERNELS_CPU_REFERENCE_H

#include "bench/attn.h"
#include "bench/mask.h"

/* Attention of one row in double: two passes over the visible keys, nothing rounded.
 * scratch: seq_kv doubles; o: head_dim doubles. A row without keys gives o = 0, lse = -inf. */
void bench_reference_row(const bench_attn *attn, const bench_blocklist *list, const void *q,
                         const void *k, const void *v, int64_t batch, int64_t head, int64_t row,
                         double *scratch, double *o, double *lse);

/* The same row computed naively in the problem's dtype, the yardstick of the tolerance: products
 * summed in float one after the other; logits, probabilities and output each rounded to dtype.
 * scratch: 2 * seq_kv floats; o: head_dim floats, values of dtype. */
void bench_naive_row(const bench_attn *attn, const bench_blocklist *list, const void *q,
                     const void *k, const void *v, int64_t batch, int64_t head, int64_t row,
                     float *scratch, float *o);

#endif
