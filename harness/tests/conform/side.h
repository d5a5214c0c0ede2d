/* One side of a comparison: the emulated device, or a GPU through the CUDA runtime. */
#ifndef BENCH_TEST_CONFORM_SIDE_H
#define BENCH_TEST_CONFORM_SIDE_H

#include "conform.h"

struct conform_side {
  const char *name;
  const conform_table *const *tables;
  size_t table_count;
  /* NULL if the side is there, else why not, in one sentence. `cc` becomes its compute capability.
   */
  const char *(*open)(int *cc, char *device, size_t device_bytes);
  void *(*allocate)(size_t bytes); /* NULL: there is no memory */
  void (*release)(void *memory);
  bool (*put)(void *to, const void *from, size_t bytes);
  bool (*get)(void *to, const void *from, size_t bytes);
  /* Waits for what was launched. NULL if all is well, else what the device says. */
  const char *(*finish)();
};

extern const conform_side conform_emu;
extern const conform_side conform_gpu; /* in builds with CUDA */

#endif
