/* Conformance of mbarriers, elect.sync, setmaxnreg and the rest of sm_90 that moves no data. */
#include "conform.h"
#include "cuda/device.h"

namespace CONFORM_SIDE {

/* ---- phases: one thread does a list of operations, and tells what each test says ---- */
enum Step { END, ARRIVE, EXPECT, ARRIVE_EXPECT, TEST0, TEST1 };
struct Steps {
  int count; /* arrivals of a phase */
  struct {
    int step;
    int bytes;
  } list[16];
};

BENCH_KERNEL_FN(32) void phases_kernel(const Steps *steps, uint32_t *out) {
  BENCH_SHARED(uint64_t, held, [1]);
  const smem_addr bar = smem_of(held);
  if (thread_x() != 0) {
    return;
  }
  mbar_init(bar, (uint32_t)steps->count);
  mbar_init_fence();
  for (int i = 0; i < 16; i++) {
    const uint32_t bytes = (uint32_t)steps->list[i].bytes;
    uint32_t answer = 2;
    switch (steps->list[i].step) {
      case ARRIVE:
        mbar_arrive(bar);
        break;
      case EXPECT:
        mbar_expect_tx(bar, bytes);
        break;
      case ARRIVE_EXPECT:
        mbar_arrive_expect_tx(bar, bytes);
        break;
      case TEST0:
        answer = mbar_try_wait(bar, 0);
        break;
      case TEST1:
        answer = mbar_try_wait(bar, 1);
        break;
      default:
        break;
    }
    out[i] = answer;
  }
  mbar_inval(bar);
}
static bench_code phases_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(phases_kernel, 1, 32, 0, nullptr, static_cast<const Steps *>(in),
                      static_cast<uint32_t *>(out));
}
/* "Phase of the mbarrier object": it begins with phase 0; .parity asks for the end of the phase of
 * that parity, the current one being incomplete and all before it complete. */
static const struct {
  Steps steps;
  uint32_t answers[16];
} phases[] = {
    {{1,
      {{TEST0, 0},
       {TEST1, 0},
       {ARRIVE, 0},
       {TEST0, 0},
       {TEST1, 0},
       {ARRIVE, 0},
       {TEST0, 0},
       {TEST1, 0}}},
     {0, 1, 2, 1, 0, 2, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2}},
    {{2,
      {{ARRIVE, 0},
       {TEST0, 0},
       {ARRIVE, 0},
       {TEST0, 0},
       {ARRIVE, 0},
       {TEST1, 0},
       {ARRIVE, 0},
       {TEST1, 0},
       {TEST0, 0}}},
     {2, 0, 2, 1, 2, 0, 2, 1, 0, 2, 2, 2, 2, 2, 2, 2}},
    {{3, {{ARRIVE, 0}, {ARRIVE, 0}, {TEST0, 0}, {TEST1, 0}, {ARRIVE, 0}, {TEST0, 0}, {TEST1, 0}}},
     {2, 2, 0, 1, 2, 1, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
    /* Bytes hold the phase back: of 0 there is nothing to wait for. */
    {{1, {{ARRIVE_EXPECT, 0}, {TEST0, 0}, {EXPECT, 0}, {ARRIVE, 0}, {TEST1, 0}}},
     {2, 1, 2, 2, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}},
};
static void phases_fill(const conform_case *c, unsigned char *in) {
  memcpy(in, &phases[c->a].steps, sizeof(Steps));
}
static void phases_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)in;
  memcpy(out, phases[c->a].answers, sizeof phases[c->a].answers);
}

/* ---- arrivals of all threads of some warps; the last warp waits, round after round ---- */
BENCH_KERNEL_FN(128) void rounds_kernel(int polls, uint32_t *out) {
  BENCH_SHARED(uint64_t, held, [2]);
  BENCH_SHARED(uint32_t, written, [96]);
  const smem_addr full = smem_of(&held[0]);
  const smem_addr empty = smem_of(&held[1]);
  const int t = thread_x();
  if (t == 0) {
    mbar_init(full, 96);
    mbar_init(empty, 32);
    mbar_init_fence();
  }
  sync_threads();
  for (int round = 0; round < 5; round++) {
    const uint32_t parity = (uint32_t)round & 1;
    if (t < 96) {
      mbar_wait(empty, parity ^ 1); /* passes at once the first time */
      written[t] = (uint32_t)(round * 1000 + t);
      mbar_arrive(full);
    } else {
      if (polls != 0) {
        while (!mbar_try_wait(full, parity)) {
        }
      } else {
        mbar_wait(full, parity);
      }
      for (int i = 0; i < 3; i++) {
        out[round * 96 + i * 32 + t - 96] = written[i * 32 + t - 96];
      }
      mbar_arrive(empty);
    }
  }
}
static bench_code rounds_launch(const conform_case *c, const void *in, void *out) {
  (void)in;
  return BENCH_LAUNCH(rounds_kernel, 1, 128, 0, nullptr, c->a, static_cast<uint32_t *>(out));
}
static void rounds_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  for (size_t i = 0; i < 5 * 96; i++) {
    conform_put(out, i, (uint32_t)(i / 96 * 1000 + i % 96));
  }
}

/* ---- cp_async_mbar_arrive: the barrier ends its phase when the copies of all threads are there
 * ---- */
