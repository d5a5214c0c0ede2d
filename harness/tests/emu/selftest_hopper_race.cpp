/* Race mode and the operations of sm_90: what they order is not flagged, what they leave open is,
 * in every schedule. This file is compiled as kernels are for that mode. */
#include "selftest_hopper.h"

namespace {

const char *const race_modes[] = {"race=1", "race=1,schedule=lifo", "race=1,schedule=random:9",
                                  nullptr};
#define EXPECT_RACE(kernel, threads, text) \
  expect_fault(race_modes, 1, kernel, threads, __FILE__, text)

void expect_none(void (*kernel)(Maps), int threads) {
  for (const char *const *mode = race_modes; *mode != nullptr; mode++) {
    set_options(*mode);
    assert_runs(BENCH_LAUNCH_CLUSTER(kernel, 1, 1, threads, DYNAMIC_BYTES, nullptr, make_maps()));
  }
}
volatile int sink;

/* ---- an mbarrier orders what was before an arrival and what is after the wait ---- */
template <bool ARRIVES_AFTER>
void hand_over(Maps) {
  const Place p = with_barrier(1);
  volatile unsigned char *cell = p.bytes;
  if (thread_x() == 0) {
    if (ARRIVES_AFTER) {
      cell[0] = 1;
      mbar_arrive(p.bar);
    } else {
      mbar_arrive(p.bar);
      AT cell[0] = 1;
    }
  } else if (thread_x() == 32) {
    mbar_wait(p.bar, 0);
    sink = cell[0];
  }
}
/* The second phase's wait knows of the second phase's arrivals. */
void two_phases(Maps) {
  const Place p = with_barrier(1);
  volatile unsigned char *cell = p.bytes;
  if (thread_x() == 0) {
    for (int i = 0; i < 4; i++) {
      mbar_wait(p.bar + 8, (uint32_t)(i & 1) ^ 1);
      cell[i & 1] = (unsigned char)i;
      mbar_arrive(p.bar);
    }
  } else if (thread_x() == 32) {
    for (int i = 0; i < 4; i++) {
      mbar_wait(p.bar, (uint32_t)(i & 1));
      sink = cell[i & 1];
      mbar_arrive(p.bar + 8);
    }
  }
}
void two_barriers(Maps maps) {
  const Place p = place_of();
  if (thread_x() == 0) {
    mbar_init(p.bar + 8, 1);
  }
  sync_threads();
  two_phases(maps);
}

/* ---- made, and used with nothing between ---- */
void used_unordered(Maps) {
  const Place p = place_of();
  BENCH_SHARED(uint64_t, first, [1]);
  if (thread_x() == 0) {
    AT mbar_init(p.bar, 1);
    mbar_init_fence();
  } else if (thread_x() == 32) {
    mbar_init(smem_of(first), 1);
    for (int i = 0; i < 3; i++) { /* by then the other has made it, but nothing says so */
      mbar_try_wait(smem_of(first), 0);
    }
    mbar_try_wait(p.bar, 1);
  }
}

/* Lets all others go first, a few times over. */
void pass_time(smem_addr idle, int times) {
  for (int i = 0; i < times; i++) {
    mbar_try_wait(idle, 0);
  }
}
/* A barrier of its own for that, which no one arrives on. */
void with_idle(const Place &p) {
  if (thread_x() == 0) {
    mbar_init(p.bar + 32, 1);
  }
  sync_threads();
}

/* The fence is executed before the load, but nothing orders the two. */
void fenced_unordered(Maps maps) {
  const Place p = place_of();
  with_idle(p);
  if (thread_x() == 0) {
    mbar_init(p.bar, 1);
  }
  sync_threads();
  if (thread_x() == 0) {
    mbar_init_fence();
  } else if (thread_x() == 32) {
    pass_time(p.bar + 32, 3);
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  }
}

/* Who waits for the second phase alone knows nothing of the first. */
void late_comer(Maps) {
  const Place p = with_barrier(1);
  with_idle(p);
  volatile unsigned char *cell = p.bytes;
  switch (thread_x()) {
    case 0:
      cell[0] = 1;
      mbar_arrive(p.bar);
      break;
    case 32:
      mbar_wait(p.bar, 0);
      break;
    case 64: /* ends the second phase, knowing nothing of the first */
      pass_time(p.bar + 32, 8);
      mbar_arrive(p.bar);
      break;
    case 96:
      pass_time(p.bar + 32, 4);
      mbar_wait(p.bar, 1);
      AT sink = cell[0];
      break;
    default:
      break;
  }
}

/* ---- the TMA: its write is known to who waits for the barrier, and to no one else ---- */
template <bool WAITS>
void loaded(Maps maps) {
  const Place p = with_barrier(1);
  BENCH_SHARED(uint64_t, go, [1]);
  volatile unsigned char *cell = p.bytes;
  if (thread_x() == 0) {
    mbar_init(smem_of(go), 1);
  }
  sync_threads();
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
    if (!WAITS) {
      for (int i = 0; i < 3; i++) {
        mbar_try_wait(smem_of(go), 0); /* it lands meanwhile */
      }
    }
    mbar_arrive(smem_of(go));
  }
  mbar_wait(smem_of(go), 0);
  if (WAITS) {
    mbar_wait(p.bar, 0);
  }
  sink = cell[64];
  mbar_wait(p.bar, 0);
}
/* Read before, and loaded over with nothing to say that the reading is done. */
template <bool ARRIVES>
void loaded_over_reads(Maps maps) {
  const Place p = with_barrier(1);
  BENCH_SHARED(uint64_t, free_bar, [1]);
  volatile unsigned char *cell = p.bytes;
  if (thread_x() == 0) {
    mbar_init(smem_of(free_bar), ARRIVES ? 33 : 1);
  }
  sync_threads();
  if (thread_x() >= 32) {
    sink = cell[8];
    if (ARRIVES) {
      mbar_arrive(smem_of(free_bar));
    }
  }
  if (thread_x() == 0) {
    mbar_arrive(smem_of(free_bar));
    mbar_wait(smem_of(free_bar), 0);
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    AT tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  }
  mbar_wait(p.bar, 0);
}

