/* A block of decode at its tiles of keys: how they get into shared memory, and what its warps make
 * of them. decode.cu tells what for; the places of a thread in a matrix are those of mma_m16n8k16
 * in device_mma.h. */
#ifndef BENCH_CUDA_DECODE_TILE_H
#define BENCH_CUDA_DECODE_TILE_H

#include "cuda/decode_plan.h"
#include "cuda/device.h"
#include "cuda/mask_rows.h"

/* The sizes of a kernel for head_dim up to D, 16 * ROW_WARPS packed rows, and elements of BYTES. A
 * slot holds as many bytes for either size of element. A row in shared memory
 * has 16 bytes more than it needs: then the eight rows that ldmatrix reads at a time lie in
 * different banks. */
template <int D_, int ROW_WARPS, int BYTES_>
struct DecodeLayout {
  static constexpr int WARPS = 4;
  static constexpr int THREADS = WARPS * BENCH_WARP;
  static constexpr int D = D_;
  static constexpr int BYTES = BYTES_;
  static constexpr int ROWS = 16 * ROW_WARPS;
  static constexpr int KEY_WARPS = WARPS / ROW_WARPS;        /* warps that share 16 rows */
  static constexpr int KEYS = (D <= 64 ? 256 : 128) / BYTES; /* of a tile */
  static constexpr int WARP_KEYS = KEYS / KEY_WARPS;
  static constexpr int SLOTS = D <= 128 ? 4 : 2;
  static constexpr int PITCH = D * BYTES + 16; /* bytes */
  static constexpr int SLOT_BYTES = KEYS * PITCH;
  static constexpr int RING_BYTES = SLOTS * SLOT_BYTES;
  static constexpr int SMEM_BYTES = RING_BYTES + ROWS * PITCH; /* the ring, then Q */
};

struct DecodeShape {
  int64_t rows; /* packed rows of a key head: the query heads that share it, times seq_q */
  int64_t row_tiles;
  int64_t seq_q;
  int64_t seq_kv;
  int64_t splits;
  DecodeKeys keys;
  int head_dim;
  float scale_log2; /* log2(e) / sqrt(head_dim): weights are powers of two */
};

/* A block's place in the work. */
struct DecodeBlock {
  int64_t unit; /* a key head of the batch, and a tile of its rows */
  int64_t split;
  int64_t head;  /* over batch and key heads */
  int64_t row;   /* first packed row */
  int64_t rows;  /* packed rows from there on; those of the tile that are not there give nothing */
  int64_t first; /* tiles of keys: first .. end - 1 */
  int64_t end;
  unsigned char *ring;
  unsigned char *q;
};

/* What a thread has of the 16 rows of its warp: rows lane / 4 and lane / 4 + 8. */
template <typename Layout>
struct DecodeRows {
  int64_t begin[2]; /* visible are the keys begin .. end - 1, and those before the sink's end */
  int64_t end[2];
  float max[2]; /* of the scores so far; the same in the four threads of a row */
  float sum[2]; /* of this thread's weights */
  float out[Layout::D / 8][4];
  uint32_t weights[Layout::WARP_KEYS * Layout::BYTES / 32][4]; /* of the tile in hand */
};

/* The first key of tile n of those that are seen. */
template <typename Layout>
BENCH_DEVICE_FN int64_t decode_key(const DecodeKeys &keys, int64_t n) {
  return Layout::KEYS * (n < keys.sink_tiles ? n : n - keys.sink_tiles + keys.band_tile);
}

struct alignas(16) DecodeQuad { /* read in one access */
  float x, y, z, w;
};
BENCH_DEVICE_FN DecodeQuad decode_quad(const unsigned char *shared) {
  return *reinterpret_cast<const DecodeQuad *>(shared);
}

BENCH_DEVICE_FN int decode_lane() {
  return thread_x() % BENCH_WARP;
}

