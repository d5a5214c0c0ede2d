/* What the commands that ask one device share: their options, and the asking. */
#ifndef BENCH_COMMAND_PROBE_H
#define BENCH_COMMAND_PROBE_H

#include "src/sweep.h"

typedef struct bench_probe {
  const char *output; /* -o, or NULL */
  bench_target target;
  json_t *answer; /* the worker's; a new reference */
} bench_probe;

/* Parses --backend, --device, --help and, where `may_write`, -o; then asks the worker for `op`.
 * Returns -1 if `out` has the answer, else the exit status: all is printed. */
int bench_probe_ask(int argc, char **argv, const char *help, bool may_write, const char *op,
                    double timeout_s, bench_probe *out);

#endif
