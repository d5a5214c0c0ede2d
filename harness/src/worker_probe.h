/* What a worker is asked of its device, and not of a case. */
#ifndef BENCH_WORKER_PROBE_H
#define BENCH_WORKER_PROBE_H

#include "src/worker_case.h"

/* Answers the request if `op` is one of these; false if it is not:
 *   selftest   {"ev":"result","checks":[{"name","outcome":"passed"|"failed"|"skipped","text"}, ..]}
 *   calibrate  {"ev":"result","roofs":{..}}
 * or {"ev":"error","reason":..}. */
bool bench_worker_probe(bench_worker *worker, const char *op);

#endif