/* The first of the 16 rows of the thread's warp, and the first of its keys of a tile. */
template <typename Layout>
BENCH_DEVICE_FN int decode_warp_row() {
  return thread_x() / BENCH_WARP / Layout::KEY_WARPS * 16;
}
template <typename Layout>
BENCH_DEVICE_FN int decode_warp_key() {
  return thread_x() / BENCH_WARP % Layout::KEY_WARPS * Layout::WARP_KEYS;
}

/* COUNT rows of D elements into shared memory, 16 bytes at a time; zeros for rows from `rows` on
 * and behind head_dim. */
template <typename Layout, int COUNT, typename T>
BENCH_DEVICE_FN void decode_copy(smem_addr to, const T *from, int64_t rows, int head_dim) {
  const int piece = 16 / Layout::BYTES;
  const int pieces = Layout::D / piece;
  for (int n = thread_x(); n < COUNT * pieces; n += Layout::THREADS) {
    const int row = n / pieces;
    const int d = n % pieces * piece;
    const bool there = row < rows && d < head_dim;
    cp_async16_zfill(to + (smem_addr)(row * Layout::PITCH + d * Layout::BYTES),
                     there ? from + row * head_dim + d : from, there ? 16 : 0);
  }
}

/* Enqueues step n of the block: the K (n even) or V (n odd) of its tile n / 2. Behind the last one
 * the group is empty, so that groups count steps. */
template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_copy_step(const DecodeShape &shape, const DecodeBlock &block,
                                      const T *k, const T *v, int64_t n) {
  const int64_t tile = block.first + n / 2;
  if (tile < block.end) {
    const int64_t key = decode_key<Layout>(shape.keys, tile);
    decode_copy<Layout, Layout::KEYS>(
        smem_of(block.ring + n % Layout::SLOTS * Layout::SLOT_BYTES),
        (n % 2 == 0 ? k : v) + (block.head * shape.seq_kv + key) * shape.head_dim,
        shape.seq_kv - key, shape.head_dim);
  }
  cp_async_commit();
}

/* Q K^T of the warp's rows and keys. ldmatrix takes two times 8 rows by 16 elements of Q, and of K
 * two times 8 keys: as K lies, a key is a column of the right factor. */
template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_scores(const DecodeBlock &block, const unsigned char *slot,
                                   float (&scores)[Layout::WARP_KEYS / 8][4]) {
  const int lane = decode_lane();
  const smem_addr q =
      smem_of(block.q) +
      (smem_addr)((decode_warp_row<Layout>() + lane % 16) * Layout::PITCH + lane / 16 * 16);
  const smem_addr k =
      smem_of(slot) +
      (smem_addr)((decode_warp_key<Layout>() + lane / 16 * 8 + lane % 8) * Layout::PITCH +
                  lane / 8 % 2 * 16);
  BENCH_UNROLL
  for (int d = 0; d < Layout::D; d += 16) {
    uint32_t a[4];
    ldmatrix_x4(a, q + (smem_addr)(d * 2));
    BENCH_UNROLL
    for (int n = 0; n < Layout::WARP_KEYS / 16; n++) {
      uint32_t b[4];
      ldmatrix_x4(b, k + (smem_addr)(n * 16 * Layout::PITCH + d * 2));
      mma_m16n8k16<T>(scores[2 * n], a, b[0], b[1]);
      mma_m16n8k16<T>(scores[2 * n + 1], a, b[2], b[3]);
    }
  }
}

