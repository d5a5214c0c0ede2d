/* Every misuse that the adversary knows, planted once: the launch fails, and the report names the
 * line where it was planted, and what is wrong. AT marks that line. */
#include "selftest.h"

namespace {

int planted;
#define AT (planted = __LINE__),

/* The launch fails with `text`, at the planted line or, if elsewhere, at one that it names. */
void assert_fault(bench_code code, const char *text) {
  assert_int_equal(code, BENCH_ERR_DEVICE);
  const char *fault = emu_fault();
  assert_non_null(fault);
  char place[64];
  snprintf(place, sizeof place, "selftest_faults.cpp:%d", planted);
  if (strstr(fault, text) == nullptr || strstr(fault, place) == nullptr) {
    fail_msg("expected \"%s\" and %s in: %s", text, place, fault);
  }
}

template <typename Kernel>
void expect(Kernel kernel, int threads, int bytes, const char *text) {
  in_every_schedule([&] {
    alignas(16) static uint32_t global[4096 / 4];
    assert_fault(BENCH_LAUNCH(kernel, 1, threads, (size_t)bytes, nullptr, global), text);
  });
}

void divergent_block(uint32_t *) {
  if (thread_x() < 32) {
    sync_threads();
  } else {
    AT sync_threads();
  }
}

void divergent_warp(uint32_t *) {
  if (thread_x() % 2 == 0) {
    AT sync_warp();
  } else {
    shfl(1.0f, 0);
  }
}

void lonely_barrier(uint32_t *) {
  if (thread_x() < 64) {
    AT bar_sync<3>(128);
  }
}

void lonely_lane(uint32_t *) {
  if (thread_x() == 7) {
    while (true) {
      bar_sync<1>(32);
    }
  }
  AT sync_warp();
}

void wrong_count(uint32_t *) {
  if (thread_x() < 32) {
    bar_arrive<2>(64);
  } else {
    AT bar_sync<2>(96);
  }
}

void odd_count(uint32_t *) {
  AT bar_sync<2>(33);
}

void twice_in_a_phase(uint32_t *) {
  bar_arrive<2>(96);
  AT bar_arrive<2>(96);
}

void spins(uint32_t *global) {
  global[0] = 0;
  while (true) {
    AT load_acquire(global);
  }
}

void reads_in_flight(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  cp_async16(smem_of(memory), global);
  cp_async_commit();
  AT load_shared4(smem_of(memory) + 4);
  cp_async_wait<0>();
}

void matrix_in_flight(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  uint32_t r[1];
  cp_async16(smem_of(memory) + 16 * (uint32_t)thread_x(), global);
  cp_async_commit();
  AT ldmatrix_x1(r, smem_of(memory) + 16 * (uint32_t)thread_x());
  cp_async_wait<0>();
}

void waits_for_too_little(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  cp_async16(smem_of(memory), global);
  cp_async_commit();
  cp_async_wait<1>();
  AT load_shared16(smem_of(memory));
}

void writes_in_flight(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  cp_async16(smem_of(memory), global);
  AT store_shared4(smem_of(memory) + 8, 1);
}

void two_in_flight(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  cp_async16(smem_of(memory), global);
  AT cp_async4(smem_of(memory) + 12, global);
}

void plain_write_in_flight(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  AT cp_async16(smem_of(memory), global);
  reinterpret_cast<uint32_t *>(memory)[2] = 5;
  cp_async_commit();
  cp_async_wait<0>();
}

void source_changes(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  AT cp_async16(smem_of(memory), global);
  global[3]++;
  cp_async_commit();
  cp_async_wait<0>();
}

void never_waits(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  AT cp_async16(smem_of(memory), global);
  cp_async_commit();
}

void odd_target(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  AT cp_async16(smem_of(memory) + 8, global);
}

void odd_source(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  AT cp_async16(smem_of(memory), global + 1);
}

void odd_row(uint32_t *) {
  BENCH_DYN_SMEM(memory, 16);
  uint32_t r[2];
  AT ldmatrix_x2(r, smem_of(memory) + (thread_x() == 9 ? 8 : 0));
}

void odd_global(uint32_t *global) {
  AT load_global16(global + 2);
}

void behind_the_end(uint32_t *) {
  BENCH_DYN_SMEM(memory, 16);
  AT load_shared16(smem_of(memory) + 64);
}

void over_the_end(uint32_t *global) {
  BENCH_DYN_SMEM(memory, 16);
  AT cp_async16(smem_of(memory) + 64, global);
}

void row_behind_the_end(uint32_t *) {
  BENCH_DYN_SMEM(memory, 16);
  uint32_t r[4];
  AT ldmatrix_x4(r, smem_of(memory) + 16 * (uint32_t)thread_x());
}

void not_shared(uint32_t *global) {
  AT smem_of(global);
}

void barriers_are_watched(void **state) {
  (void)state;
  expect(divergent_block, 64, 0, "divergent barrier");
  expect(divergent_warp, 32, 0, "the warp diverges");
  expect(lonely_barrier, 128, 0, "64 of 128 threads have come");
  expect(lonely_lane, 32, 0, "31 of 32 lanes of the warp have come");
  expect(wrong_count, 64, 0, "64");
  expect(odd_count, 64, 0, "not a multiple of 32");
  expect(twice_in_a_phase, 32, 0, "twice in one phase");
  expect(spins, 32, 0, "deadlock");
}

void copies_are_watched(void **state) {
  (void)state;
  expect(reads_in_flight, 1, 64, "still writes");
  expect(matrix_in_flight, 32, 512, "still writes");
  expect(waits_for_too_little, 1, 64, "still writes");
  expect(writes_in_flight, 1, 64, "still writes");
  expect(two_in_flight, 1, 64, "still writes");
  expect(plain_write_in_flight, 1, 64, "someone wrote");
  expect(source_changes, 1, 64, "its source changed");
  expect(never_waits, 1, 64, "not waited for");
}

void addresses_are_watched(void **state) {
  (void)state;
  expect(odd_target, 1, 64, "not a multiple of 16");
  expect(odd_source, 1, 64, "not aligned to 16");
  expect(odd_row, 32, 64, "not a multiple of 16");
  expect(odd_global, 1, 64, "not aligned to 16");
  expect(behind_the_end, 1, 64, "outside of the block's memory");
  expect(over_the_end, 1, 64, "outside of the block's memory");
  expect(row_behind_the_end, 32, 256, "outside of the block's memory");
  expect(not_shared, 1, 64, "no pointer into");
}

void plain_kernel(int what, float *global) {
  BENCH_SHARED(float, slot, [4]);
  BENCH_SHARED(float, other, [4]);
  BENCH_DYN_SMEM(memory, 16);
  volatile float *slots = slot;
  switch (what) {
    case 0:
      slots[4 + 2] = 1.0f; /* into the gap */
      break;
    case 1:
      memory[100] = 0; /* behind the dynamic region, before the end of its kibibyte */
      break;
    case 2:
      global[0] = slots[1]; /* nothing has been written there */
      break;
    default:
      global[0] = other[0];
      break;
  }
}

/* Where AddressSanitizer is not there to say it at once. */
void strays_are_found_at_the_end(void **state) {
  (void)state;
#if !defined(__SANITIZE_ADDRESS__)
  set_options("schedule=fifo");
  float global[4];
  assert_int_equal(BENCH_LAUNCH(plain_kernel, 1, 1, 100, nullptr, 0, global), BENCH_ERR_DEVICE);
  assert_non_null(strstr(emu_fault(), "8 bytes behind slot"));
  set_options("schedule=fifo");
  assert_int_equal(BENCH_LAUNCH(plain_kernel, 1, 1, 100, nullptr, 1, global), BENCH_ERR_DEVICE);
  assert_non_null(strstr(emu_fault(), "0 bytes behind dynamic memory"));
#endif
}

void shared_memory_starts_poisoned(void **state) {
  (void)state;
  set_options("schedule=fifo");
  float global[4] = {0, 0, 0, 0};
  for (int block = 0; block < 2; block++) {
    assert_runs(BENCH_LAUNCH(plain_kernel, 1, 1, 100, nullptr, 2, global));
    assert_true(isnan(global[0]));
  }
}

void stray_kernel(const uint32_t *global, int64_t at, uint32_t *out) {
  sync_threads();
  out[0] = load_global(global + at);
}

/* A read behind the device's memory, and one far before it. */
void missing_memory_is_a_fault(void **state) {
  (void)state;
#if !defined(__SANITIZE_ADDRESS__)
  uint32_t *memory = static_cast<uint32_t *>(emu_memory_take(1024));
  uint32_t out[1];
  set_options("schedule=fifo");
  assert_runs(BENCH_LAUNCH(stray_kernel, 1, 32, 0, nullptr, memory, 255, out));
  static const int64_t strays[] = {256, 300, -1024};
  for (int64_t stray : strays) {
    set_options("schedule=fifo");
    assert_int_equal(BENCH_LAUNCH(stray_kernel, 1, 32, 0, nullptr, memory, stray, out),
                     BENCH_ERR_DEVICE);
    assert_non_null(strstr(emu_fault(), "touches memory that is not there"));
  }
  emu_memory_give(memory);
#endif
}

void deep_kernel(volatile char *) {
  volatile char large[400 << 10];
  for (size_t i = sizeof large; i-- > 0;) {
    large[i] = 1;
  }
}

void full_stack_is_a_fault(void **state) {
  (void)state;
#if !defined(__SANITIZE_ADDRESS__)
  set_options("schedule=fifo");
  char byte = 0;
  assert_int_equal(BENCH_LAUNCH(deep_kernel, 1, 1, 0, nullptr, &byte), BENCH_ERR_DEVICE);
  assert_non_null(strstr(emu_fault(), "the thread's stack is full"));
#endif
}

void idle_kernel(int) {}

void bad_launches_are_refused(void **state) {
  (void)state;
  static const struct {
    int64_t grid;
    int threads;
    size_t bytes;
    const char *text;
  } launches[] = {{0, 32, 0, "number of blocks"},
                  {1, 1025, 0, "number of threads"},
                  {1, 0, 0, "number of threads"},
                  {1, 32, (227 << 10) + 1, "dynamic shared memory"}};
  for (const auto &each : launches) {
    set_options("schedule=fifo");
    assert_int_equal(BENCH_LAUNCH(idle_kernel, each.grid, each.threads, each.bytes, nullptr, 0),
                     BENCH_ERR_DEVICE);
    assert_non_null(strstr(emu_fault(), each.text));
    /* As on a GPU, nothing more runs until someone has heard of the fault. */
    assert_int_equal(BENCH_LAUNCH(idle_kernel, 1, 32, 0, nullptr, 0), BENCH_ERR_DEVICE);
  }
  set_options("schedule=fifo");
  assert_int_equal(BENCH_LAUNCH_CLUSTER(idle_kernel, 2, 3, 32, 0, nullptr, 0), BENCH_ERR_DEVICE);
  set_options("schedule=fifo");
  assert_runs(BENCH_LAUNCH_CLUSTER(idle_kernel, 2, 4, 32, 227 << 10, nullptr, 0));
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(barriers_are_watched),
      cmocka_unit_test(copies_are_watched),
      cmocka_unit_test(addresses_are_watched),
      cmocka_unit_test(strays_are_found_at_the_end),
      cmocka_unit_test(shared_memory_starts_poisoned),
      cmocka_unit_test(missing_memory_is_a_fault),
      cmocka_unit_test(full_stack_is_a_fault),
      cmocka_unit_test(bad_launches_are_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
