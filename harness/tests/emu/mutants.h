/* Kernels with one planted fault each, linked into one program; the build generates the table. */
#ifndef BENCH_TEST_EMU_MUTANTS_H
#define BENCH_TEST_EMU_MUTANTS_H

#include "bench/kernel.h"

typedef struct emu_mutant {
  const char *name;
  const bench_kernel *const *kernel; /* the mutated one's table entry, in its own file */
} emu_mutant;

extern const emu_mutant emu_mutants[];
extern const size_t emu_mutant_count;

#endif
