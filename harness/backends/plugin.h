/* Loading a backend from a shared library, and the check that every backend has to pass. */
#ifndef BENCH_PLUGIN_H
#define BENCH_PLUGIN_H

#include "bench/backend.h"

/* Is this a complete backend of our ABI? Every function is set, and every kernel of its table has
 * our kernel ABI and what it needs. The message says in one sentence what is wrong first. */
bench_code bench_backend_check(const bench_backend *backend, bench_error *error);

/* Opens the library at `path` and checks what it exports. NULL with a reason if the file is
 * absent, cannot be loaded, lacks the symbol or fails the check. A backend that is returned stays
 * loaded until the process ends. */
const bench_backend *bench_plugin_load(const char *path, bench_error *why_not);

/* The same for a file, such as libbench_cuda.so, beside the running program or in the folder lib
 * beside it. `what` says what it brings, for the reason why it is not there: "CUDA". */
const bench_backend *bench_plugin_beside(const char *file, const char *what, bench_error *why_not);

#endif
