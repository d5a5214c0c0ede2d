/* The reference rows of a problem, which every kernel's result is held against. */
#ifndef BENCH_REFERENCE_H
#define BENCH_REFERENCE_H

#include "src/work.h"

struct bench_reference {
  bool whole;
  int64_t count;
  int64_t *rows; /* [count] index into (layer, batch, head, row), ascending */
  double *o;     /* [count][head_dim] */
  double *lse;   /* [count] */
  double tolerance;
};

/* The errors that make the tolerance: of the naive computation, and of rounding the output. */
typedef struct bench_row_error {
  double naive;
  double rounding;
} bench_row_error;

static inline double bench_reference_tolerance(bench_row_error error) {
  return 2 * error.naive + 2 * error.rounding;
}

/* Bytes of scratch for a row. */
static inline size_t bench_reference_scratch(const bench_attn *attn) {
  return (size_t)(attn->seq_kv + 64) * sizeof(double);
}

/* Row rows[index] of the reference, whose arrays are there, from the host's Q, K and V. `naive` has
 * room for head_dim floats. */
bench_row_error bench_reference_fill_row(const bench_work *work, bench_reference *reference,
                                         int64_t index, double *scratch, float *naive);

typedef enum bench_reference_rows {
  BENCH_ROWS_FEW,     /* 32 seeded rows and the edges: after timing, when all has been seen once */
  BENCH_ROWS_SAMPLED, /* 256 and the edges, or the whole output where that costs up to 1e10 FLOP */
  BENCH_ROWS_WHOLE,
} bench_reference_rows;

/* Makes work->reference of the inputs as they are now, unless there is one already with at least
 * as many rows. `drawn` is the seed of a few rows. */
bench_code bench_reference_make(bench_work *work, bench_reference_rows which, uint64_t drawn,
                                bench_error *error);

#endif
