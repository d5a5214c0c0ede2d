/* The merges of decode: of a block's warps in shared memory, then, in the last block of a key head
 * to arrive, of its splits through the workspace. Both are the same sum: outputs that were weighed
 * against different maxima are scaled to the largest of them and added in the order of the keys. */
#ifndef BENCH_CUDA_DECODE_MERGE_H
#define BENCH_CUDA_DECODE_MERGE_H

#include "cuda/decode_tile.h"
#include "cuda/device.h"

/* Where the blocks of a launch leave what they have; rows and D as in DecodeLayout. */
struct DecodeWorkspace {
  uint32_t *arrived; /* [units] blocks so far; 0 between launches */
  float *max;        /* [units][splits][ROWS] of the scaled scores; -inf: no key was seen */
  float *sum;        /* [units][splits][ROWS] of the weights */
  float *out;        /* [units][splits][ROWS][D] not yet divided by the sum */
};

/* After the last tile a block's shared memory is used anew: the ring for the outputs of the warps,
 * then for the weights of the splits, and the place of Q for the maxima and sums of the warps. */
template <typename Layout>
struct DecodeMerge {
  static constexpr int PITCH = Layout::D + 4; /* floats: neighbouring rows lie in other banks */
  static constexpr int STATS = Layout::KEY_WARPS * Layout::ROWS;
  static_assert(STATS * PITCH * 4 <= Layout::RING_BYTES, "the outputs of the warps");
  static_assert(Layout::ROWS * DECODE_SPLITS_MAX * 4 <= Layout::RING_BYTES, "the weights");
  float *out;     /* [KEY_WARPS][ROWS][PITCH] */
  float *weights; /* [ROWS][splits] */
  float *max;     /* [KEY_WARPS][ROWS] */
  float *sum;     /* [KEY_WARPS][ROWS] */
  uint32_t *last; /* is this the last block to arrive? */
};

template <typename Layout>
BENCH_DEVICE_FN DecodeMerge<Layout> decode_merge_of(const DecodeBlock &block) {
  DecodeMerge<Layout> merge;
  merge.out = reinterpret_cast<float *>(block.ring);
  merge.weights = merge.out;
  merge.max = reinterpret_cast<float *>(block.q);
  merge.sum = merge.max + DecodeMerge<Layout>::STATS;
  merge.last = reinterpret_cast<uint32_t *>(merge.sum + DecodeMerge<Layout>::STATS);
  return merge;
}

/* A maximum and a sum of several: those of the key warps of a row, or of its splits. */
struct DecodeSum {
  float max;
  float base; /* max, or 0 where no key was seen */
  float sum;
};

BENCH_DEVICE_FN float decode_base(float max) {
  return max == minus_infinity() ? 0.0f : max;
}

template <typename Layout>
BENCH_DEVICE_FN DecodeSum decode_sum_warps(const DecodeMerge<Layout> &merge, int row) {
  DecodeSum all;
  all.max = minus_infinity();
  for (int w = 0; w < Layout::KEY_WARPS; w++) {
    all.max = max_f(all.max, merge.max[w * Layout::ROWS + row]);
  }
  all.base = decode_base(all.max);
  all.sum = 0;
  for (int w = 0; w < Layout::KEY_WARPS; w++) {
    all.sum += merge.sum[w * Layout::ROWS + row] *
               exp2_approx(merge.max[w * Layout::ROWS + row] - all.base);
  }
  return all;
}

/* The warps leave maxima and sums, then outputs against the maximum of all of them. Q's place is
 * free: behind the scores of the last tile came the barrier of its V. The ring is behind the first
 * barrier here. */
template <typename Layout>
BENCH_DEVICE_FN void decode_leave_warp(const DecodeMerge<Layout> &merge, DecodeRows<Layout> &rows) {
  const int lane = decode_lane();
  const int key_warp = decode_warp_key<Layout>() / Layout::WARP_KEYS;
  const int first = decode_warp_row<Layout>() + lane / 4;
  BENCH_UNROLL
  for (int h = 0; h < 2; h++) {
    float sum = rows.sum[h];
    sum += shfl_xor(sum, 1);
    sum += shfl_xor(sum, 2);
    if (lane % 4 == 0) {
      merge.max[key_warp * Layout::ROWS + first + h * 8] = rows.max[h];
      merge.sum[key_warp * Layout::ROWS + first + h * 8] = sum;
    }
  }
  sync_threads();
  BENCH_UNROLL
  for (int h = 0; h < 2; h++) {
    const int row = first + h * 8;
    const float shrink = exp2_approx(rows.max[h] - decode_sum_warps(merge, row).base);
    float *out = merge.out + (key_warp * Layout::ROWS + row) * DecodeMerge<Layout>::PITCH;
    BENCH_UNROLL
    for (int n = 0; n < Layout::D / 8; n++) {
      out[n * 8 + lane % 4 * 2] = rows.out[n][2 * h] * shrink;
      out[n * 8 + lane % 4 * 2 + 1] = rows.out[n][2 * h + 1] * shrink;
    }
  }
  sync_threads();
}

BENCH_DEVICE_FN float decode_lse(float max, float sum) {
  const float ln2 = 0.693147180559945309f;
  return sum > 0 ? max * ln2 + log_natural(sum) : minus_infinity();
}

