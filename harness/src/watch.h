/* What is done around every timed launch, so that a kernel is only as fast as it computes.
 *
 * A kernel may have kept its last answer, skip the work when it thinks that it is timed, or answer
 * from a fingerprint of its inputs. So before each sample a row of Q and a key with its value,
 * drawn anew, get values that nobody has seen, and what stands in O and LSE for that row is
 * poisoned. After the sample both have to be there, and at the first, second, fourth, eighth ...
 * sample they are compared with the row's reference; so are some rows that nobody poisoned, which
 * the new key has changed as well, after the last (bench_verify_left). All of it happens outside
 * the timed region and costs a few rows of copying.
 *
 * In scope block Q, K and V come from the projections: there the row is poisoned and has to be
 * there. */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include "src/work.h"

typedef struct bench_watch {
  bench_work *work;
  bool computes; /* the kernel does: else nothing is watched */
  uint64_t secret;
  int64_t sample; /* of the samples so far */
  int64_t layer;  /* the row watched now */
  int64_t row;
} bench_watch;

bench_code bench_watch_open(bench_work *work, const bench_kernel *kernel, bench_watch *out,
                            bench_error *error);
bench_code bench_watch_before(bench_watch *watch, bench_error *error);
/* Makes the verdict wrong if the row is not what it has to be. */
bench_code bench_watch_after(bench_watch *watch, bench_verdict *verdict, bench_error *error);

/* A number that no kernel knows beforehand. */
uint64_t bench_watch_secret(void);

#endif
