/* Misuse of clusters, setmaxnreg, elect.sync and stmatrix, planted once each. */
#include "selftest_hopper.h"

namespace {

/* ---- clusters ---- */
void arrives_twice(Maps) {
  cluster_arrive();
  AT cluster_arrive();
}
void waits_without_arriving(Maps) {
  AT cluster_wait();
}
void one_block_stays_away(Maps) {
  if (cluster_rank() == 0) {
    cluster_arrive();
    AT cluster_wait();
  } else {
    while (true) {
      bar_sync<1>(64); /* for a warp that there is not */
    }
  }
}
void no_such_block(Maps) {
  AT mapa(place_of().tile, 2);
}
void waits_on_another_block(Maps) {
  const Place p = with_barrier(1);
  cluster_arrive();
  cluster_wait();
  AT mbar_wait(mapa(p.bar, cluster_rank() ^ 1), 0);
}
/* The other block's barrier is there, but its init was not fenced. */
void not_fenced_for_others(Maps) {
  const Place p = place_of();
  mbar_init(p.bar, 1);
  cluster_arrive();
  cluster_wait();
  AT mbar_arrive_cluster(p.bar, cluster_rank() ^ 1);
}
void block_has_ended(Maps) {
  const Place p = with_barrier(1);
  cluster_arrive();
  if (cluster_rank() == 1) {
    cluster_wait();
    return;
  }
  cluster_wait();
  while (true) { /* until the other block has ended */
    AT mbar_arrive_cluster(p.bar, 1);
    mbar_try_wait(p.bar, 0);
  }
}
void multicast_to_an_ended_block(Maps maps) {
  const Place p = with_barrier(1);
  cluster_arrive();
  cluster_wait();
  if (cluster_rank() == 0) {
    mbar_try_wait(p.bar, 0); /* the other block goes first */
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    AT tma_load_2d_multicast(p.tile, &maps.wide, p.bar, 0, 0, 3);
    mbar_wait(p.bar, 0);
  }
}

/* Threads that have ended are not waited for. */
void some_end(Maps, uint32_t *out) {
  if (thread_x() >= 40) {
    return;
  }
  cluster_arrive();
  cluster_wait();
  out[block_x() * 40 + thread_x()] = cluster_rank() + 1;
}

/* ---- registers ---- */
void no_multiple_of_eight(Maps) {
  AT emu::set_registers(100, false, {__FILE__, __LINE__});
}
void too_few(Maps) {
  AT setmaxnreg_dec<24>();
  AT emu::set_registers(16, false, {__FILE__, __LINE__});
}
void grows_downwards(Maps) {
  AT setmaxnreg_inc<104>(); /* 168 are there */
}
void shrinks_upwards(Maps) {
  AT setmaxnreg_dec<240>();
}
void more_than_there_are(Maps) {
  if (thread_x() < 128) {
    setmaxnreg_dec<40>();
  } else {
    AT setmaxnreg_inc<240>(); /* 40 + 2 * 240 are more than 3 * 168 */
  }
}
void one_warp_alone(Maps) {
  if (thread_x() < 32) {
    setmaxnreg_dec<40>();
  }
  sync_threads();
  AT sync_threads();
}

/* ---- warps ---- */
void elects_apart(Maps) {
  if (thread_x() < 16) {
    elect_one();
  } else {
    AT sync_warp();
  }
}
void matrix_row_not_aligned(Maps) {
  const uint32_t r[1] = {0};
  AT stmatrix_x1(place_of().tile + 8, r);
}
void matrix_over_a_copy(Maps maps) {
  const Place p = with_barrier(1);
  if (thread_x() == 0) {
    mbar_arrive_expect_tx(p.bar, BOX_BYTES);
    tma_load_2d(p.tile, &maps.wide, p.bar, 0, 0);
  }
  const uint32_t r[2] = {0, 0};
  AT stmatrix_x2(p.tile + 16 * (smem_addr)thread_x(), r);
}

void clusters_are_watched(void **state) {
  (void)state;
  EXPECT_IN_CLUSTER(arrives_twice, 32, "arrives twice");
  EXPECT_IN_CLUSTER(waits_without_arriving, 32, "has not arrived");
  EXPECT_IN_CLUSTER(one_block_stays_away, 32, "32 of 64 threads of the cluster have come");
  EXPECT_IN_CLUSTER(no_such_block, 32, "block 2 of a cluster of 2");
  EXPECT_IN_CLUSTER(waits_on_another_block, 32, "which can only be arrived on");
  EXPECT_IN_CLUSTER(not_fenced_for_others, 1, "with no mbar_init_fence after it");
  EXPECT_IN_CLUSTER(block_has_ended, 1, "mbar_arrive_cluster");
  EXPECT_IN_CLUSTER(multicast_to_an_ended_block, 1, "has ended");
}
void ended_threads_are_not_waited_for(void **state) {
  (void)state;
  for (const char *const *mode = every_mode; *mode != nullptr; mode++) {
    set_options(*mode);
    uint32_t out[80] = {0};
    assert_runs(BENCH_LAUNCH_CLUSTER(some_end, 2, 2, 64, 0, nullptr, make_maps(), out));
    for (int i = 0; i < 80; i++) {
      assert_int_equal(out[i], i / 40 + 1);
    }
  }
}
void registers_are_counted(void **state) {
  (void)state;
  EXPECT(no_multiple_of_eight, 128, "a multiple of 8 from 24 to 256");
  EXPECT(too_few, 128, "a multiple of 8 from 24 to 256");
  EXPECT(grows_downwards, 384, "from 168 registers to 104 is no increase");
  EXPECT(shrinks_upwards, 384, "from 168 registers to 240 is no decrease");
  EXPECT(more_than_there_are, 384, "are left for all threads");
  EXPECT(one_warp_alone, 128, "not executed by all warps of warpgroup 0");
}
void warps_are_watched(void **state) {
  (void)state;
  EXPECT(elects_apart, 32, "diverges");
  EXPECT(matrix_row_not_aligned, 32, "is not a multiple of 16");
  EXPECT(matrix_over_a_copy, 32, "still writes");
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(clusters_are_watched),
      cmocka_unit_test(ended_threads_are_not_waited_for),
      cmocka_unit_test(registers_are_counted),
      cmocka_unit_test(warps_are_watched),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
