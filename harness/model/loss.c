/* The head and the loss. The logits never exist as [seq][vocab]: they come in tiles of SLICE rows
 * and a slice of the vocabulary, and each row keeps a running maximum and sum of exponentials in
 * double (the log-sum-exp recurrence of the attention kernels), so that memory is linear in the
 * sequence plus one slice of the vocabulary. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "model/checkpoint.h"
#include "model/forward.h"
#include "model/layers.h"

#define SLICE BENCH_FORWARD_SLICE
#define VOCAB_SLICE 8192

typedef struct row_sum {
  double max;    /* of the logits seen */
  double sum;    /* of exp(logit - max) */
  double target; /* the logit of the next token */
} row_sum;

/* Takes `count` logits, those of tokens first .. first + count - 1, into one row's sums. */
static void accumulate(row_sum *row, const float *logits, int64_t first, int64_t count,
                       int64_t target) {
  double max = row->max;
  for (int64_t i = 0; i < count; i++) {
    max = fmax(max, logits[i]);
  }
  double sum = row->sum * exp(row->max - max);
  for (int64_t i = 0; i < count; i++) {
    sum += exp((double)logits[i] - max);
  }
  row->max = max;
  row->sum = sum;
  if (target >= first && target < first + count) {
    row->target = logits[target - first];
  }
}

bench_code bench_model_loss(const bench_model *model, const float *hidden, const int64_t *tokens,
                            int64_t seq, double *sum_nats, bench_error *error) {
  const int64_t rows = seq - 1;
  const int64_t width = model->info.hidden;
  const int64_t vocab = model->info.vocab;
  const int64_t slice = vocab < VOCAB_SLICE ? vocab : VOCAB_SLICE;
  const size_t head_bytes = (size_t)(slice * width) * sizeof(float);
  row_sum *sums = malloc((size_t)seq * sizeof *sums);
  float *logits = malloc((size_t)(omp_get_max_threads() * SLICE * slice) * sizeof *logits);
  float *scratch = model->floats == NULL ? malloc(head_bytes) : NULL;
  bench_code code = BENCH_OK;
  if (sums == NULL || logits == NULL || (model->floats == NULL && scratch == NULL)) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "%s: no memory for the loss of %" PRId64 " tokens",
                      model->info.name, seq);
  }
  for (int64_t r = 0; code == BENCH_OK && r < rows; r++) {
    sums[r] = (row_sum){.max = -DBL_MAX};
  }
  for (int64_t first = 0; code == BENCH_OK && first < vocab; first += slice) {
    const int64_t count = vocab - first < slice ? vocab - first : slice;
    const float *head = bench_weight_rows(bench_model_head(model), first, count, scratch);
#pragma omp parallel for schedule(dynamic)
    for (int64_t row = 0; row < rows; row += SLICE) {
      const int64_t n = rows - row < SLICE ? rows - row : SLICE;
      float *mine = logits + omp_get_thread_num() * SLICE * slice;
      bench_linear(hidden + row * width, head, n, count, width, 0.0f, mine);
      for (int64_t r = 0; r < n; r++) {
        accumulate(&sums[row + r], mine + r * count, first, count, tokens[row + r + 1]);
      }
    }
  }
  double total = 0.0;
  for (int64_t r = 0; code == BENCH_OK && r < rows; r++) {
    total += sums[r].max + log(sums[r].sum) - sums[r].target;
  }
  free(sums);
  free(logits);
  free(scratch);
  if (code == BENCH_OK && !isfinite(total)) {
    code = bench_fail(error, BENCH_ERR_USAGE,
                      "%s: the logits are not finite: the weights overflow fp32", model->info.name);
  }
  if (code == BENCH_OK) {
    *sum_nats = total;
  }
  return code;
}
