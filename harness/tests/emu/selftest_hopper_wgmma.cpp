/* Every misuse of wgmma that the adversary knows, planted once; and what it does to registers that
 * a kernel touches too early. */
#include "selftest_hopper.h"

namespace {

#define N 64
#define B_OFFSET 8192 /* of B in the region; A stands at its start; rows of 128 bytes, swizzled */
#define ATOM 1024

/* Two operands, 64 x 64 each, that are all ones. */
Place with_operands() {
  const Place p = place_of();
  for (int i = thread_x() * 16; i < 2 * B_OFFSET; i += block_dim_x() * 16) {
    store_shared16(p.tile + (smem_addr)i,
                   dev_u128{0x3f803f80u, 0x3f803f80u, 0x3f803f80u, 0x3f803f80u});
  }
  fence_proxy_async();
  sync_threads();
  return p;
}
uint64_t a_of(const Place &p) {
  return wgmma_desc(p.tile, 16, ATOM, SWIZZLE_128B);
}
uint64_t b_of(const Place &p) {
  return wgmma_desc(p.tile + B_OFFSET, 16, ATOM, SWIZZLE_128B);
}
#define SS(d, p) wgmma_ss<dev_bf16, N, false, false>(d, a_of(p), b_of(p), false)

/* ---- order ---- */
void no_fence(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  AT SS(d, p);
}
void no_fence_after_the_wait(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  SS(d, p);
  wgmma_commit();
  wgmma_wait<0>();
  AT SS(d, p);
}
void no_commit(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  AT SS(d, p);
  wgmma_wait<0>();
}
void no_wait(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  AT SS(d, p);
  wgmma_commit();
}
void waits_for_too_little(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  AT SS(d, p);
  wgmma_commit();
  wgmma_wait<1>();
}
void other_shape_on_the_same(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  float(&half)[N / 4] = reinterpret_cast<float(&)[N / 4]>(d);
  wgmma_fence();
  SS(d, p);
  AT wgmma_ss<dev_bf16, N / 2, false, false>(half, a_of(p), b_of(p), true);
}

/* ---- registers ---- */
void accumulators_written(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  AT SS(d, p);
  wgmma_commit();
  d[7] = 0;
  wgmma_wait<0>();
}
void a_written(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  uint32_t a[4] = {0, 0, 0, 0};
  wgmma_fence();
  AT(wgmma_rs<dev_bf16, N, false>(d, a, b_of(p), false));
  wgmma_commit();
  a[2] = 1;
  wgmma_wait<0>();
}

/* ---- operands in shared memory ---- */
void in_flight(const Place &p, float (&d)[N / 2]) {
  wgmma_fence();
  SS(d, p);
  wgmma_commit();
}
void operand_stored_over(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  in_flight(p, d);
  AT store_shared4(p.tile + 4, 0);
}
void operand_plainly_written(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  AT SS(d, p);
  wgmma_commit();
  p.bytes[B_OFFSET + 1] ^= (unsigned char)(thread_x() == 0);
  wgmma_wait<0>();
}
void operand_loaded_over(Maps maps) {
  const Place p = with_barrier(1);
  with_operands();
  float d[N / 2];
  in_flight(p, d);
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  }
  wgmma_wait<0>();
}
void operand_not_landed(Maps maps) {
  const Place p = with_barrier(1);
  with_operands();
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  }
  bar_sync<3>(128);
  float d[N / 2];
  wgmma_fence();
  AT SS(d, p);
  wgmma_commit();
  wgmma_wait<0>();
}
void stride_beyond_the_end(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  const uint64_t b = wgmma_desc(p.tile + B_OFFSET, 16, 16 * ATOM, SWIZZLE_128B);
  AT(wgmma_ss<dev_bf16, N, false, false>(d, a_of(p), b, false));
}
void starts_inside_the_pattern(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  const uint64_t a = wgmma_desc(p.tile + 256, 16, ATOM, SWIZZLE_128B);
  AT(wgmma_ss<dev_bf16, N, false, false>(d, a, b_of(p), false));
}
void bits_of_no_meaning(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  AT(wgmma_ss<dev_bf16, N, false, false>(d, a_of(p) | UINT64_C(1) << 52, b_of(p), false));
}

/* ---- warps ---- */
void no_warpgroup(Maps) {
  AT wgmma_fence();
}
void lanes_differ(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  const uint64_t a = a_of(p) + (uint64_t)(thread_x() % 32 == 9 ? 2 : 0);
  AT(wgmma_ss<dev_bf16, N, false, false>(d, a, b_of(p), false));
  wgmma_commit();
  wgmma_wait<0>();
}
void warps_differ(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  const bool accumulate = thread_x() / 32 == 2;
  AT(wgmma_ss<dev_bf16, N, false, false>(d, a_of(p), b_of(p), accumulate));
  wgmma_commit();
  wgmma_wait<0>();
}
void lanes_diverge(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  wgmma_fence();
  if (thread_x() % 32 < 16) {
    SS(d, p);
  } else {
    AT wgmma_commit();
  }
}
void some_lanes_ended(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  if (thread_x() == 40) {
    return;
  }
  wgmma_fence();
  AT SS(d, p);
  wgmma_commit();
  wgmma_wait<0>();
}
void a_warp_missing(Maps) {
  const Place p = with_operands();
  float d[N / 2];
  if (thread_x() / 32 != 3) {
    in_flight(p, d);
    AT wgmma_wait<0>();
  }
}

