/* Every misuse of mbarriers and of the TMA that the adversary knows, planted once. */
#include "selftest_hopper.h"

namespace {

/* ---- mbarriers ---- */
void no_barrier(Maps) {
  AT mbar_arrive(place_of().bar);
}
void not_aligned(Maps) {
  AT mbar_init(place_of().bar + 4, 1);
}
void no_arrivals(Maps) {
  AT mbar_init(place_of().bar, 0);
}
void made_twice(Maps) {
  mbar_init(place_of().bar, 1);
  AT mbar_init(place_of().bar, 1);
}
void over_arrival(Maps) {
  const Place p = with_barrier(1);
  mbar_expect_tx(p.bar, 16); /* keeps the phase open */
  mbar_arrive(p.bar);
  AT mbar_arrive(p.bar);
}
void phase_not_waited_for(Maps) {
  const Place p = with_barrier(1);
  mbar_arrive(p.bar);
  AT mbar_arrive(p.bar);
}
void written_over(Maps) {
  const Place p = with_barrier(1);
  p.bytes[BAR_OFFSET + 3] = 0;
  AT mbar_arrive(p.bar);
}
void stored_over(Maps) {
  const Place p = with_barrier(1);
  AT store_shared4(p.bar, 5);
}
void wrong_parity(Maps) {
  const Place p = with_barrier(1);
  mbar_arrive(p.bar);
  mbar_wait(p.bar, 0);
  AT mbar_wait(p.bar, 1);
}
void parity_of_two(Maps) {
  const Place p = with_barrier(1);
  AT mbar_wait(p.bar, 2);
}
void arrival_missing(Maps) {
  const Place p = with_barrier(64);
  if (thread_x() < 32) {
    mbar_arrive(p.bar);
  }
  AT mbar_wait(p.bar, 0);
}
void polls_in_vain(Maps) {
  const Place p = with_barrier(2);
  mbar_arrive(p.bar);
  while (true) {
    AT mbar_try_wait(p.bar, 0);
  }
}
void too_many_bytes(Maps) {
  const Place p = with_barrier(1);
  mbar_expect_tx(p.bar, (1 << 20) - 1);
  AT mbar_expect_tx(p.bar, 1);
}
void inval_of_nothing(Maps) {
  AT mbar_inval(place_of().bar);
}
void inval_while_waiting(Maps) {
  const Place p = with_barrier(1);
  BENCH_SHARED(uint64_t, other, [1]);
  if (thread_x() == 0) {
    mbar_wait(p.bar, 0);
  } else if (thread_x() == 1) {
    mbar_init(smem_of(other), 1);
    mbar_try_wait(smem_of(other), 0); /* lets thread 0 go first */
    AT mbar_inval(p.bar);
  }
}
void used_after_inval(Maps) {
  const Place p = with_barrier(1);
  mbar_inval(p.bar);
  AT mbar_try_wait(p.bar, 0);
}
void bytes_left_over(Maps) {
  const Place p = place_of();
  AT mbar_init(p.bar, 1);
  mbar_expect_tx(p.bar, 8);
}

/* ---- loads of the TMA ---- */
void load(const Place &p, const Maps &maps) {
  tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
}

void not_fenced(Maps maps) {
  const Place p = place_of();
  mbar_init(p.bar, 1);
  mbar_arrive_expect_tx(p.bar, BOX_BYTES);
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
}
void fenced_by_another(Maps maps) {
  const Place p = place_of();
  if (thread_x() == 0) {
    mbar_init(p.bar, 1);
  } else {
    mbar_init_fence();
  }
  sync_threads();
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  }
}
void load_with_no_barrier(Maps maps) {
  const Place p = place_of();
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
}
void expects_nothing(Maps maps) {
  const Place p = with_barrier(1);
  if (thread_x() == 0) {
    AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
    mbar_arrive(p.bar); /* ends the phase before the bytes are there, or never */
  }
  mbar_wait(p.bar, 0);
  load_shared4(p.tile);
}
void expects_half(Maps maps) {
  const Place p = with_barrier(1);
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES / 2);
    load(p, maps);
  }
  AT mbar_wait(p.bar, 0);
}
void expects_twice(Maps maps) {
  const Place p = with_barrier(1);
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES * 2);
    load(p, maps);
  }
  AT mbar_wait(p.bar, 0);
}
void read_before_the_wait(Maps maps) {
  const Place p = with_barrier(1);
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    load(p, maps);
    AT load_shared4(p.tile + 64);
  }
}
void written_before_the_wait(Maps maps) {
  const Place p = with_barrier(1);
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    load(p, maps);
    AT store_shared16(p.tile + 64, dev_u128{0, 0, 0, 0});
  }
}
void plainly_written_before_the_wait(Maps maps) {
  const Place p = with_barrier(1);
  mbar_arrive_expect_tx(p.bar, BOX_BYTES);
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  p.bytes[100] = 1;
  mbar_wait(p.bar, 0);
}
void two_loads_to_one_place(Maps maps) {
  const Place p = with_barrier(1);
  mbar_arrive_expect_tx(p.bar, 2 * BOX_BYTES);
  load(p, maps);
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 8);
}
void source_changes(Maps maps) {
  const Place p = with_barrier(1);
  mbar_arrive_expect_tx(p.bar, BOX_BYTES);
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  matrix[5]++;
  mbar_wait(p.bar, 0);
}
void load_never_waited_for(Maps maps) {
  const Place p = with_barrier(1);
  mbar_arrive_expect_tx(p.bar, BOX_BYTES);
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
}
void tile_not_aligned(Maps maps) {
  const Place p = with_barrier(1);
  AT tma_load_2d(p.tile + 128, &maps.wide, p.bar, 0, 0);
}
void tile_outside(Maps maps) {
  const Place p = with_barrier(1);
  AT tma_load_2d(p.tile + DYNAMIC_BYTES, &maps.wide, p.bar, 0, 0);
}
void tile_over_the_barrier(Maps maps) {
  const Place p = with_barrier(1);
  mbar_arrive_expect_tx(p.bar, BOX_BYTES);
  AT tma_load_2d(p.bar, &maps.wide, p.bar, 0, 0);
}
void no_map(Maps maps) {
  const Place p = with_barrier(1);
  maps.wide.opaque[0] = 0;
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
}
void map_of_another_rank(Maps maps) {
  const Place p = with_barrier(1);
  AT tma_load_3d(p.tile, &maps.wide, p.bar, 0, 0, 0);
}

