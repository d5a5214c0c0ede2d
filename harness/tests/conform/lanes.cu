/* Conformance of what lanes and blocks exchange: shuffles, votes, barriers, atomics. */
#include "conform.h"
#include "cuda/device.h"

namespace CONFORM_SIDE {

/* ---- shuffles: every lane of one warp; the operand of lane l is in[32 + l] ---- */
enum Shuffle { LANE, XOR, DOWN, UP };

template <typename T>
BENCH_DEVICE_FN T shuffle(int kind, T value, int operand) {
  switch (kind) {
    case LANE:
      return shfl(value, operand);
    case XOR:
      return shfl_xor(value, operand);
    case DOWN:
      return shfl_down(value, operand);
    default:
      return shfl_up(value, operand);
  }
}

template <typename T>
BENCH_KERNEL_FN(32)
void shuffle_kernel(int kind, int operand, const T *in, T *out) {
  const T value = in[thread_x()];
  out[thread_x()] = shuffle(kind, value, kind == LANE ? (thread_x() * 5 + operand) & 31 : operand);
}

template <typename T>
static bench_code shuffle_launch(const conform_case *c, const void *in, void *out) {
  return BENCH_LAUNCH(shuffle_kernel<T>, 1, 32, 0, nullptr, c->a, c->b, static_cast<const T *>(in),
                      static_cast<T *>(out));
}

/* "shfl.sync" with c = 0x1f: a source lane outside of the warp leaves the lane's own value. */
static void shuffle_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  for (int lane = 0; lane < 32; lane++) {
    int from = lane;
    switch (c->a) {
      case LANE:
        from = (lane * 5 + c->b) & 31;
        break;
      case XOR:
        from = lane ^ c->b;
        break;
      case DOWN:
        from = lane + c->b > 31 ? lane : lane + c->b;
        break;
      default:
        from = lane < c->b ? lane : lane - c->b;
        break;
    }
    conform_put(out, (size_t)lane, conform_at<uint32_t>(in, (size_t)from));
  }
}

/* Bytes of a float that are no NaN. */
static void shuffle_fill(const conform_case *c, unsigned char *in) {
  (void)c;
  for (size_t i = 0; i < 32; i++) {
    conform_put(in, i, (uint32_t)(0x3f800000u + i * 0x00110101u));
  }
}

/* ---- places: a grid of 3 blocks of 64 threads ---- */
template <typename T>
BENCH_KERNEL_FN_BLOCKS(64, 4)
void place_kernel(const T *in, T *out) {
  const int64_t me = block_x() * block_dim_x() + thread_x();
  out[me] = (T)(load_global(in + me) + (T)(grid_x() * 1000 + block_dim_x()));
}
template <typename T>
static bench_code place_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(place_kernel<T>, 3, 64, 0, nullptr, static_cast<const T *>(in),
                      static_cast<T *>(out));
}
template <typename T>
static void place_fill(const conform_case *c, unsigned char *in) {
  (void)c;
  for (size_t i = 0; i < 192; i++) {
    conform_put(in, i, (T)(i * 3));
  }
}
template <typename T>
static void place_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  for (size_t i = 0; i < 192; i++) {
    conform_put(out, i, (T)(i * 3 + 3064));
  }
}

/* ---- votes ---- */
BENCH_KERNEL_FN(32) void vote_kernel(const uint32_t *in, uint32_t *out) {
  const int lane = thread_x();
  for (int round = 0; round < 4; round++) {
    const bool said = (in[round] >> lane & 1) != 0;
    out[round * 96 + lane] = warp_ballot(said);
    out[round * 96 + 32 + lane] = warp_any(said);
    out[round * 96 + 64 + lane] = warp_all(said);
  }
}
static bench_code vote_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(vote_kernel, 1, 32, 0, nullptr, static_cast<const uint32_t *>(in),
                      static_cast<uint32_t *>(out));
}
static void vote_fill(const conform_case *c, unsigned char *in) {
  (void)c;
  static const uint32_t said[4] = {0, 0xffffffffu, 0x80000001u, 0x0f0ff0f0u};
  memcpy(in, said, sizeof said);
}
static void vote_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  for (size_t round = 0; round < 4; round++) {
    const uint32_t said = conform_at<uint32_t>(in, round);
    for (size_t lane = 0; lane < 32; lane++) {
      conform_put(out, round * 96 + lane, said);
      conform_put(out, round * 96 + 32 + lane, (uint32_t)(said != 0));
      conform_put(out, round * 96 + 64 + lane, (uint32_t)(said == 0xffffffffu));
    }
  }
}

/* ---- barriers: each round one thread writes what all read after it ---- */
BENCH_KERNEL_FN(96) void barrier_kernel(int kind, uint32_t *out) {
  BENCH_SHARED(uint32_t, said, [3]);
  const int warp = thread_x() / BENCH_WARP;
  for (int round = 0; round < 3; round++) {
    uint32_t answer = 0;
    if (kind == 0) {
      if (thread_x() == round * 40) {
        said[round] = 100u + (uint32_t)round;
      }
      sync_threads();
      answer = said[round];
    } else if (kind == 1) {
      answer = sync_threads_or(round == 1 ? thread_x() == 77 : round == 2);
    } else if (warp == 0) { /* tells the other two, and does not wait for them */
      if (thread_x() == 5) {
        said[round] = 200u + (uint32_t)round;
      }
      sync_warp();
      bar_arrive<2>(96);
      bar_sync<7>(96); /* until they have read */
    } else {
      bar_sync<2>(96);
      answer = said[round];
      bar_arrive<7>(96);
    }
    out[round * 96 + thread_x()] = answer;
  }
}
static bench_code barrier_launch(const conform_case *c, const void *in, void *out) {
  (void)in;
  return BENCH_LAUNCH(barrier_kernel, 1, 96, 0, nullptr, c->a, static_cast<uint32_t *>(out));
}
static void barrier_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)in;
  for (size_t round = 0; round < 3; round++) {
    for (size_t thread = 0; thread < 96; thread++) {
      const uint32_t or_said = round > 0;
      const uint32_t named = thread < 32 ? 0 : 200 + (uint32_t)round;
      conform_put(out, round * 96 + thread,
                  c->a == 0   ? 100 + (uint32_t)round
                  : c->a == 1 ? or_said
                              : named);
    }
  }
}