void order_is_watched(void **state) {
  (void)state;
  EXPECT(no_fence, 128, "no wgmma_fence since the warp began");
  EXPECT(no_fence_after_the_wait, 128, "no wgmma_fence since the warp last waited");
  EXPECT(no_commit, 128, "has waited for no group");
  EXPECT(no_wait, 128, "has waited for no group");
  EXPECT(waits_for_too_little, 128, "has waited for no group");
  EXPECT(other_shape_on_the_same, 128, "of another shape, in flight");
}
void registers_are_watched(void **state) {
  (void)state;
  EXPECT(accumulators_written, 128, "accumulators were written");
  EXPECT(a_written, 128, "operand A changed");
}
void operands_are_watched(void **state) {
  (void)state;
  EXPECT(operand_stored_over, 128, "still reads");
  /* Nothing tells of a plain write but the next look; another warp's wait may be earlier. */
  static const char *const looks[] = {"schedule=fifo", "schedule=lifo",
                                      "schedule=random:1,strict=1", nullptr};
  expect_fault(looks, 1, operand_plainly_written, 128, __FILE__,
               "changed while the multiplication read it");
  EXPECT(operand_loaded_over, 128, "still reads");
  EXPECT(operand_not_landed, 128, "still writes");
  EXPECT(stride_beyond_the_end, 128, "outside of the block's memory");
  EXPECT(starts_inside_the_pattern, 128, "its tile is not at a multiple of 1024");
  EXPECT(bits_of_no_meaning, 128, "bits set that have no meaning");
}
void warps_are_watched(void **state) {
  (void)state;
  static const char *const groups[] = {"schedule=fifo", "schedule=lifo", "schedule=random:4",
                                       nullptr};
  EXPECT(no_warpgroup, 96, "is in no warpgroup of four");
  EXPECT(lanes_differ, 128, "brings other operands");
  EXPECT(warps_differ, 128, "or brought other operands");
  EXPECT(lanes_diverge, 128, "diverges");
  EXPECT(some_lanes_ended, 128, "some lanes of the warp have ended");
  expect_fault(groups, 1, a_warp_missing, 128, __FILE__, "multiplications");
}

/* ---- what is in the accumulators, and when ---- */
struct Seen {
  float before[2]; /* the wait: of the first group, of the second */
  float between[2];
  float after[2];
};
/* Two groups, on accumulators of their own; the same ones again would be one chain. */
void groups_kernel(Maps, Seen *seen) {
  const Place p = with_operands();
  float first[N / 2];
  float second[N / 2];
  wgmma_fence();
  SS(first, p);
  wgmma_commit();
  SS(second, p);
  wgmma_ss<dev_bf16, N, false, false>(second, a_of(p) + 2, b_of(p) + 2, true);
  wgmma_commit();
  Seen now;
  now.before[0] = first[3];
  now.before[1] = second[3];
  wgmma_wait<1>();
  now.between[0] = first[3];
  now.between[1] = second[3];
  wgmma_wait<0>();
  now.after[0] = first[3];
  now.after[1] = second[3];
  if (thread_x() == 77) {
    *seen = now;
  }
}
void accumulators_come_with_the_wait(void **state) {
  (void)state;
  for (const char *const *mode = every_mode; *mode != nullptr; mode++) {
    set_options(*mode);
    Seen seen;
    assert_runs(BENCH_LAUNCH(groups_kernel, 1, 128, DYNAMIC_BYTES, nullptr, make_maps(), &seen));
    assert_true(isnan(seen.before[0]) && isnan(seen.before[1]));
    assert_true(seen.between[0] == 16 && isnan(seen.between[1]));
    assert_true(seen.after[0] == 16 && seen.after[1] == 32);
  }
}

/* One chain, waited for in the midst: the accumulators stay in flight. */
void chain_kernel(Maps, Seen *seen) {
  const Place p = with_operands();
  float d[N / 2];
  for (float &value : d) {
    value = 5;
  }
  wgmma_fence();
  wgmma_ss<dev_bf16, N, false, false>(d, a_of(p), b_of(p), true);
  wgmma_commit();
  wgmma_ss<dev_bf16, N, false, false>(d, a_of(p) + 2, b_of(p) + 2, true);
  wgmma_commit();
  wgmma_wait<1>();
  const float between = d[0];
  wgmma_wait<0>();
  if (thread_x() == 0) {
    seen->between[0] = between;
    seen->after[0] = d[0];
  }
}
void a_chain_is_whole(void **state) {
  (void)state;
  for (const char *const *mode = every_mode; *mode != nullptr; mode++) {
    set_options(*mode);
    Seen seen;
    assert_runs(BENCH_LAUNCH(chain_kernel, 1, 128, DYNAMIC_BYTES, nullptr, make_maps(), &seen));
    assert_true(isnan(seen.between[0]));
    assert_true(seen.after[0] == 5 + 32);
  }
}

/* In strict mode a warp needs no other: the one that never comes keeps no one waiting. */
void lonely_warps(Maps, float *out) {
  const Place p = with_operands();
  float d[N / 2];
  if (thread_x() / 32 != 3) {
    in_flight(p, d);
    wgmma_wait<0>();
    out[thread_x()] = d[5];
  }
}
void strict_warps_are_on_their_own(void **state) {
  (void)state;
  float out[96];
  set_options("strict=1");
  assert_runs(BENCH_LAUNCH(lonely_warps, 1, 128, DYNAMIC_BYTES, nullptr, make_maps(), out));
  for (float value : out) {
    assert_true(value == 16);
  }
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(order_is_watched),
      cmocka_unit_test(registers_are_watched),
      cmocka_unit_test(operands_are_watched),
      cmocka_unit_test(warps_are_watched),
      cmocka_unit_test(accumulators_come_with_the_wait),
      cmocka_unit_test(a_chain_is_whole),
      cmocka_unit_test(strict_warps_are_on_their_own),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
