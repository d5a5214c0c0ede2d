/* A kernel that ought to be found wrong, tried in one mode after another, each in a process of its
 * own: nobody knows what it does. */
#ifndef BENCH_TEST_EMU_ATTEMPT_H
#define BENCH_TEST_EMU_ATTEMPT_H

#include "runner.h"

typedef struct attempt_finding {
  const char *options; /* of the mode in which it was found */
  char what[512];      /* the first line of what was found */
} attempt_finding;

/* False: it passes in every mode. `site` (may be NULL) is left out. */
bool attempt_all(const runner *on, const bench_kernel *kernel, const emu_site *site,
                 attempt_finding *out);

#endif
