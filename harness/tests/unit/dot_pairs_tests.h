/* The tests of dot_pairs.c, which is compiled for a CPU that may not be this one. */
#ifndef BENCH_TESTS_DOT_PAIRS_TESTS_H
#define BENCH_TESTS_DOT_PAIRS_TESTS_H

/* How many failed. */
int dot_pairs_test_vectors(void);
int dot_pairs_test_tiles(void);

#endif
