/* A folder for one test program. */
#ifndef BENCH_TESTS_SCRATCH_H
#define BENCH_TESTS_SCRATCH_H

/* A fresh folder for this test program, made once and removed with all in it at exit. */
const char *scratch_folder(void);
/* Writes scratch/NAME and returns its path (static, overwritten by the next call). */
const char *scratch_file(const char *name, const char *text);

#endif
