/* cp.async: sizes, zero fill, groups, and that a copy lands when it is waited for and not before.
 */
#include "selftest.h"

namespace {

constexpr int BYTES = 16;

struct Size {
  int bytes; /* of the copy */
  int read;  /* the rest is zeros; equal to bytes: no zero fill asked for */
};
const Size sizes[] = {{4, 4}, {8, 8}, {16, 16}, {16, 0}, {16, 1}, {16, 3}, {16, 8}, {16, 15}};

void size_kernel(int bytes, int read, const uint8_t *from, uint8_t *early, uint8_t *late) {
  BENCH_DYN_SMEM(memory, 16);
  const int t = thread_x();
  uint8_t *own = memory + BYTES * t;
  for (int i = 0; i < BYTES; i++) {
    own[i] = 0x77;
  }
  const smem_addr to = smem_of(own);
  switch (bytes) {
    case 4:
      cp_async4(to, from + BYTES * t);
      break;
    case 8:
      cp_async8(to, from + BYTES * t);
      break;
    default:
      if (read == 16) {
        cp_async16(to, from + BYTES * t);
      } else {
        cp_async16_zfill(to, from + BYTES * t, read);
      }
      break;
  }
  cp_async_commit();
  memcpy(early + BYTES * t, own, BYTES);
  cp_async_wait<0>();
  memcpy(late + BYTES * t, own, BYTES);
}

void every_size(void **state) {
  (void)state;
  in_every_schedule([] {
    for (const Size &size : sizes) {
      alignas(16) uint8_t from[BYTES * 32];
      uint8_t early[BYTES * 32];
      uint8_t late[BYTES * 32];
      for (int i = 0; i < BYTES * 32; i++) {
        from[i] = (uint8_t)(i + 1);
      }
      assert_runs(BENCH_LAUNCH(size_kernel, 1, 32, BYTES * 32, nullptr, size.bytes, size.read, from,
                               early, late));
      for (int i = 0; i < BYTES * 32; i++) {
        const bool copied = i % BYTES < size.bytes;
        assert_int_equal(early[i], copied ? 0xff : 0x77); /* poisoned where it is in flight */
        assert_int_equal(late[i], !copied ? 0x77 : i % BYTES < size.read ? from[i] : 0);
      }
    }
  });
}

/* Nothing of the source may be read with zero bytes to read. */
void nothing_kernel(const uint8_t *nowhere, uint32_t *out) {
  BENCH_DYN_SMEM(memory, 16);
  const smem_addr to = smem_of(memory);
  cp_async16_zfill(to, nowhere, 0);
  cp_async_commit();
  cp_async_wait<0>();
  out[0] = load_shared4(to + 12);
}

void zero_bytes_read_nothing(void **state) {
  (void)state;
  set_options("schedule=fifo");
  uint32_t out[1] = {5};
  assert_runs(
      BENCH_LAUNCH(nothing_kernel, 1, 1, 16, nullptr, static_cast<const uint8_t *>(nullptr), out));
  assert_int_equal(out[0], 0);
}

/* Three groups of one copy each, the middle one empty beside; which have landed after wait<N>. */
struct Wait {
  int newest;
  bool landed[3];
};
const Wait waits[] = {{3, {false, false, false}},
                      {2, {true, false, false}},
                      {1, {true, true, false}},
                      {0, {true, true, true}}};

void wait_kernel(int newest, const uint32_t *from, uint32_t *out) {
  BENCH_DYN_SMEM(memory, 16);
  const uint32_t *words = reinterpret_cast<const uint32_t *>(memory);
  for (int group = 0; group < 3; group++) {
    cp_async4(smem_of(words + group), from + group);
    cp_async_commit();
  }
  switch (newest) {
    case 0:
      cp_async_wait<0>();
      break;
    case 1:
      cp_async_wait<1>();
      break;
    case 2:
      cp_async_wait<2>();
      break;
    default:
      cp_async_wait<3>();
      break;
  }
  memcpy(out, words, 12);
  cp_async_wait<0>();
}

void groups_land_in_order(void **state) {
  (void)state;
  set_options("schedule=fifo");
  for (const Wait &wait : waits) {
    const uint32_t from[3] = {11, 22, 33};
    uint32_t out[3];
    assert_runs(BENCH_LAUNCH(wait_kernel, 1, 1, 16, nullptr, wait.newest, from, out));
    for (int group = 0; group < 3; group++) {
      assert_int_equal(out[group], wait.landed[group] ? from[group] : 0xffffffffu);
    }
  }
}

/* An empty group counts, and what is not committed is not waited for. */
void empty_kernel(const uint32_t *from, uint32_t *out) {
  BENCH_DYN_SMEM(memory, 16);
  const uint32_t *words = reinterpret_cast<const uint32_t *>(memory);
  cp_async4(smem_of(words), from);
  cp_async_commit();
  cp_async_commit();
  cp_async4(smem_of(words + 1), from + 1);
  cp_async_wait<1>();
  memcpy(out, words, 8);
  cp_async_commit();
  cp_async_wait<0>();
  memcpy(out + 2, words, 8);
}

void empty_groups_count(void **state) {
  (void)state;
  set_options("schedule=fifo");
  const uint32_t from[2] = {11, 22};
  uint32_t out[4];
  assert_runs(BENCH_LAUNCH(empty_kernel, 1, 1, 16, nullptr, from, out));
  assert_int_equal(out[0], 11);
  assert_int_equal(out[1], 0xffffffffu);
  assert_int_equal(out[2], 11);
  assert_int_equal(out[3], 22);
}

/* A pipeline of three stages over the threads' own copies and their neighbours' data. */
void pipeline_kernel(int tiles, const uint32_t *from, uint32_t *out) {
  constexpr int STAGES = 3;
  BENCH_DYN_SMEM(memory, 16);
  const uint32_t *words = reinterpret_cast<const uint32_t *>(memory);
  const int t = thread_x();
  uint32_t sum = 0;
  for (int tile = 0; tile < STAGES - 1; tile++) {
    cp_async4(smem_of(words + tile * 64 + t), from + tile * 64 + t);
    cp_async_commit();
  }
  for (int tile = 0; tile < tiles; tile++) {
    cp_async_wait<STAGES - 2>();
    sync_threads();
    if (tile + STAGES - 1 < tiles) {
      const int next = tile + STAGES - 1;
      cp_async4(smem_of(words + next % STAGES * 64 + t), from + next * 64 + t);
    }
    cp_async_commit();
    sum += words[tile % STAGES * 64 + (t + 5) % 64];
  }
  cp_async_wait<0>();
  out[t] = sum;
}

void pipeline_laps(void **state) {
  (void)state;
  in_every_schedule([] {
    constexpr int TILES = 9;
    uint32_t from[TILES * 64];
    uint32_t out[64];
    for (uint32_t i = 0; i < TILES * 64; i++) {
      from[i] = i * i;
    }
    assert_runs(BENCH_LAUNCH(pipeline_kernel, 1, 64, 3 * 256, nullptr, TILES, from, out));
    for (uint32_t t = 0; t < 64; t++) {
      uint32_t expected = 0;
      for (uint32_t tile = 0; tile < TILES; tile++) {
        expected += from[tile * 64 + (t + 5) % 64];
      }
      assert_int_equal(out[t], expected);
    }
  });
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_size),           cmocka_unit_test(zero_bytes_read_nothing),
      cmocka_unit_test(groups_land_in_order), cmocka_unit_test(empty_groups_count),
      cmocka_unit_test(pipeline_laps),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
