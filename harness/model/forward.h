/* The forward pass in two halves: the hidden states of all layers, and what the head makes of
 * them. */
#ifndef BENCH_MODEL_FORWARD_H
#define BENCH_MODEL_FORWARD_H

#include "bench/model.h"

/* Rows that a thread takes through a layer at a time. */
#define BENCH_FORWARD_SLICE 64

/* The states after the final norm, [seq][hidden], which the caller frees. */
bench_code bench_model_hidden(const bench_model *model, const int64_t *tokens, int64_t seq,
                              bench_model_layer_fn *on_layer, void *context, float **out,
                              bench_error *error);

/* Sum over rows r < seq-1 of -log softmax(logits of row r)[tokens[r + 1]]. */
bench_code bench_model_loss(const bench_model *model, const float *hidden, const int64_t *tokens,
                            int64_t seq, double *sum_nats, bench_error *error);

#endif
