/* Race mode: what is ordered is not flagged, and what nothing orders is, with both lines, whatever
 * the schedule did. This file is compiled as kernels are for that mode. */
#include "selftest.h"

namespace {

int planted;
#define AT planted = __LINE__;

template <typename Kernel, typename... Arguments>
void expect_race(Kernel kernel, int64_t grid, int threads, const char *text,
                 Arguments... arguments) {
  static const char *const modes[] = {"race=1", "race=1,schedule=lifo", "race=1,schedule=random:9"};
  for (const char *mode : modes) {
    set_options(mode);
    assert_int_equal(BENCH_LAUNCH(kernel, grid, threads, 1024, nullptr, arguments...),
                     BENCH_ERR_DEVICE);
    const char *fault = emu_fault();
    assert_non_null(fault);
    char place[64];
    snprintf(place, sizeof place, "selftest_race_modes.cpp:%d", planted);
    if (strstr(fault, text) == nullptr || strstr(fault, place) == nullptr) {
      fail_msg("expected \"%s\" and %s in: %s", text, place, fault);
    }
  }
}

template <typename Kernel, typename... Arguments>
void expect_none(Kernel kernel, int64_t grid, int threads, Arguments... arguments) {
  static const char *const modes[] = {"race=1", "race=1,schedule=lifo", "race=1,schedule=random:9"};
  for (const char *mode : modes) {
    set_options(mode);
    assert_runs(BENCH_LAUNCH(kernel, grid, threads, 1024, nullptr, arguments...));
  }
}

void exchange_kernel(int *out, bool first, bool second, bool third) {
  BENCH_SHARED(int, box, [64]);
  const int t = thread_x();
  box[t] = t;
  if (first) {
    sync_threads();
  }
  const int got = box[(t + 33) % 64];
  if (second) {
    sync_threads();
  }
  box[t] = got;
  if (third) {
    sync_threads();
  }
  out[t] = box[(t + 33) % 64];
}

void missing_barriers(void **state) {
  (void)state;
  int out[64];
  expect_none(exchange_kernel, 1, 64, out, true, true, true);
  for (int missing = 0; missing < 3; missing++) {
    set_options("race=1");
    assert_int_equal(BENCH_LAUNCH(exchange_kernel, 1, 64, 0, nullptr, out, missing != 0,
                                  missing != 1, missing != 2),
                     BENCH_ERR_DEVICE);
    assert_non_null(strstr(emu_fault(), "nothing orders the two"));
  }
}

void flag_kernel(volatile int *) {
  BENCH_SHARED(int, box, [2]);
  volatile int *cells = box;
  if (thread_x() == 0) {
    cells[0] = 1;
  } else if (thread_x() == 32) {
    AT cells[0] = 2;
  }
}

void two_writers(void **state) {
  (void)state;
  expect_race(flag_kernel, 1, 64, "writes shared address", static_cast<volatile int *>(nullptr));
}

/* In the order in which they come here: reads before the write, and a word before its half. */
void late_writer_kernel(volatile int *out, int readers) {
  BENCH_SHARED(int, box, [2]);
  volatile int *cells = box;
  if (thread_x() == 0) {
    cells[0] = 7;
  }
  sync_threads();
  if (thread_x() < readers) {
    out[0] = cells[0];
  } else if (thread_x() == 62) { /* 63 came to the barrier last, and goes on first */
    AT cells[0] = 8;
  }
}

void half_kernel(volatile int *) {
  BENCH_SHARED(int, box, [2]);
  volatile uint16_t *halves = reinterpret_cast<volatile uint16_t *>(box);
  if (thread_x() == 0) {
    *static_cast<volatile int *>(box) = 7;
  } else if (thread_x() == 32) {
    AT halves[1] = 8;
  }
}

/* Two have read, and the writer has waited for the second alone. */
void one_of_two_kernel(volatile int *out) {
  BENCH_SHARED(int, box, [2]);
  volatile int *cells = box;
  if (thread_x() == 0) {
    out[0] = cells[0];
  } else if (thread_x() >= 32) {
    if (thread_x() == 32) {
      out[1] = cells[0];
    }
    bar_sync<1>(64);
    if (thread_x() == 64) {
      AT cells[0] = 8;
    }
  }
}

void assert_first_race(bench_code code, const char *text) {
  assert_int_equal(code, BENCH_ERR_DEVICE);
  char place[64];
  snprintf(place, sizeof place, "selftest_race_modes.cpp:%d", planted);
  if (strstr(emu_fault(), text) == nullptr || strstr(emu_fault(), place) == nullptr) {
    fail_msg("expected \"%s\" and %s in: %s", text, place, emu_fault());
  }
}

void writes_come_after_reads(void **state) {
  (void)state;
  volatile int out[1];
  for (int readers = 1; readers <= 3; readers++) {
    set_options("race=1");
    assert_first_race(BENCH_LAUNCH(late_writer_kernel, 1, 64, 0, nullptr, out, readers),
                      "writes shared address 1056, which thread");
    assert_non_null(strstr(emu_fault(), " read at"));
  }
  set_options("race=1");
  assert_runs(BENCH_LAUNCH(late_writer_kernel, 1, 64, 0, nullptr, out, 0));
  volatile int both[2];
  set_options("race=1");
  assert_first_race(BENCH_LAUNCH(one_of_two_kernel, 1, 96, 0, nullptr, both),
                    "writes shared address 1056, which thread 0 read");
  set_options("race=1");
  assert_first_race(
      BENCH_LAUNCH(half_kernel, 1, 64, 0, nullptr, static_cast<volatile int *>(nullptr)),
      "writes shared address 1058, which thread 0 wrote");
}

/* A shuffle exchanges registers and orders no memory; a barrier of the warp does. */
void warp_kernel(int *out, bool orders) {
  BENCH_SHARED(int, box, [32]);
  const int t = thread_x();
  box[t] = t;
  if (orders) {
    sync_warp();
  } else {
    shfl(t, 0);
  }
  AT out[t] = box[t ^ 1];
}

void shuffles_order_nothing(void **state) {
  (void)state;
  int out[32];
  expect_none(warp_kernel, 1, 32, out, true);
  expect_race(warp_kernel, 1, 32, "nothing orders the two", out, false);
}

/* Neighbouring halves of one word belong to two threads. */
void halves_kernel(uint16_t *out) {
  BENCH_SHARED(uint16_t, box, [64]);
  BENCH_SHARED(uint8_t, bytes, [64]);
  box[thread_x()] = (uint16_t)thread_x();
  bytes[thread_x()] = 1;
  out[thread_x()] = (uint16_t)(box[thread_x()] + bytes[thread_x()]);
}

void neighbours_do_not_race(void **state) {
  (void)state;
  uint16_t out[64];
  expect_none(halves_kernel, 1, 64, out);
}

/* One thread's wait is its own: others need a barrier behind it. */
void copy_kernel(const uint32_t *from, uint32_t *out, bool behind) {
  BENCH_DYN_SMEM(memory, 16);
  const int t = thread_x();
  const smem_addr own = smem_of(memory) + 4 * (uint32_t)t;
  cp_async4(own, from + t);
  cp_async_commit();
  if (!behind) {
    sync_threads();
  }
  cp_async_wait<0>();
  if (behind) {
    sync_threads();
  } else {
    shfl(0, 0); /* so that the warp's other copies have landed, by chance */
  }
  AT out[t] = load_shared4(smem_of(memory) + 4 * (uint32_t)(t ^ 1));
}

void copies_need_a_barrier_behind_the_wait(void **state) {
  (void)state;
  uint32_t from[32] = {0};
  uint32_t out[32];
  expect_none(copy_kernel, 1, 32, static_cast<const uint32_t *>(from), out, true);
  expect_race(copy_kernel, 1, 32, "nothing orders the two", static_cast<const uint32_t *>(from),
              out, false);
}

/* Named barriers order the producer's writes before the consumers' reads, and back. */
void named_kernel(int rounds, int *out) {
  BENCH_SHARED(int, box, [32]);
  const int lane = thread_x() % BENCH_WARP;
  for (int round = 0; round < rounds; round++) {
    if (thread_x() < BENCH_WARP) {
      bar_sync<1>(64);
      box[lane] = round;
      bar_arrive<2>(64);
    } else {
      bar_arrive<1>(64);
      bar_sync<2>(64);
      out[lane] = box[31 - lane];
    }
  }
}

void named_barriers_order(void **state) {
  (void)state;
  int out[32];
  expect_none(named_kernel, 1, 64, 4, out);
}

struct Handover {
  float *parts;
  uint32_t *count;
  float *total;
};

/* Each block leaves a value, the last one to say so reads them all. `fences`: 1 before, 2 behind.
 */
void last_block_kernel(Handover to, int fences) {
  BENCH_SHARED(int, is_last, [1]);
  const int t = thread_x();
  to.parts[block_x() * 32 + t] = 1.0f;
  if (fences & 1) {
    fence_device();
  }
  sync_threads();
  if (t == 0) {
    is_last[0] = atomic_add(to.count, 1u) == (uint32_t)grid_x() - 1;
  }
  sync_threads();
  if (is_last[0]) {
    if (fences & 2) {
      fence_device();
    }
    float sum = 0;
    for (int64_t block = 0; block < grid_x(); block++) {
      AT sum += to.parts[block * 32 + t];
    }
    to.total[t] = sum;
    if (t == 0) {
      *to.count = 0;
    }
  }
}

void blocks_need_fences(void **state) {
  (void)state;
  float *memory = static_cast<float *>(emu_memory_take(4096));
  memset(memory, 0, 4096);
  Handover to = {memory, reinterpret_cast<uint32_t *>(memory + 512), memory + 600};
  expect_none(last_block_kernel, 5, 32, to, 3);
  assert_true(memory[600] == 5.0f);
  for (int fences = 0; fences < 3; fences++) {
    *to.count = 0;
    set_options("race=1");
    assert_int_equal(BENCH_LAUNCH(last_block_kernel, 5, 32, 0, nullptr, to, fences),
                     BENCH_ERR_DEVICE);
    char place[64];
    snprintf(place, sizeof place, "selftest_race_modes.cpp:%d", planted);
    assert_non_null(strstr(emu_fault(), "race: reads memory of the device"));
    assert_non_null(strstr(emu_fault(), place));
  }
  emu_memory_give(memory);
}

/* A flag by release and acquire; `relaxed` leaves one of them out by skipping its site. */
void flag_pair_kernel(uint32_t *flag, uint32_t *data) {
  if (block_x() == 0) {
    data[0] = 42;
    store_release(flag, 1u);
  } else {
    while (load_acquire(flag) == 0) {
    }
    data[1] = data[0];
  }
}

void flags_order_if_released_and_acquired(void **state) {
  (void)state;
  uint32_t *memory = static_cast<uint32_t *>(emu_memory_take(256));
  static const char *const skipped[] = {nullptr, "store_release", "load_acquire"};
  for (const char *operation : skipped) {
    memset(memory, 0, 256);
    set_options("race=1,grid=1");
    emu_sites_watch(true);
    assert_runs(BENCH_LAUNCH(flag_pair_kernel, 2, 1, 0, nullptr, memory, memory + 8));
    for (size_t i = 0; operation != nullptr && i < emu_site_count(); i++) {
      const emu_site site = emu_site_at(i);
      if (strcmp(site.operation, operation) == 0) {
        emu_site_skip(operation, site.file, site.line);
      }
    }
    memset(memory, 0, 256);
    const bench_code code = BENCH_LAUNCH(flag_pair_kernel, 2, 1, 0, nullptr, memory, memory + 8);
    assert_int_equal(code, operation == nullptr ? BENCH_OK : BENCH_ERR_DEVICE);
    emu_site_skip(nullptr, nullptr, 0);
    emu_sites_watch(false);
  }
  emu_memory_give(memory);
}

void overlap_kernel(float *out) {
  AT out[block_x() / 2] = 1.0f;
}

void blocks_may_not_share_an_output(void **state) {
  (void)state;
  float *memory = static_cast<float *>(emu_memory_take(256));
  expect_race(overlap_kernel, 4, 1, "writes memory of the device", memory);
  emu_memory_give(memory);
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(missing_barriers),
      cmocka_unit_test(two_writers),
      cmocka_unit_test(writes_come_after_reads),
      cmocka_unit_test(shuffles_order_nothing),
      cmocka_unit_test(neighbours_do_not_race),
      cmocka_unit_test(copies_need_a_barrier_behind_the_wait),
      cmocka_unit_test(named_barriers_order),
      cmocka_unit_test(blocks_need_fences),
      cmocka_unit_test(flags_order_if_released_and_acquired),
      cmocka_unit_test(blocks_may_not_share_an_output),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
