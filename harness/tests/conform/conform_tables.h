/* The files of cases: one line each. */
#ifndef BENCH_TEST_CONFORM_TABLES_H
#define BENCH_TEST_CONFORM_TABLES_H

#define CONFORM_FILES(file)                                                               \
  file(lanes) file(memory) file(numbers) file(matrix) file(store) file(barrier) file(tma) \
      file(wgmma_layout) file(wgmma_n) file(wgmma_wide)

#endif