/* -inf where row `h` of the thread does not see the key; the largest of the others or of `max`. */
template <typename Layout>
BENCH_DEVICE_FN float decode_mask(const DecodeRows<Layout> &rows, int h, int64_t key, int64_t sink,
                                  float scale, float (&scores)[Layout::WARP_KEYS / 8][4]) {
  const int first = decode_warp_key<Layout>() + decode_lane() % 4 * 2;
  const int begin = (int)mask_clamp(rows.begin[h] - key, 0, Layout::KEYS);
  const int end = (int)mask_clamp(rows.end[h] - key, 0, Layout::KEYS);
  const int sunk = (int)mask_clamp(sink - key, 0, Layout::KEYS);
  float max = rows.max[h];
  BENCH_UNROLL
  for (int n = 0; n < Layout::WARP_KEYS / 8; n++) {
    BENCH_UNROLL
    for (int c = 0; c < 2; c++) {
      const int place = first + n * 8 + c;
      const bool seen = place < end && (place >= begin || place < sunk);
      float &score = scores[n][2 * h + c];
      score = seen ? score * scale : minus_infinity();
      max = max_f(max, score);
    }
  }
  return max;
}

/* Two weights of row h of the thread, those of its keys of the n-th eight. In 16 bits they are left
 * factors of the product with V: the places of the scores of 16 keys are just those. */
template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_keep(DecodeRows<Layout> &rows, int n, int h, float low, float high) {
  if constexpr (Layout::BYTES == 2) {
    rows.weights[n / 2][n % 2 * 2 + h] = pack2<T>(low, high);
  } else {
    rows.weights[n][2 * h] = float_bits(low);
    rows.weights[n][2 * h + 1] = float_bits(high);
  }
}

/* Scores become weights against the maximum so far. Where the maximum rises, sum and output are
 * scaled down. */
template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_softmax(DecodeRows<Layout> &rows, int64_t key, int64_t sink,
                                    float scale, float (&scores)[Layout::WARP_KEYS / 8][4]) {
  BENCH_UNROLL
  for (int h = 0; h < 2; h++) {
    float max = decode_mask<Layout>(rows, h, key, sink, scale, scores);
    max = max_f(max, shfl_xor(max, 1));
    max = max_f(max, shfl_xor(max, 2));
    const float base = max == minus_infinity() ? 0.0f : max; /* a row that has seen no key yet */
    const float shrink = exp2_approx(rows.max[h] - base);
    rows.max[h] = max;
    rows.sum[h] *= shrink;
    BENCH_UNROLL
    for (int n = 0; n < Layout::WARP_KEYS / 8; n++) {
      const float low = exp2_approx(scores[n][2 * h] - base);
      const float high = exp2_approx(scores[n][2 * h + 1] - base);
      rows.sum[h] += low + high;
      decode_keep<Layout, T>(rows, n, h, low, high);
    }
    BENCH_UNROLL
    for (int n = 0; n < Layout::D / 8; n++) {
      rows.out[n][2 * h] *= shrink;
      rows.out[n][2 * h + 1] *= shrink;
    }
  }
}

/* out += weights V. A key is a row of the right factor, so ldmatrix turns V. */
template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_values(DecodeRows<Layout> &rows, const unsigned char *slot) {
  const int lane = decode_lane();
  const smem_addr v =
      smem_of(slot) +
      (smem_addr)((decode_warp_key<Layout>() + lane % 16) * Layout::PITCH + lane / 16 * 16);
  BENCH_UNROLL
  for (int n = 0; n < Layout::WARP_KEYS / 16; n++) {
    BENCH_UNROLL
    for (int d = 0; d < Layout::D; d += 16) {
      uint32_t b[4];
      ldmatrix_x4_trans(b, v + (smem_addr)(n * 16 * Layout::PITCH + d * 2));
      mma_m16n8k16<T>(rows.out[d / 8], rows.weights[n], b[0], b[1]);
      mma_m16n8k16<T>(rows.out[d / 8 + 1], rows.weights[n], b[2], b[3]);
    }
  }
}

/* The same two products in fp32 by plain FMA, each thread for the places that it would have on the
 * tensor cores: two rows and two keys, or two elements of head_dim, at a time. */
