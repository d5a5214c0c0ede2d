/* The cpu backend, compiled into every build. */
#ifndef BENCH_BACKENDS_CPU_H
#define BENCH_BACKENDS_CPU_H

#include "bench/backend.h"

const bench_backend *bench_backend_cpu(void);

#endif
