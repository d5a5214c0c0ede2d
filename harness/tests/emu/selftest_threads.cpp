/* Shuffles, votes, barriers, numbers and memory operations, against tables written from the PTX ISA
 * and the formats' definitions. */
#include "selftest.h"

namespace {

enum Kind { BY_LANE, BY_XOR, BY_DOWN, BY_UP };

struct Shuffle {
  Kind kind;
  int operand;
  int lane;
  int from; /* the lane whose value it gets (PTX ISA, shfl.sync with c = 0x1f, or 0 for up) */
};
const Shuffle shuffles[] = {
    {BY_LANE, 0, 5, 0}, {BY_LANE, 31, 0, 31}, {BY_LANE, 33, 7, 1},  {BY_XOR, 1, 0, 1},
    {BY_XOR, 1, 1, 0},  {BY_XOR, 16, 3, 19},  {BY_XOR, 31, 2, 29},  {BY_XOR, 4, 12, 8},
    {BY_DOWN, 1, 0, 1}, {BY_DOWN, 1, 31, 31}, {BY_DOWN, 8, 20, 28}, {BY_DOWN, 8, 24, 24},
    {BY_UP, 1, 0, 0},   {BY_UP, 1, 31, 30},   {BY_UP, 8, 8, 0},     {BY_UP, 8, 7, 7},
};

template <typename T>
void shuffle_kernel(Kind kind, int operand, T *out) {
  const T value = (T)(100 + thread_x());
  T got = value;
  switch (kind) {
    case BY_LANE:
      got = shfl(value, operand);
      break;
    case BY_XOR:
      got = shfl_xor(value, operand);
      break;
    case BY_DOWN:
      got = shfl_down(value, operand);
      break;
    case BY_UP:
      got = shfl_up(value, operand);
      break;
  }
  out[thread_x()] = got;
}

template <typename T>
void check_shuffles() {
  for (const Shuffle &each : shuffles) {
    T out[64];
    assert_runs(BENCH_LAUNCH(shuffle_kernel<T>, 1, 64, 0, nullptr, each.kind, each.operand, out));
    assert_true(out[each.lane] == (T)(100 + each.from));
    assert_true(out[32 + each.lane] == (T)(132 + each.from)); /* each warp on its own */
  }
}

void shuffles_move_values(void **state) {
  (void)state;
  in_every_schedule([] {
    check_shuffles<float>();
    check_shuffles<uint32_t>();
    check_shuffles<int>();
  });
}

struct Vote {
  uint32_t bits; /* the lanes that say yes */
  bool any;
  bool all;
};
const Vote votes[] = {{0, false, false},          {1, true, false},
                      {0x80000000u, true, false}, {0xffffffffu, true, true},
                      {0xfffffffeu, true, false}, {0x00ff00ffu, true, false}};

void vote_kernel(uint32_t bits, uint32_t *ballots, int *any, int *all) {
  const bool yes = (bits >> thread_x() & 1) != 0;
  ballots[thread_x()] = warp_ballot(yes);
  any[thread_x()] = warp_any(yes);
  all[thread_x()] = warp_all(yes);
}

void votes_count_lanes(void **state) {
  (void)state;
  in_every_schedule([] {
    for (const Vote &each : votes) {
      uint32_t ballots[32];
      int any[32];
      int all[32];
      assert_runs(BENCH_LAUNCH(vote_kernel, 1, 32, 0, nullptr, each.bits, ballots, any, all));
      for (int lane = 0; lane < 32; lane++) {
        assert_int_equal(ballots[lane], each.bits);
        assert_int_equal(any[lane], each.any);
        assert_int_equal(all[lane], each.all);
      }
    }
  });
}

/* A lane that has returned is no longer waited for. */
void early_kernel(uint32_t *out) {
  if (thread_x() >= 20) {
    return;
  }
  out[thread_x()] = warp_ballot(true);
  sync_threads();
  out[thread_x()] += (uint32_t)shfl_down(1, 1);
}

void ended_lanes_are_not_waited_for(void **state) {
  (void)state;
  in_every_schedule([] {
    uint32_t out[64];
    assert_runs(BENCH_LAUNCH(early_kernel, 1, 64, 0, nullptr, out));
    for (int lane = 0; lane < 19; lane++) {
      assert_int_equal(out[lane], 0xfffff + 1);
    }
  });
}

/* All but one wait at the barrier when that one returns. */
void leaving_kernel(int leaves, int *out) {
  if (thread_x() == leaves) {
    return;
  }
  out[thread_x()] = sync_threads_or(thread_x() == 5);
}

void barriers_count_who_lives(void **state) {
  (void)state;
  in_every_schedule([] {
    for (int leaves = 0; leaves < 64; leaves += 63) {
      int out[64] = {0};
      assert_runs(BENCH_LAUNCH(leaving_kernel, 1, 64, 0, nullptr, leaves, out));
      assert_int_equal(out[1] + out[62], 2);
    }
  });
}

/* A value passed on through shared memory by every kind of barrier. */
void barrier_kernel(int *out, int *flags) {
  BENCH_SHARED(int, box, [128]);
  const int t = thread_x();
  box[t] = 2 * t;
  sync_threads();
  out[t] = box[127 - t];
  sync_threads();
  box[t] = 3 * t;
  sync_warp();
  out[t] += box[t ^ 1];
  flags[t] = sync_threads_or(t == 77);
  flags[t] += 2 * sync_threads_or(false);
}

void barriers_pass_values_on(void **state) {
  (void)state;
  in_every_schedule([] {
    int out[128];
    int flags[128];
    assert_runs(BENCH_LAUNCH(barrier_kernel, 1, 128, 0, nullptr, out, flags));
    for (int t = 0; t < 128; t++) {
      assert_int_equal(out[t], 2 * (127 - t) + 3 * (t ^ 1));
      assert_int_equal(flags[t], 1);
    }
  });
}

/* A producer warp fills a box for two consumer warps, over and over: bar.arrive and bar.sync. */
void named_kernel(int rounds, int *out) {
  BENCH_SHARED(int, box, [32]);
  const int warp = thread_x() / BENCH_WARP;
  const int lane = thread_x() % BENCH_WARP;
  int sum = 0;
  for (int round = 0; round < rounds; round++) {
    if (warp == 0) {
      bar_sync<1>(96); /* the box is free */
      box[lane] = round * 100 + lane;
      bar_arrive<2>(96);
    } else {
      bar_arrive<1>(96);
      bar_sync<2>(96); /* the box is full */
      sum += box[31 - lane];
    }
  }
  out[thread_x()] = sum;
}

void named_barriers_hand_over(void **state) {
  (void)state;
  in_every_schedule([] {
    int out[96];
    assert_runs(BENCH_LAUNCH(named_kernel, 1, 96, 0, nullptr, 5, out));
    for (int t = 32; t < 96; t++) {
      assert_int_equal(out[t], 1000 + 5 * (31 - t % 32));
    }
  });
}

struct Packing {
  float low;
  float high;
  uint32_t bf16;
  uint32_t fp16;
};
/* Sign, exponent and fraction by hand; halfway cases go to the even neighbour. */
const Packing packings[] = {
    {0.0f, 0.0f, 0x00000000u, 0x00000000u},
    {1.0f, -2.0f, 0xc0003f80u, 0xc0003c00u},
    {0.5f, 65504.0f, 0x47803f00u, 0x7bff3800u},
    {-0.0f, 1.0f, 0x3f808000u, 0x3c008000u},
    {INFINITY, -INFINITY, 0xff807f80u, 0xfc007c00u},
    {1.00390625f, 1.01171875f, 0x3f823f80u, 0x3c0c3c04u}, /* bf16: halfway, down and up to even */
    {1.00048828125f, 1.00146484375f, 0x3f803f80u, 0x3c023c00u}, /* fp16: the same */
    {65536.0f, 1e-8f, 0x322c4780u, 0x00007c00u},
    {3.0e38f, 6.0e-8f, 0x33817f62u, 0x00017c00u},
};

void packs_round_to_even(void **state) {
  (void)state;
  for (const Packing &each : packings) {
    assert_int_equal(pack2<dev_bf16>(each.low, each.high), each.bf16);
    assert_int_equal(pack2<dev_fp16>(each.low, each.high), each.fp16);
  }
  assert_true(unpack_low<dev_bf16>(0xc0003f80u) == 1.0f);
  assert_true(unpack_high<dev_bf16>(0xc0003f80u) == -2.0f);
  assert_true(unpack_low<dev_fp16>(0x7bff3800u) == 0.5f);
  assert_true(unpack_high<dev_fp16>(0x7bff3800u) == 65504.0f);
  assert_true(isnan(unpack_low<dev_fp16>(pack2<dev_fp16>(NAN, 0))));
  assert_true(isnan(unpack_high<dev_bf16>(pack2<dev_bf16>(0, NAN))));
  assert_true(max_f(NAN, 2.0f) == 2.0f && min_f(2.0f, NAN) == 2.0f);
  assert_true(exp2_approx(-INFINITY) == 0.0f && exp2_approx(3.0f) == 8.0f);
  assert_true(float_bits(1.0f) == 0x3f800000u && bits_float(0xff800000u) == minus_infinity());
}

/* Every block adds what its threads have, and the last one to be done sums up. */
void last_block_kernel(float *parts, uint32_t *count, float *total, int32_t *most, uint32_t *slot) {
  BENCH_SHARED(int, is_last, [1]);
  const int t = thread_x();
  if (t == 0) {
    parts[block_x()] = (float)(block_x() + 1);
    fence_device();
    is_last[0] = atomic_add(count, 1u) == (uint32_t)grid_x() - 1;
    atomic_max(most, (int32_t)(block_x() * 3 % 7));
    atomic_exch(slot, (uint32_t)block_x());
  }
  sync_threads();
  if (is_last[0]) {
    fence_device();
    if (t < (int)grid_x()) {
      atomic_add(total, parts[t]);
    }
  }
}

void atomics_join_blocks(void **state) {
  (void)state;
  in_every_schedule([] {
    float parts[7];
    float total = 0;
    uint32_t count = 0;
    uint32_t slot = 99;
    int32_t most = -1;
    assert_runs(
        BENCH_LAUNCH(last_block_kernel, 7, 32, 0, nullptr, parts, &count, &total, &most, &slot));
    assert_int_equal(count, 7);
    assert_int_equal(most, 6);
    assert_true(slot < 7);
    assert_true(total == 28.0f);
  });
}

/* Blocks that wait for each other, which have to live at once. */
void grid_barrier_kernel(uint32_t *arrived, uint32_t *values, uint32_t *out) {
  if (thread_x() == 0) {
    values[block_x()] = (uint32_t)block_x() + 10;
    fence_device();
    atomic_add(arrived, 1u);
    while (load_acquire(arrived) < (uint32_t)grid_x()) {
    }
    out[block_x()] = values[(block_x() + 1) % grid_x()];
    store_release(arrived + 1, 1u);
  }
}

void blocks_live_at_once(void **state) {
  (void)state;
  static const char *const modes[] = {"grid=1", "grid=1,schedule=lifo",
                                      "grid=1,schedule=random:4,race=1"};
  for (const char *mode : modes) {
    set_options(mode);
    uint32_t arrived[2] = {0, 0};
    uint32_t values[5];
    uint32_t out[5];
    assert_runs(BENCH_LAUNCH(grid_barrier_kernel, 5, 32, 0, nullptr, arrived, values, out));
    for (uint32_t b = 0; b < 5; b++) {
      assert_int_equal(out[b], (b + 1) % 5 + 10);
    }
  }
}

void wide_kernel(dev_u128 *global, uint32_t *out) {
  BENCH_DYN_SMEM(memory, 16);
  const smem_addr at = smem_of(memory) + 16 * (uint32_t)thread_x();
  store_shared16(at, load_global16(global + thread_x()));
  store_shared4(at + 8, load_shared4(at + 4) + 1);
  dev_u128 value = load_shared16(at);
  value.w = out[thread_x()];
  store_global16(global + thread_x(), value);
}

void wide_accesses(void **state) {
  (void)state;
  set_options("misalign=1");
  dev_u128 global[32];
  uint32_t out[32];
  for (uint32_t t = 0; t < 32; t++) {
    global[t] = {t, 2 * t, 3 * t, 4 * t};
    out[t] = 1000 + t;
  }
  assert_runs(BENCH_LAUNCH(wide_kernel, 1, 32, 32 * 16, nullptr, global, out));
  for (uint32_t t = 0; t < 32; t++) {
    assert_int_equal(global[t].x, t);
    assert_int_equal(global[t].y, 2 * t);
    assert_int_equal(global[t].z, 2 * t + 1);
    assert_int_equal(global[t].w, 1000 + t);
  }
}

void place_kernel(int64_t *out) {
  if (thread_x() == block_dim_x() - 1) {
    out[block_x()] = grid_x() * 1000 + block_dim_x();
  }
}

void places_are_known(void **state) {
  (void)state;
  in_every_schedule([] {
    int64_t out[3] = {0, 0, 0};
    assert_runs(BENCH_LAUNCH(place_kernel, 3, 96, 0, nullptr, out));
    for (int64_t each : out) {
      assert_int_equal(each, 3096);
    }
  });
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shuffles_move_values),
      cmocka_unit_test(votes_count_lanes),
      cmocka_unit_test(ended_lanes_are_not_waited_for),
      cmocka_unit_test(barriers_count_who_lives),
      cmocka_unit_test(barriers_pass_values_on),
      cmocka_unit_test(named_barriers_hand_over),
      cmocka_unit_test(packs_round_to_even),
      cmocka_unit_test(atomics_join_blocks),
      cmocka_unit_test(blocks_live_at_once),
      cmocka_unit_test(wide_accesses),
      cmocka_unit_test(places_are_known),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
