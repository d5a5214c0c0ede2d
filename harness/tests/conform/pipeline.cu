/* Conformance of all of it together: the pipeline of an attention kernel of sm_90, without softmax.
 *
 * O = (Q K^T) V for 128 rows a block. One warp brings tiles of K and V through a ring of two
 * stages, which it laps three times; two warpgroups multiply, S from shared memory and then, as the
 * A of the next product, from registers; O goes out through shared memory. Values are -1, 0 and 1,
 * so that all sums are exact, and a row that the TMA fills with zeros adds nothing. */
#include "conform.h"
#include "cuda/device.h"

namespace CONFORM_SIDE {

#define DIM 64  /* of a head: a row is 128 bytes, one span of the swizzle */
#define ROWS 64 /* of Q for a warpgroup */
#define KEYS 64 /* of a tile */
#define STAGES 2
#define GROUPS 2 /* that multiply */
#define THREADS ((1 + GROUPS) * 128)
#define TILE_BYTES (64 * DIM * 2)
#define SMEM_BYTES ((GROUPS + 2 * STAGES) * TILE_BYTES + 1024)
#define ATOM_BYTES 1024 /* 8 rows of 128 bytes */

struct Ring {
  smem_addr tiles; /* Q of each group, then K and V of each stage */
  smem_addr full;  /* barriers, 8 bytes each */
  smem_addr empty;
  smem_addr q_full;
};
BENCH_DEVICE_FN smem_addr q_tile(const Ring &ring, int group) {
  return ring.tiles + (smem_addr)(group * TILE_BYTES);
}
BENCH_DEVICE_FN smem_addr k_tile(const Ring &ring, int stage) {
  return ring.tiles + (smem_addr)((GROUPS + 2 * stage) * TILE_BYTES);
}
BENCH_DEVICE_FN smem_addr v_tile(const Ring &ring, int stage) {
  return k_tile(ring, stage) + TILE_BYTES;
}

BENCH_DEVICE_FN void produce(const Ring &ring, const dev_tensor_map *q, const dev_tensor_map *k,
                             const dev_tensor_map *v, int first_row, int tiles) {
  tma_prefetch(k);
  tma_prefetch(v);
  mbar_arrive_expect_tx(ring.q_full, GROUPS * TILE_BYTES);
  for (int group = 0; group < GROUPS; group++) {
    tma_load_2d(q_tile(ring, group), q, ring.q_full, 0, first_row + group * ROWS);
  }
  for (int tile = 0; tile < tiles; tile++) {
    const int stage = tile % STAGES;
    const uint32_t lap = (uint32_t)(tile / STAGES);
    mbar_wait(ring.empty + (smem_addr)stage * 8, (lap & 1) ^ 1); /* the first lap passes at once */
    const smem_addr full = ring.full + (smem_addr)stage * 8;
    mbar_arrive_expect_tx(full, 2 * TILE_BYTES);
    tma_load_2d(k_tile(ring, stage), k, full, 0, tile * KEYS);
    tma_load_2d(v_tile(ring, stage), v, full, 0, tile * KEYS);
  }
}

/* O += (Q K^T) V for one tile. S is rounded to bf16, which holds it exactly. */
BENCH_DEVICE_FN void multiply(const Ring &ring, int group, int stage, float (&o)[DIM / 2]) {
  float s[KEYS / 2];
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < DIM / 16; step++) {
    const uint64_t a =
        wgmma_desc(q_tile(ring, group) + (smem_addr)step * 32, 16, ATOM_BYTES, SWIZZLE_128B);
    const uint64_t b =
        wgmma_desc(k_tile(ring, stage) + (smem_addr)step * 32, 16, ATOM_BYTES, SWIZZLE_128B);
    wgmma_ss<dev_bf16, KEYS, false, false>(s, a, b, step > 0);
  }
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_pin(s);
  uint32_t p[KEYS / 16][4];
#pragma unroll
  for (int step = 0; step < KEYS / 16; step++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      p[step][i] = pack2<dev_bf16>(s[step * 8 + i * 2], s[step * 8 + i * 2 + 1]);
    }
  }
  wgmma_pin(o);
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < KEYS / 16; step++) {
    const uint64_t b = wgmma_desc(v_tile(ring, stage) + (smem_addr)step * 2 * ATOM_BYTES, 16,
                                  ATOM_BYTES, SWIZZLE_128B);
    wgmma_rs<dev_bf16, DIM, true>(o, p[step], b, true);
  }
  wgmma_commit();
  wgmma_wait<0>();
  wgmma_pin(o);
}

/* A warp's 16 rows of O take the place of its rows of Q, which no one else has read. */
BENCH_DEVICE_FN void stage_out(smem_addr tile, int warp, const float (&o)[DIM / 2]) {
  const int lane = thread_x() % BENCH_WARP;
  const int row = lane % 8 + 8 * (lane / 8 % 2);
#pragma unroll
  for (int pair = 0; pair < DIM / 16; pair++) {
    uint32_t r[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      r[i] = pack2<dev_bf16>(o[pair * 8 + i * 2], o[pair * 8 + i * 2 + 1]);
    }
    const int chunk = pair * 2 + lane / 16;
    stmatrix_x4(tile + (smem_addr)((warp * 16 + row) * 128 + (chunk ^ row % 8) * 16), r);
  }
}

