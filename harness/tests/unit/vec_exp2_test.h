/* The test of vec_exp2.c, which is compiled for a CPU that may not be this one. */
#ifndef BENCH_TESTS_VEC_EXP2_TEST_H
#define BENCH_TESTS_VEC_EXP2_TEST_H

/* How many failed. */
int vec_exp2_test(void);

#endif
