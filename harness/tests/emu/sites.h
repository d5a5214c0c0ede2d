/* Every call of a kernel that orders or waits is left out in turn, and someone has to notice. */
#ifndef BENCH_TEST_EMU_SITES_H
#define BENCH_TEST_EMU_SITES_H

#include "runner.h"

/* The kernel's sites as CASES_FEW comes by them. */
void sites_list(const runner *on, const bench_kernel *kernel);

/* Leaves out each site of the kernels named `wanted` (NULL: all): a fault or wrong numbers must
 * appear in some mode, or the site must stand in the file of harmless ones. Returns how many are
 * unaccounted for, counting entries of the file that are no longer true. */
int sites_check(const runner *on, const char *wanted, const char *harmless_path);

#endif
