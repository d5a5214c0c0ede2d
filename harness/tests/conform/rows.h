/* Rows of matrices for ldmatrix and stmatrix, in an order that no address betrays. */
#ifndef BENCH_TEST_CONFORM_ROWS_H
#define BENCH_TEST_CONFORM_ROWS_H

#include "cuda/device.h"

namespace CONFORM_SIDE {

#define WORDS 4 /* registers of a lane at most */

/* Where row r (0 to 31) of the input stands in shared memory: rows are 48 bytes apart. */
BENCH_DEVICE_FN int row_place(int r) {
  return (r * 13 + 5) % 32 * 48;
}

}  // namespace CONFORM_SIDE

#endif