/* ---- the asynchronous proxy: generic writes need a fence and an order ---- */
enum Way { FENCED, NOT_FENCED, FENCED_TOO_LATE, FENCED_BY_THE_READER };
template <Way WAY>
void stored_out(Maps maps) {
  const Place p = place_of();
  for (int i = thread_x() * 16; i < BOX_BYTES; i += block_dim_x() * 16) {
    store_shared16(p.tile + (smem_addr)i, dev_u128{1, 2, 3, 4});
  }
  if (WAY == FENCED) {
    fence_proxy_async();
  }
  sync_threads();
  if (WAY == FENCED_TOO_LATE && thread_x() != 0) {
    fence_proxy_async();
  }
  if (thread_x() == 0) {
    if (WAY == FENCED_BY_THE_READER) {
      fence_proxy_async(); /* it has seen the others' writes */
    }
    AT tma_store_2d(&maps.wide, p.tile, 0, 0);
    bulk_commit();
    bulk_wait<0>();
  }
}
/* The fence has to stand before the store is issued, not before it is waited for. */
void fenced_after_issue(Maps maps) {
  const Place p = place_of();
  for (int i = 0; i < BOX_BYTES; i += 16) {
    store_shared16(p.tile + (smem_addr)i, dev_u128{1, 2, 3, 4});
  }
  AT tma_store_2d(&maps.wide, p.tile, 0, 0);
  fence_proxy_async();
  bulk_commit();
  bulk_wait<0>();
}
/* The store reads until it is waited for: an arrival before that frees nothing. */
void freed_before_the_wait(Maps maps) {
  const Place p = with_barrier(1);
  with_idle(p);
  volatile unsigned char *cell = p.bytes;
  if (thread_x() == 0) {
    for (int i = 0; i < BOX_BYTES; i += 16) {
      store_shared16(p.tile + (smem_addr)i, dev_u128{1, 2, 3, 4});
    }
    fence_proxy_async();
    AT tma_store_2d(&maps.wide, p.tile, 0, 0);
    bulk_commit();
    mbar_arrive(p.bar);
    bulk_wait_read<0>();
  } else if (thread_x() == 32) {
    mbar_wait(p.bar, 0);
    pass_time(p.bar + 32, 3); /* by then it has read */
    cell[0] = 5;
  }
}
template <bool FENCES>
void multiplied(Maps) {
  const Place p = place_of();
  for (int i = thread_x() * 16; i < 16384; i += 128 * 16) {
    store_shared16(p.tile + (smem_addr)i, dev_u128{0, 0, 0, 0});
  }
  if (FENCES) {
    fence_proxy_async();
  }
  sync_threads();
  float d[32];
  wgmma_fence();
  const uint64_t a = wgmma_desc(p.tile, 16, 1024, SWIZZLE_128B);
  const uint64_t b = wgmma_desc(p.tile + 8192, 16, 1024, SWIZZLE_128B);
  AT(wgmma_ss<dev_bf16, 64, false, false>(d, a, b, false));
  wgmma_commit();
  wgmma_wait<0>();
}

