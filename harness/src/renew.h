/* New inputs while a case is timed, of a seed that no kernel has seen and the same shape, so that
 * nothing which a kernel keeps from one launch to the next can be its answer.
 *
 * Between samples that may lie apart all tensors are made anew, and their copies with them: behind
 * the first sample whatever it takes, later in a tenth of the time. Where
 * nothing must rest (mode sustained) the tensors are gone through little by little instead, in a
 * hundredth of the time. A model's inputs stay: their values are what is measured. There, as
 * everywhere, single rows are others in each sample (watch.h). */
#ifndef BENCH_RENEW_H
#define BENCH_RENEW_H

#include "src/work.h"

typedef struct bench_renewal {
  bench_work *work;
  bool possible;
  double start_s;
  double spent_s; /* on new inputs so far */
  double last_s;  /* on the last ones */
  uint64_t seed;  /* of the pass over the parts that is under way */
  int64_t part;   /* the next one */
} bench_renewal;

/* When the first sample is taken. `computes`: the kernel reads its inputs at all. */
void bench_renewal_begin(bench_work *work, bool computes, bench_renewal *out);

/* Both do nothing where it would take more than its share of the time. Everything; whether it was
 * done: */
bench_code bench_renew_all(bench_renewal *renewal, bool *renewed, bench_error *error);
/* The next parts: */
bench_code bench_renew_parts(bench_renewal *renewal, bench_error *error);

#endif