BENCH_KERNEL_FN(64) void copies_kernel(const unsigned char *in, unsigned char *out) {
  BENCH_SHARED(dev_u128, data, [64]);
  BENCH_SHARED(uint64_t, held, [1]);
  const smem_addr bar = smem_of(held);
  const int t = thread_x();
  if (t == 0) {
    mbar_init(bar, 64);
    mbar_init_fence();
  }
  sync_threads();
  cp_async16(smem_of(&data[t]), in + t * 16);
  cp_async_mbar_arrive(bar);
  mbar_wait(bar, 0);
  store_global16(out + t * 16, load_shared16(smem_of(&data[63 - t])));
}
static bench_code copies_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(copies_kernel, 1, 64, 0, nullptr, static_cast<const unsigned char *>(in),
                      static_cast<unsigned char *>(out));
}
static void copies_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  for (size_t t = 0; t < 64; t++) {
    memcpy(out + t * 16, in + (63 - t) * 16, 16);
  }
}

/* ---- elect.sync: one lane of each warp, and the same one again ---- */
BENCH_KERNEL_FN(64) void elect_kernel(uint32_t *out) {
  const int warp = thread_x() / BENCH_WARP;
  const uint32_t first = warp_ballot(elect_one());
  const uint32_t again = warp_ballot(elect_one());
  if (thread_x() % BENCH_WARP == 0) {
    out[warp * 2] = first != 0 && (first & (first - 1)) == 0;
    out[warp * 2 + 1] = first == again;
  }
}
static bench_code elect_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  (void)in;
  return BENCH_LAUNCH(elect_kernel, 1, 64, 0, nullptr, static_cast<uint32_t *>(out));
}
static void elect_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  for (size_t i = 0; i < 4; i++) {
    conform_put(out, i, 1u);
  }
}

/* ---- setmaxnreg: one warpgroup gives, two take; griddepcontrol: alone, it changes nothing ---- */
BENCH_KERNEL_FN(384) void registers_kernel(uint32_t *out) {
  griddep_wait();
  if (thread_x() < 128) {
    setmaxnreg_dec<24>();
    out[thread_x()] = 24;
  } else {
    setmaxnreg_inc<240>();
    out[thread_x()] = 240;
  }
  griddep_launch();
}
static bench_code registers_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  (void)in;
  return BENCH_LAUNCH(registers_kernel, 1, 384, 0, nullptr, static_cast<uint32_t *>(out));
}
static void registers_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  for (size_t i = 0; i < 384; i++) {
    conform_put(out, i, i < 128 ? 24u : 240u);
  }
}

/* ---- clusters: every block arrives on a barrier of every other, and reads what each wrote ---- */
#define CLUSTER 4
BENCH_KERNEL_FN(32) void cluster_kernel(uint32_t *out) {
  BENCH_SHARED(uint64_t, held, [1]);
  const smem_addr bar = smem_of(held);
  const uint32_t rank = cluster_rank();
  if (thread_x() == 0) {
    mbar_init(bar, CLUSTER);
    mbar_init_fence();
  }
  cluster_arrive();
  cluster_wait(); /* all barriers are there */
  if (thread_x() < CLUSTER) {
    mbar_arrive_cluster(bar, (uint32_t)thread_x());
  }
  mbar_wait(bar, 0);
  cluster_arrive();
  cluster_wait(); /* no block ends while another may still arrive on its barrier */
  if (thread_x() == 0) {
    out[block_x() * 2] = rank;
    /* A block's own place is among the places of all, and they are all different. */
    out[block_x() * 2 + 1] = mapa(bar, 0) != mapa(bar, 1) && mapa(bar, 2) != mapa(bar, 3);
  }
}
static bench_code cluster_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  (void)in;
  return BENCH_LAUNCH_CLUSTER(cluster_kernel, CLUSTER, 2 * CLUSTER, 32, 0, nullptr,
                              static_cast<uint32_t *>(out));
}
static void cluster_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  for (size_t block = 0; block < 2 * CLUSTER; block++) {
    conform_put(out, block * 2, (uint32_t)(block % CLUSTER));
    conform_put(out, block * 2 + 1, 1u);
  }
}

#define PHASES(name, which) \
  { name, 90, sizeof(Steps), 16 * 4, phases_fill, phases_launch, phases_expect, 0, which, 0, 0, 0 }
static const conform_case cases[] = {
    PHASES("mbar_init, mbar_arrive, mbar_try_wait: count 1", 0),
    PHASES("mbar_arrive, mbar_try_wait: count 2", 1),
    PHASES("mbar_arrive, mbar_try_wait, mbar_inval: count 3", 2),
    PHASES("mbar_expect_tx, mbar_arrive_expect_tx: no bytes", 3),
    {"mbar_wait, mbar_init_fence: rounds", 90, 0, 5 * 96 * 4, nullptr, rounds_launch, rounds_expect,
     0, 0, 0, 0, 0},
    {"mbar_try_wait: rounds", 90, 0, 5 * 96 * 4, nullptr, rounds_launch, rounds_expect, 0, 1, 0, 0,
     0},
    {"cp_async_mbar_arrive", 90, 64 * 16, 64 * 16, nullptr, copies_launch, copies_expect, 0, 0, 0,
     0, 0},
    {"elect_one", 90, 0, 4 * 4, nullptr, elect_launch, elect_expect, 0, 0, 0, 0, 0},
    {"setmaxnreg_inc, setmaxnreg_dec, griddep_wait, griddep_launch", 90, 0, 384 * 4, nullptr,
     registers_launch, registers_expect, 0, 0, 0, 0, 0},
    {"cluster_rank, cluster_arrive, cluster_wait, mapa, mbar_arrive_cluster", 90, 0,
     2 * CLUSTER * 2 * 4, nullptr, cluster_launch, cluster_expect, 0, 0, 0, 0, 0},
};
CONFORM_TABLE(barrier) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
