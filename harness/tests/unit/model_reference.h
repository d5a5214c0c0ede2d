/* An independent forward pass of the Llama architecture: plain loops in double, one row and one
 * head at a time, nothing shared with harness/model. */
#ifndef BENCH_TEST_MODEL_REFERENCE_H
#define BENCH_TEST_MODEL_REFERENCE_H

#include "model_maker.h"

typedef struct reference_run {
  double loss_sum; /* over seq - 1 predictions */
  double *q;       /* [layers][heads_q][seq][head_dim], rotated */
  double *k;       /* [layers][heads_kv][seq][head_dim], rotated */
  double *v;       /* [layers][heads_kv][seq][head_dim] */
} reference_run;

void reference_run_init(const made_model *made, const int64_t *tokens, int64_t seq,
                        reference_run *out);
void reference_run_free(reference_run *run);

#endif