/* ---- wgmma reads until the wait: an arrival before it frees nothing ---- */
enum Arrival { BY_WARP, BY_WARPGROUP, BEFORE_THE_WAIT };
template <Arrival ARRIVAL>
void freed(Maps maps) {
  const Place p = with_barrier(1);
  BENCH_SHARED(uint64_t, free_bar, [1]);
  if (thread_x() == 0) {
    mbar_init(smem_of(free_bar), ARRIVAL == BY_WARPGROUP ? 1 : 4);
  }
  for (int i = thread_x() * 16; i < 16384; i += block_dim_x() * 16) {
    store_shared16(p.tile + (smem_addr)i, dev_u128{0, 0, 0, 0});
  }
  fence_proxy_async();
  sync_threads();
  if (thread_x() < 128) {
    float d[32];
    const int arriving = ARRIVAL == BY_WARPGROUP ? 128 : 32;
    wgmma_fence();
    const uint64_t a = wgmma_desc(p.tile, 16, 1024, SWIZZLE_128B);
    const uint64_t b = wgmma_desc(p.tile + 8192, 16, 1024, SWIZZLE_128B);
    if (ARRIVAL == BEFORE_THE_WAIT) {
      AT(wgmma_ss<dev_bf16, 64, false, false>(d, a, b, false));
      wgmma_commit();
      if (thread_x() % arriving == 0) {
        mbar_arrive(smem_of(free_bar));
      }
      wgmma_wait<0>();
    } else {
      AT(wgmma_ss<dev_bf16, 64, false, false>(d, a, b, false));
      wgmma_commit();
      wgmma_wait<0>();
      if (thread_x() % arriving == 0) {
        mbar_arrive(smem_of(free_bar));
      }
    }
  } else if (thread_x() == 128) {
    mbar_wait(smem_of(free_bar), 0);
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    tma_load_2d(p.tile + 8192, &maps.wide, p.bar, 0, 0);
    mbar_wait(p.bar, 0);
  }
}

void barriers_order(void **state) {
  (void)state;
  expect_none(hand_over<true>, 64);
  EXPECT_RACE(hand_over<false>, 64, "nothing orders the two");
  expect_none(two_barriers, 64);
  EXPECT_RACE(used_unordered, 64, "nothing orders the two");
  EXPECT_RACE(fenced_unordered, 64, "no mbar_init_fence stands between");
  EXPECT_RACE(late_comer, 128, "nothing orders the two");
}
void loads_order(void **state) {
  (void)state;
  expect_none(loaded<true>, 64);
  EXPECT_RACE(loaded<false>, 64, "reads shared address");
  expect_none(loaded_over_reads<true>, 64);
  EXPECT_RACE(loaded_over_reads<false>, 64, "nothing orders the two");
}
void proxies_need_a_fence(void **state) {
  (void)state;
  expect_none(stored_out<FENCED>, 64);
  expect_none(stored_out<FENCED_BY_THE_READER>, 64);
  EXPECT_RACE(stored_out<NOT_FENCED>, 64, "no fence.proxy.async stands between");
  EXPECT_RACE(stored_out<FENCED_TOO_LATE>, 64, "no fence.proxy.async stands between");
  EXPECT_RACE(fenced_after_issue, 1, "no fence.proxy.async stands between");
  EXPECT_RACE(freed_before_the_wait, 64, "writes shared address");
  expect_none(multiplied<true>, 128);
  EXPECT_RACE(multiplied<false>, 128, "no fence.proxy.async stands between");
}
/* A warp knows of its warpgroup's reading, or in strict mode of its own alone. */
void waits_end_the_reading(void **state) {
  (void)state;
  static const char *const strict[] = {"race=1,strict=1", "race=1,strict=1,schedule=lifo",
                                       "race=1,strict=1,schedule=random:4", nullptr};
  expect_none(freed<BY_WARP>, 160);
  expect_none(freed<BY_WARPGROUP>, 160);
  EXPECT_RACE(freed<BEFORE_THE_WAIT>, 160, "writes shared address");
  for (const char *const *mode = strict; *mode != nullptr; mode++) {
    set_options(*mode);
    assert_runs(BENCH_LAUNCH(freed<BY_WARP>, 1, 160, DYNAMIC_BYTES, nullptr, make_maps()));
  }
  expect_fault(strict, 1, freed<BY_WARPGROUP>, 160, __FILE__, "writes shared address");
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(barriers_order),
      cmocka_unit_test(loads_order),
      cmocka_unit_test(proxies_need_a_fence),
      cmocka_unit_test(waits_end_the_reading),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
