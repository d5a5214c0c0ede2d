/* Faults planted for tests: BENCH_FAULT=KIND@CASE[,KIND@CASE]... in the environment. CASE counts
 * the cases of the whole plan from 1, whatever filter or shard; it must be one of the kernel
 * `null`, into which the faults are built:
 *   crash   dies of SIGSEGV                         abort   calls abort()
 *   hang    never returns                           slow    takes five seconds more
 *   drift   takes longer each time                  oom     says that memory is exhausted
 *   wrong   writes past the end of its output
 *   short   the worker writes half of its answer and leaves */
#ifndef BENCH_FAULT_H
#define BENCH_FAULT_H

#include <stdint.h>

#include "bench/status.h"

#define BENCH_FAULT_VARIABLE "BENCH_FAULT"
/* How the worker tells the kernel `null` what to do wrong in the case at hand. */
#define BENCH_FAULT_NOW_VARIABLE "BENCH_FAULT_NOW"

typedef struct bench_fault {
  const char *kind; /* a static string */
  int64_t number;   /* of the case */
} bench_fault;

/* Reads the next fault of a list and moves *text behind it. kind = NULL at the end. */
bench_code bench_fault_next(const char **text, bench_fault *out, bench_error *error);

/* The kind planted at a case by a list that was checked, or NULL. */
const char *bench_fault_at(const char *text, int64_t number);

#endif