template <int GROUP>
BENCH_DEVICE_FN void consume(const Ring &ring, const dev_tensor_map *out, int first_row,
                             int tiles) {
  const int t = thread_x() % 128;
  float o[DIM / 2];
  for (int i = 0; i < DIM / 2; i++) {
    o[i] = 0;
  }
  mbar_wait(ring.q_full, 0);
  for (int tile = 0; tile < tiles; tile++) {
    const int stage = tile % STAGES;
    mbar_wait(ring.full + (smem_addr)stage * 8, (uint32_t)(tile / STAGES) & 1);
    multiply(ring, GROUP, stage, o);
    if (t % BENCH_WARP == 0) {
      mbar_arrive(ring.empty + (smem_addr)stage * 8);
    }
  }
  stage_out(q_tile(ring, GROUP), t / BENCH_WARP, o);
  fence_proxy_async();
  bar_sync<1 + GROUP>(128);
  if (t == 0) {
    tma_store_2d(out, q_tile(ring, GROUP), 0, first_row + GROUP * ROWS);
    bulk_commit();
    bulk_wait_read<0>();
  }
}

BENCH_KERNEL_FN(THREADS)
void pipeline_kernel(const BENCH_GRID_CONSTANT dev_tensor_map q,
                     const BENCH_GRID_CONSTANT dev_tensor_map k,
                     const BENCH_GRID_CONSTANT dev_tensor_map v,
                     const BENCH_GRID_CONSTANT dev_tensor_map o, int tiles) {
  BENCH_DYN_SMEM(region, 1024);
  BENCH_SHARED(uint64_t, barriers, [2 * STAGES + 1]);
  Ring ring;
  ring.tiles = (smem_of(region) + 1023) & ~(smem_addr)1023;
  ring.full = smem_of(barriers);
  ring.empty = ring.full + STAGES * 8;
  ring.q_full = ring.full + 2 * STAGES * 8;
  if (thread_x() == 0) {
    for (int stage = 0; stage < STAGES; stage++) {
      mbar_init(ring.full + (smem_addr)stage * 8, 1);
      mbar_init(ring.empty + (smem_addr)stage * 8, GROUPS * 4); /* a warp arrives once */
    }
    mbar_init(ring.q_full, 1);
    mbar_init_fence();
  }
  sync_threads();
  const int first_row = (int)block_x() * GROUPS * ROWS;
  const int group = thread_x() / 128 - 1;
  if (group < 0) {
    setmaxnreg_dec<24>();
    if (thread_x() < BENCH_WARP && elect_one()) {
      produce(ring, &q, &k, &v, first_row, tiles);
    }
  } else {
    setmaxnreg_inc<240>();
    if (group == 0) {
      consume<0>(ring, &o, first_row, tiles);
    } else {
      consume<1>(ring, &o, first_row, tiles);
    }
  }
}

/* ---- the case: 200 rows, 370 keys, so that both have a ragged end ---- */
#define SEQ_Q 200
#define SEQ_KV 370
#define TILES ((SEQ_KV + KEYS - 1) / KEYS)

static bench_code make(dev_tensor_map *map, const void *base, int64_t rows) {
  const int64_t dims[2] = {DIM, rows};
  const int64_t strides[1] = {DIM * 2};
  const int32_t box[2] = {DIM, 64};
  return tensor_map_make(map, BENCH_BF16, 2, base, dims, strides, box, SWIZZLE_128B);
}
static bench_code pipeline_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  const unsigned char *q = static_cast<const unsigned char *>(in);
  dev_tensor_map maps[4];
  bench_code code = make(&maps[0], q, SEQ_Q);
  code = code == BENCH_OK ? make(&maps[1], q + SEQ_Q * DIM * 2, SEQ_KV) : code;
  code = code == BENCH_OK ? make(&maps[2], q + (SEQ_Q + SEQ_KV) * DIM * 2, SEQ_KV) : code;
  code = code == BENCH_OK ? make(&maps[3], out, SEQ_Q) : code;
  if (code != BENCH_OK) {
    return code;
  }
  return BENCH_LAUNCH(pipeline_kernel, (SEQ_Q + GROUPS * ROWS - 1) / (GROUPS * ROWS), THREADS,
                      SMEM_BYTES, nullptr, maps[0], maps[1], maps[2], maps[3], TILES);
}

/* Element (row, column) of Q, K or V: mostly 0. */
static int value(int tensor, int row, int column) {
  const int x = conform_integer((uint32_t)(17 + tensor), (uint32_t)(row * DIM + column));
  return x > 2 ? 1 : x < -2 ? -1 : 0;
}
static void pipeline_fill(const conform_case *c, unsigned char *in) {
  (void)c;
  static const int rows[3] = {SEQ_Q, SEQ_KV, SEQ_KV};
  size_t place = 0;
  for (int tensor = 0; tensor < 3; tensor++) {
    for (int i = 0; i < rows[tensor] * DIM; i++) {
      conform_put(in, place++, conform_bf16(value(tensor, i / DIM, i % DIM)));
    }
  }
}
/* To bf16, nearest, ties to even; the value is exact in double and in float. */
static uint16_t rounded_bf16(double value) {
  const float f = (float)value;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static void pipeline_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  (void)in;
  for (int row = 0; row < SEQ_Q; row++) {
    double sums[DIM] = {0};
    for (int key = 0; key < SEQ_KV; key++) {
      double s = 0;
      for (int d = 0; d < DIM; d++) {
        s += value(0, row, d) * value(1, key, d);
      }
      for (int d = 0; d < DIM; d++) {
        sums[d] += s * value(2, key, d);
      }
    }
    for (int d = 0; d < DIM; d++) {
      conform_put(out, (size_t)(row * DIM + d), rounded_bf16(sums[d]));
    }
  }
}

static const conform_case cases[] = {
    {"pipeline", 90, (SEQ_Q + 2 * SEQ_KV) * DIM * 2, SEQ_Q *DIM * 2, pipeline_fill, pipeline_launch,
     pipeline_expect, 0, 0, 0, 0, 0},
};
CONFORM_TABLE(pipeline) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