/* The outputs of the warps added up: to O if the keys were not split, else to the workspace. */
template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_leave_block(const DecodeShape &shape, const DecodeBlock &block,
                                        const DecodeMerge<Layout> &merge,
                                        const DecodeWorkspace &workspace, T *o, float *lse) {
  const int64_t place = block.head * shape.rows + block.row; /* of the tile's rows among all */
  const int64_t left = (block.unit * shape.splits + block.split) * Layout::ROWS;
  for (int n = thread_x(); n < Layout::ROWS * Layout::D; n += Layout::THREADS) {
    const int row = n / Layout::D;
    const int d = n % Layout::D;
    if (row >= block.rows) {
      break;
    }
    const DecodeSum all = decode_sum_warps(merge, row);
    float out = 0;
    for (int w = 0; w < Layout::KEY_WARPS; w++) {
      out += merge.out[(w * Layout::ROWS + row) * DecodeMerge<Layout>::PITCH + d];
    }
    if (shape.splits > 1) {
      workspace.out[left * Layout::D + n] = out;
    } else if (d < shape.head_dim) {
      from_float(all.sum > 0 ? out / all.sum : 0.0f, o + (place + row) * shape.head_dim + d);
    }
    if (d == 0 && shape.splits > 1) {
      workspace.max[left + row] = all.max;
      workspace.sum[left + row] = all.sum;
    } else if (d == 0) {
      lse[place + row] = decode_lse(all.max, all.sum);
    }
  }
}

/* Counts the block; true in all threads of the last one of its unit, which then sees what the
 * others left. It sets the counter back, as no one comes after it. */
template <typename Layout>
BENCH_DEVICE_FN bool decode_is_last(const DecodeShape &shape, const DecodeBlock &block,
                                    const DecodeMerge<Layout> &merge,
                                    const DecodeWorkspace &workspace) {
  sync_threads(); /* the whole block has left what it has */
  if (thread_x() == 0) {
    uint32_t *arrived = workspace.arrived + block.unit;
    fence_device();
    const bool last = atomic_add(arrived, 1u) == (uint32_t)(shape.splits - 1);
    fence_device();
    if (last) {
      atomic_exch(arrived, 0u);
    }
    *merge.last = last ? 1 : 0;
  }
  sync_threads();
  return *merge.last != 0;
}

/* What each split's output of a row counts in the end: the row's warp, a lane for every 32nd split.
 * Also the row's LSE. */
template <typename Layout>
BENCH_DEVICE_FN void decode_weigh_splits(const DecodeShape &shape, const DecodeBlock &block,
                                         const DecodeMerge<Layout> &merge,
                                         const DecodeWorkspace &workspace, float *lse) {
  for (int row = thread_x() / BENCH_WARP; row < Layout::ROWS && row < block.rows;
       row += Layout::WARPS) {
    const int64_t left = block.unit * shape.splits * Layout::ROWS + row; /* of split 0 */
    float max = minus_infinity();
    for (int64_t s = decode_lane(); s < shape.splits; s += BENCH_WARP) {
      max = max_f(max, workspace.max[left + s * Layout::ROWS]);
    }
    for (int lanes = BENCH_WARP / 2; lanes > 0; lanes /= 2) {
      max = max_f(max, shfl_xor(max, lanes));
    }
    float sum = 0;
    for (int64_t s = decode_lane(); s < shape.splits; s += BENCH_WARP) {
      const float weight = exp2_approx(workspace.max[left + s * Layout::ROWS] - decode_base(max));
      merge.weights[row * shape.splits + s] = weight;
      sum += weight * workspace.sum[left + s * Layout::ROWS];
    }
    for (int lanes = BENCH_WARP / 2; lanes > 0; lanes /= 2) {
      sum += shfl_xor(sum, lanes);
    }
    for (int64_t s = decode_lane(); s < shape.splits; s += BENCH_WARP) {
      merge.weights[row * shape.splits + s] *= sum > 0 ? 1.0f / sum : 0.0f;
    }
    if (decode_lane() == 0) {
      lse[block.head * shape.rows + block.row + row] = decode_lse(max, sum);
    }
  }
}

template <typename Layout, typename T>
BENCH_DEVICE_FN void decode_merge_splits(const DecodeShape &shape, const DecodeBlock &block,
                                         const DecodeMerge<Layout> &merge,
                                         const DecodeWorkspace &workspace, T *o, float *lse) {
  decode_weigh_splits(shape, block, merge, workspace, lse);
  sync_threads();
  for (int n = thread_x() * 4; n < Layout::ROWS * Layout::D; n += Layout::THREADS * 4) {
    const int row = n / Layout::D;
    const int d = n % Layout::D;
    if (row >= block.rows) {
      break;
    }
    const float *from = workspace.out + block.unit * shape.splits * Layout::ROWS * Layout::D + n;
    float out[4] = {};
    BENCH_UNROLL_BY(4)
    for (int64_t s = 0; s < shape.splits; s++) {
      const float weight = merge.weights[row * shape.splits + s];
      const dev_u128 four = load_global16(from + s * Layout::ROWS * Layout::D);
      out[0] += weight * bits_float(four.x);
      out[1] += weight * bits_float(four.y);
      out[2] += weight * bits_float(four.z);
      out[3] += weight * bits_float(four.w);
    }
    const int64_t place = block.head * shape.rows + block.row + row;
    for (int c = 0; c < 4 && d < shape.head_dim; c++) {
      from_float(out[c], o + place * shape.head_dim + d + c);
    }
  }
}

#endif
