/* What the tests of misuse of sm_90's operations share: a kernel with one planted fault is launched
 * in every schedule, and the report has to name the line where it was planted. AT marks that line.
 */
#ifndef BENCH_TEST_EMU_SELFTEST_HOPPER_H
#define BENCH_TEST_EMU_SELFTEST_HOPPER_H

#include "selftest.h"

static int planted;
#define AT (planted = __LINE__),

struct Maps {           /* of a bf16 matrix */
  dev_tensor_map wide;  /* boxes of 64 x 8, swizzled by 128 bytes */
  dev_tensor_map plain; /* boxes of 8 x 8, with no swizzle */
};

#define COLUMNS 64
#define MATRIX_ROWS 64
#define BOX_BYTES 1024
alignas(128) static uint16_t matrix[MATRIX_ROWS * COLUMNS];

static inline Maps make_maps() {
  const int64_t dims[2] = {COLUMNS, MATRIX_ROWS};
  const int64_t strides[1] = {COLUMNS * 2};
  const int32_t wide[2] = {64, 8};
  const int32_t plain[2] = {8, 8};
  Maps maps;
  assert_int_equal(
      tensor_map_make(&maps.wide, BENCH_BF16, 2, matrix, dims, strides, wide, SWIZZLE_128B),
      BENCH_OK);
  assert_int_equal(
      tensor_map_make(&maps.plain, BENCH_BF16, 2, matrix, dims, strides, plain, SWIZZLE_NONE),
      BENCH_OK);
  return maps;
}

/* `file` is of the test. */
static inline void assert_planted(bench_code code, const char *mode, const char *file,
                                  const char *text) {
  if (code == BENCH_OK) {
    fail_msg("%s: no fault; expected \"%s\" at line %d", mode, text, planted);
  }
  const char *fault = emu_fault();
  assert_non_null(fault);
  char place[256];
  snprintf(place, sizeof place, "%s:%d", file, planted);
  if (strstr(fault, text) == nullptr || strstr(fault, place) == nullptr) {
    fail_msg("expected \"%s\" and %s in: %s", text, place, fault);
  }
}

#define DYNAMIC_BYTES 49152
#define BAR_OFFSET 40960 /* of barriers in the dynamic region */

/* A grid of one cluster. `modes` end with null. */
static inline void expect_fault(const char *const *modes, int cluster, void (*kernel)(Maps),
                                int threads, const char *file, const char *text) {
  for (; *modes != nullptr; modes++) {
    set_options(*modes);
    planted = 0;
    assert_planted(BENCH_LAUNCH_CLUSTER(kernel, cluster, cluster, threads, DYNAMIC_BYTES, nullptr,
                                        make_maps()),
                   *modes, file, text);
  }
}
static const char *const every_mode[] = {"schedule=fifo",
                                         "schedule=lifo",
                                         "schedule=random:1",
                                         "schedule=random:2",
                                         "schedule=random:3,strict=1",
                                         nullptr};
#define EXPECT(kernel, threads, text) expect_fault(every_mode, 1, kernel, threads, __FILE__, text)
#define EXPECT_IN_CLUSTER(kernel, threads, text) \
  expect_fault(every_mode, 2, kernel, threads, __FILE__, text)

/* Shared memory of each kernel: tiles, and barriers behind them. */
struct Place {
  unsigned char *bytes;
  smem_addr tile;
  smem_addr bar;
};
static inline Place place_of() {
  BENCH_DYN_SMEM(region, 1024);
  return {region, smem_of(region), smem_of(region) + BAR_OFFSET};
}
/* With a barrier that all threads see. */
static inline Place with_barrier(uint32_t count) {
  const Place p = place_of();
  if (thread_x() == 0) {
    mbar_init(p.bar, count);
    mbar_init_fence();
  }
  sync_threads();
  return p;
}

#endif