template <typename Layout>
BENCH_DEVICE_FN void decode_scores_fma(const DecodeBlock &block, const unsigned char *slot,
                                       float (&scores)[Layout::WARP_KEYS / 8][4]) {
  const int row = decode_warp_row<Layout>() + decode_lane() / 4;
  const int key = decode_warp_key<Layout>() + decode_lane() % 4 * 2;
  BENCH_UNROLL_BY(4)
  for (int d = 0; d < Layout::D; d += 4) {
    DecodeQuad q[2];
    for (int h = 0; h < 2; h++) {
      q[h] = decode_quad(block.q + (row + 8 * h) * Layout::PITCH + d * 4);
    }
    BENCH_UNROLL
    for (int n = 0; n < Layout::WARP_KEYS / 8; n++) {
      BENCH_UNROLL
      for (int c = 0; c < 2; c++) {
        const DecodeQuad k = decode_quad(slot + (key + n * 8 + c) * Layout::PITCH + d * 4);
        for (int h = 0; h < 2; h++) {
          scores[n][2 * h + c] += q[h].x * k.x + q[h].y * k.y + (q[h].z * k.z + q[h].w * k.w);
        }
      }
    }
  }
}

template <typename Layout>
BENCH_DEVICE_FN void decode_values_fma(DecodeRows<Layout> &rows, const unsigned char *slot) {
  const int lane = decode_lane();
  BENCH_UNROLL
  for (int n = 0; n < Layout::WARP_KEYS / 8; n++) {
    BENCH_UNROLL
    for (int key = 0; key < 8; key++) { /* two keys' weights are with each of the four threads */
      const float low = bits_float(shfl(rows.weights[n][key % 2], lane / 4 * 4 + key / 2));
      const float high = bits_float(shfl(rows.weights[n][2 + key % 2], lane / 4 * 4 + key / 2));
      const float *v = reinterpret_cast<const float *>(
          slot + (decode_warp_key<Layout>() + n * 8 + key) * Layout::PITCH);
      BENCH_UNROLL
      for (int d = 0; d < Layout::D / 8; d++) {
        for (int c = 0; c < 2; c++) {
          const float value = v[d * 8 + lane % 4 * 2 + c];
          rows.out[d][c] += low * value;
          rows.out[d][2 + c] += high * value;
        }
      }
    }
  }
}

/* All tiles of keys of the block. A step waits for its slot, and at the same barrier every warp has
 * left the slot of the step before, which the copy for SLOTS - 1 steps ahead then takes. */
template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_tiles(const DecodeShape &shape, const MaskRows &mask,
                                  const DecodeBlock &block, const T *q, const T *k, const T *v,
                                  DecodeRows<Layout> &rows) {
  decode_copy<Layout, Layout::ROWS>(smem_of(block.q),
                                    q + (block.head * shape.rows + block.row) * shape.head_dim,
                                    block.rows, shape.head_dim);
  for (int n = 0; n < Layout::SLOTS - 1; n++) {
    decode_copy_step<Layout>(shape, block, k, v, n);
  }
  for (int64_t n = 0; n < 2 * (block.end - block.first); n++) {
    const unsigned char *slot = block.ring + n % Layout::SLOTS * Layout::SLOT_BYTES;
    cp_async_wait<Layout::SLOTS - 2>();
    sync_threads();
    decode_copy_step<Layout>(shape, block, k, v, n + Layout::SLOTS - 1);
    if (n % 2 == 0) {
      float scores[Layout::WARP_KEYS / 8][4] = {};
      if constexpr (Layout::BYTES == 2) {
        decode_scores<Layout, T>(block, slot, scores);
      } else {
        decode_scores_fma<Layout>(block, slot, scores);
      }
      const int64_t key = decode_key<Layout>(shape.keys, block.first + n / 2);
      decode_softmax<Layout, T>(rows, key, mask.sink, shape.scale_log2, scores);
    } else if constexpr (Layout::BYTES == 2) {
      decode_values<Layout, T>(rows, slot);
    } else {
      decode_values_fma<Layout>(rows, slot);
    }
  }
}

#endif