/* ---- atomics: 4 blocks of 64 threads on one place; the last block reads what all wrote ---- */
struct Atomics {
  uint32_t added;
  float added_float;
  int32_t most;
  uint32_t exchanged;
  uint32_t seen_before; /* sum of what the first atomic gave back: 0 + 1 + ... */
  uint32_t published;   /* by store_release, read by load_acquire */
  uint32_t handed[4];
  uint32_t gathered;
};
BENCH_KERNEL_FN(32) void atomics_begin(Atomics *all) {
  all->added_float = 0;
}
BENCH_KERNEL_FN(64) void atomics_kernel(Atomics *all) {
  const uint32_t me = (uint32_t)(block_x() * 64 + thread_x());
  const uint32_t before = atomic_add(&all->added, 1u);
  atomic_add(&all->seen_before, before);
  atomic_add(&all->added_float, 0.5f);
  atomic_max(&all->most, (int32_t)me - 200);
  if (me == 70) {
    atomic_exch(&all->exchanged, 42u);
  }
  if (thread_x() == 0) {
    all->handed[block_x()] = 1000u + (uint32_t)block_x();
    fence_device();
    if (atomic_add(&all->published, 1u) == 2) { /* from -1: the last of the four */
      fence_device();
      store_release(&all->gathered, all->handed[0] + all->handed[1] + all->handed[2] +
                                        all->handed[3] + load_acquire(&all->published));
    }
  }
}
static bench_code atomics_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  (void)in;
  const bench_code code =
      BENCH_LAUNCH(atomics_begin, 1, 1, 0, nullptr, static_cast<Atomics *>(out));
  if (code != BENCH_OK) {
    return code;
  }
  return BENCH_LAUNCH(atomics_kernel, 4, 64, 0, nullptr, static_cast<Atomics *>(out));
}
/* From all bytes 0xff, which is -1: the sums of integers start there. */
static void atomics_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  Atomics all;
  memset(&all, 0xff, sizeof all);
  all.added = 255;
  all.seen_before = (uint32_t)-1 + (uint32_t)(255 * 254 / 2 - 1); /* -1, 0, 1, ... 254 */
  all.added_float = 128;
  all.most = 55;
  all.exchanged = 42;
  all.published = 3;
  for (uint32_t i = 0; i < 4; i++) {
    all.handed[i] = 1000 + i;
  }
  all.gathered = 4006 + 3;
  memcpy(out, &all, sizeof all);
}

#define PLACE(type)                                                                               \
  {                                                                                               \
    "thread_x, block_dim_x, block_x, grid_x, load_global " #type, 80, 192 * sizeof(type),         \
        192 * sizeof(type), place_fill<type>, place_launch<type>, place_expect<type>, 0, 0, 0, 0, \
        0                                                                                         \
  }
#define SHUFFLE(type, kind, operand)                                                           \
  {                                                                                            \
    "shuffle " #type " " #kind " " #operand, 80, 128, 128, shuffle_fill, shuffle_launch<type>, \
        shuffle_expect, 0, kind, operand, 0, 0                                                 \
  }
static const conform_case cases[] = {
    PLACE(float),
    PLACE(int64_t),
    PLACE(uint64_t),
    SHUFFLE(float, LANE, 3),
    SHUFFLE(int, LANE, 0),
    SHUFFLE(uint32_t, LANE, 31),
    SHUFFLE(float, XOR, 1),
    SHUFFLE(float, XOR, 16),
    SHUFFLE(int, XOR, 31),
    SHUFFLE(uint32_t, XOR, 2),
    SHUFFLE(float, DOWN, 1),
    SHUFFLE(int, DOWN, 16),
    SHUFFLE(uint32_t, DOWN, 31),
    SHUFFLE(float, UP, 1),
    SHUFFLE(int, UP, 8),
    SHUFFLE(uint32_t, UP, 31),
    {"warp_ballot, warp_any, warp_all", 80, 16, 4 * 96 * 4, vote_fill, vote_launch, vote_expect, 0,
     0, 0, 0, 0},
    {"sync_threads", 80, 0, 3 * 96 * 4, nullptr, barrier_launch, barrier_expect, 0, 0, 0, 0, 0},
    {"sync_threads_or", 80, 0, 3 * 96 * 4, nullptr, barrier_launch, barrier_expect, 0, 1, 0, 0, 0},
    {"bar_sync, bar_arrive", 80, 0, 3 * 96 * 4, nullptr, barrier_launch, barrier_expect, 0, 2, 0, 0,
     0},
    {"atomics, fence_device, load_acquire, store_release", 80, 0, sizeof(Atomics), nullptr,
     atomics_launch, atomics_expect, 0, 0, 0, 0, 0},
};
CONFORM_TABLE(lanes) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
