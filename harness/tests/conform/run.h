/* Runs cases on a side, against the tables and against another side. */
#ifndef BENCH_TEST_CONFORM_RUN_H
#define BENCH_TEST_CONFORM_RUN_H

#include "side.h"

struct run_options {
  const char *only; /* a part of the name; NULL: all */
  bool verbose;     /* a line for each case, not only for those that differ */
};

struct run_score {
  int right;
  int wrong;
  int skipped; /* not for this device */
};

/* Whether the side is there, found out in a process of its own: CUDA does not outlive a fork. */
struct run_presence {
  bool is_there;
  int cc;
  char text[256]; /* the device's name, or why there is none */
};
run_presence run_probe(const conform_side &side);

/* All cases, in processes of their own: a case that crashes, hangs or breaks the device's state is
 * wrong, and a fresh process goes on after it. `other` may be NULL. */
run_score run_all(const conform_side &side, const conform_side *other, int cc,
                  const run_options &options);

#endif