/* ---- stores of the TMA ---- */
Place with_tile() {
  const Place p = place_of();
  for (smem_addr i = 0; i < BOX_BYTES; i += 16) {
    store_shared16(p.tile + i, dev_u128{1, 2, 3, 4});
  }
  fence_proxy_async();
  return p;
}
void store_not_committed(Maps maps) {
  const Place p = with_tile();
  AT tma_store_2d(&maps.wide, p.tile, 0, 0);
  bulk_wait<0>();
}
void store_not_waited_for(Maps maps) {
  const Place p = with_tile();
  AT tma_store_2d(&maps.wide, p.tile, 0, 0);
  bulk_commit();
}
void store_waited_for_too_little(Maps maps) {
  const Place p = with_tile();
  AT tma_reduce_add_2d(&maps.wide, p.tile, 0, 0);
  bulk_commit();
  bulk_wait<1>();
}
void written_before_it_is_read(Maps maps) {
  const Place p = with_tile();
  tma_store_2d(&maps.wide, p.tile, 0, 0);
  bulk_commit();
  AT store_shared4(p.tile, 1);
}
void plainly_written_before_it_is_read(Maps maps) {
  const Place p = with_tile();
  AT tma_store_2d(&maps.wide, p.tile, 0, 0);
  bulk_commit();
  p.bytes[0] = 77;
  bulk_wait<0>();
}
void loaded_over_a_store(Maps maps) {
  const Place p = with_barrier(1);
  with_tile();
  tma_store_2d(&maps.wide, p.tile, 0, 0);
  mbar_arrive_expect_tx(p.bar, BOX_BYTES);
  AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 8);
}
void stored_from_a_load(Maps maps) {
  const Place p = with_barrier(1);
  mbar_arrive_expect_tx(p.bar, BOX_BYTES);
  load(p, maps);
  AT tma_store_2d(&maps.wide, p.tile, 0, 8);
}

void barriers_are_watched(void **state) {
  (void)state;
  EXPECT(no_barrier, 1, "there is no mbarrier");
  EXPECT(not_aligned, 1, "is not a multiple of 8");
  EXPECT(no_arrivals, 1, "0 arrivals");
  EXPECT(made_twice, 1, "there is a barrier");
  EXPECT(over_arrival, 1, "more arrivals than the 1");
  EXPECT(phase_not_waited_for, 1, "no one has waited for the end of the last");
  EXPECT(written_over, 1, "someone wrote over the barrier");
  EXPECT(wrong_parity, 1, "deadlock");
  EXPECT(parity_of_two, 1, "a parity is 0 or 1");
  EXPECT(arrival_missing, 64, "32 of 64 arrivals are missing");
  EXPECT(polls_in_vain, 1, "1 of 2 arrivals are missing");
  EXPECT(too_many_bytes, 1, "a barrier counts up to 1048575 bytes");
  EXPECT(stored_over, 1, "still writes");
  EXPECT(inval_while_waiting, 2, "thread 0 waits for the barrier");
  EXPECT(inval_of_nothing, 1, "there is no mbarrier");
  EXPECT(used_after_inval, 1, "there is no mbarrier");
  EXPECT(bytes_left_over, 1, "8 of the bytes that phase 0 expects");
}

