/* The worker process: `bench --worker`. Owns the device; verifies, measures, computes statistics;
 * answers requests on stdin with events on stdout (protocol.h) until end of file or `quit`. */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

/* Returns the exit status. */
int bench_worker_main(void);

#endif