void loads_are_watched(void **state) {
  (void)state;
  EXPECT(not_fenced, 1, "no mbar_init_fence");
  EXPECT(fenced_by_another, 2, "no mbar_init_fence");
  EXPECT(load_with_no_barrier, 1, "there is no mbarrier");
  EXPECT(expects_nothing, 1, "tma_load_2d");
  EXPECT(expects_half, 1, "deadlock");
  EXPECT(expects_twice, 1, "and 1024 bytes");
  EXPECT(read_before_the_wait, 1, "still writes");
  EXPECT(written_before_the_wait, 1, "still writes");
  EXPECT(plainly_written_before_the_wait, 1, "someone wrote to shared address");
  EXPECT(two_loads_to_one_place, 1, "still writes");
  EXPECT(source_changes, 1, "its source changed");
  EXPECT(load_never_waited_for, 1, "ends while the copy is in flight");
  EXPECT(tile_not_aligned, 1, "is not a multiple of 1024");
  EXPECT(tile_outside, 1, "outside of the block's memory");
  EXPECT(tile_over_the_barrier, 1, "still writes");
  EXPECT(no_map, 1, "is no tensor map of 2 dimensions");
  EXPECT(map_of_another_rank, 1, "is no tensor map of 3 dimensions");
}

void stores_are_watched(void **state) {
  (void)state;
  EXPECT(store_not_committed, 1, "has waited for no group");
  EXPECT(store_not_waited_for, 1, "has waited for no group");
  EXPECT(store_waited_for_too_little, 1, "has waited for no group");
  EXPECT(written_before_it_is_read, 1, "still reads");
  EXPECT(plainly_written_before_it_is_read, 1, "changed before the store had read it");
  EXPECT(loaded_over_a_store, 1, "still reads");
  EXPECT(stored_from_a_load, 1, "still writes");
}

/* The rules of cuTensorMapEncodeTiled. */
void bad_maps_are_refused(void **state) {
  (void)state;
  static const struct {
    int rank;
    size_t misplaced; /* bytes */
    int64_t rows;
    int64_t stride;
    int32_t box[2];
    dev_swizzle swizzle;
    bench_code code;
  } maps[] = {
      {2, 0, 64, 128, {64, 8}, SWIZZLE_128B, BENCH_OK},
      {2, 0, 64, 128, {8, 256}, SWIZZLE_NONE, BENCH_OK},
      {5, 0, 64, 128, {64, 8}, SWIZZLE_128B, BENCH_ERR_DEVICE},
      {2, 8, 64, 128, {64, 8}, SWIZZLE_128B, BENCH_ERR_DEVICE},
      {2, 0, 0, 128, {64, 8}, SWIZZLE_128B, BENCH_ERR_DEVICE},
      {2, 0, 64, 120, {64, 8}, SWIZZLE_128B, BENCH_ERR_DEVICE},
      {2, 0, 64, 128, {128, 8}, SWIZZLE_128B, BENCH_ERR_DEVICE}, /* rows longer than the pattern */
      {2, 0, 64, 128, {64, 8}, SWIZZLE_64B, BENCH_ERR_DEVICE},
      {2, 0, 64, 128, {64, 8}, SWIZZLE_32B, BENCH_ERR_DEVICE},
      {2, 0, 64, 128, {64, 257}, SWIZZLE_128B, BENCH_ERR_DEVICE},
      {2, 0, 64, 128, {64, 0}, SWIZZLE_128B, BENCH_ERR_DEVICE},
      {2, 0, 64, 128, {4, 8}, SWIZZLE_NONE, BENCH_ERR_DEVICE}, /* not a multiple of 16 bytes */
  };
  for (const auto &each : maps) {
    dev_tensor_map map;
    const int64_t dims[2] = {COLUMNS, each.rows};
    const char *base = reinterpret_cast<const char *>(matrix) + each.misplaced;
    assert_int_equal(tensor_map_make(&map, BENCH_BF16, each.rank, base, dims, &each.stride,
                                     each.box, each.swizzle),
                     each.code);
  }
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(barriers_are_watched),
      cmocka_unit_test(loads_are_watched),
      cmocka_unit_test(stores_are_watched),
      cmocka_unit_test(bad_maps_are_refused),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
