/* naive: one block for one query row, and nothing shared between rows: each fetches its K and V
 * anew, which is what the other families exist to avoid.
 *
 * The visible keys pass in chunks of THREADS, so that shared memory does not grow with the
 * sequence. For every chunk: a warp makes one score after the other, its lanes side by side along
 * head_dim so that K is read in whole lines; then each thread turns one score into a weight
 * against the maximum so far; then each thread adds the weighted V to the output elements it owns.
 * Where the maximum rises, sum and output are scaled down (online softmax). Scores carry a factor
 * of log2(e), so that weights are powers of two. */
#include <math.h>

#include "cuda/common.h"
#include "cuda/device.h"
#include "cuda/mask_rows.h"

#define THREADS 128
#define WARPS (THREADS / BENCH_WARP)
#define HEAD_DIM_MAX 512
#define OWNED (HEAD_DIM_MAX / THREADS) /* output elements of a thread: d, d + THREADS, ... */
#define GRID_MAX INT32_MAX             /* a larger problem goes round the grid again */

struct NaiveShape {
  int64_t rows; /* batch * heads_q * seq_q */
  int64_t seq_q;
  int64_t seq_kv;
  int64_t group; /* query heads that share a key head; the batch needs no mention */
  int head_dim;
  float scale_log2; /* log2(e) / sqrt(head_dim) */
};

/* What a block keeps in shared memory. */
struct NaiveBlock {
  float *q;       /* [HEAD_DIM_MAX] the row, scaled */
  float *weights; /* [THREADS] scores, then weights, of the chunk */
  float *warps;   /* [WARPS] one value of each warp */
};

BENCH_DEVICE_FN float warp_sum(float value) {
  for (int mask = BENCH_WARP / 2; mask > 0; mask /= 2) {
    value += shfl_xor(value, mask);
  }
  return value;
}

BENCH_DEVICE_FN float warp_max(float value) {
  for (int mask = BENCH_WARP / 2; mask > 0; mask /= 2) {
    const float other = shfl_xor(value, mask);
    value = value > other ? value : other;
  }
  return value;
}

/* Scores of the keys first .. first + count - 1 into weights; -inf where the mask hides the key
 * and in the places behind `count`. */
template <typename T>
BENCH_DEVICE_FN void naive_scores(const NaiveShape &shape, const NaiveBlock &block,
                                  const MaskPiece &piece, const T *k, int64_t first, int count) {
  const int lane = thread_x() % BENCH_WARP;
  for (int c = thread_x() / BENCH_WARP; c < THREADS; c += WARPS) {
    float score = minus_infinity();
    if (c < count && mask_sees(piece, first + c)) {
      const T *key = k + (first + c) * shape.head_dim;
      score = 0;
      for (int d = lane; d < shape.head_dim; d += BENCH_WARP) {
        score += block.q[d] * to_float(load_global(key + d));
      }
      score = warp_sum(score);
    }
    if (lane == 0) {
      block.weights[c] = score;
    }
  }
}

/* The maximum of one value per thread over the block. It ends with a barrier, for where the mask
 * hides a row's last chunk, naive_block_sum follows at once and writes the same places. */
BENCH_DEVICE_FN float naive_block_max(const NaiveBlock &block, float value) {
  value = warp_max(value);
  if (thread_x() % BENCH_WARP == 0) {
    block.warps[thread_x() / BENCH_WARP] = value;
  }
  sync_threads();
  for (int w = 0; w < WARPS; w++) {
    value = value > block.warps[w] ? value : block.warps[w];
  }
  sync_threads();
  return value;
}

BENCH_DEVICE_FN float naive_block_sum(const NaiveBlock &block, float value) {
  value = warp_sum(value);
  if (thread_x() % BENCH_WARP == 0) {
    block.warps[thread_x() / BENCH_WARP] = value;
  }
  sync_threads();
  float sum = 0;
  for (int w = 0; w < WARPS; w++) {
    sum += block.warps[w];
  }
  return sum;
}

/* One query row: index counts batch, heads and rows together, as Q, O and LSE are laid out. */
template <typename T>
BENCH_DEVICE_FN void naive_row(const NaiveShape &shape, const MaskRows &mask,
                               const NaiveBlock &block, int64_t index, const T *q, const T *k,
                               const T *v, T *o, float *lse) {
  const int t = thread_x();
  const int head_dim = shape.head_dim;
  const int64_t row = index % shape.seq_q;
  const int64_t head = index / shape.seq_q;
  const int64_t kv_first = head / shape.group * shape.seq_kv * head_dim;
  for (int d = t; d < head_dim; d += THREADS) {
    block.q[d] = shape.scale_log2 * to_float(load_global(q + index * head_dim + d));
  }
  sync_threads();

  float max = minus_infinity(); /* the same in all threads */
  float sum = 0;                /* of this thread's weights */
  float out[OWNED] = {0};
  const int64_t pieces = mask_piece_count(mask, head, row);
  for (int64_t n = 0; n < pieces; n++) {
    const MaskPiece piece = mask_piece(mask, head, row, n);
    for (int64_t first = piece.begin; first < piece.end; first += THREADS) {
      const int count = (int)(piece.end - first < THREADS ? piece.end - first : THREADS);
      naive_scores(shape, block, piece, k + kv_first, first, count);
      sync_threads();
      const float score = block.weights[t];
      const float chunk_max = naive_block_max(block, score);
      if (chunk_max == minus_infinity()) {
        continue; /* every thread: the mask hides the whole chunk from this row */
      }
      const float new_max = chunk_max > max ? chunk_max : max;
      const float shrink = exp2_approx(max - new_max);
      const float weight = exp2_approx(score - new_max);
      max = new_max;
      sum = sum * shrink + weight;
      block.weights[t] = weight;
      sync_threads();
      for (int e = 0; e < OWNED; e++) {
        const int d = t + e * THREADS;
        float added = 0;
        for (int c = 0; d < head_dim && c < count; c++) {
          added +=
              block.weights[c] * to_float(load_global(v + kv_first + (first + c) * head_dim + d));
        }
        out[e] = out[e] * shrink + added;
      }
      sync_threads();
    }
  }

  sum = naive_block_sum(block, sum);
  for (int e = 0; e < OWNED; e++) {
    const int d = t + e * THREADS;
    if (d < head_dim) {
      from_float(sum > 0 ? out[e] / sum : 0.0f, o + index * head_dim + d);
    }
  }
  if (t == 0) {
    const float ln2 = 0.693147180559945309f;
    lse[index] = sum > 0 ? max * ln2 + log_natural(sum) : minus_infinity();
  }
}

template <typename T>
BENCH_KERNEL_FN(THREADS)
void naive_rows(NaiveShape shape, MaskRows mask, const T *q, const T *k, const T *v, T *o,
                float *lse) {
  BENCH_SHARED(float, q_shared, [HEAD_DIM_MAX]);
  BENCH_SHARED(float, weights, [THREADS]);
  BENCH_SHARED(float, warps, [WARPS]);
  const NaiveBlock block = {q_shared, weights, warps};
  for (int64_t index = block_x(); index < shape.rows; index += grid_x()) {
    naive_row(shape, mask, block, index, q, k, v, o, lse);
  }
}

template <typename T>
static bench_code naive_launch_as(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  NaiveShape shape;
  shape.rows = attn->batch * attn->heads_q * attn->seq_q;
  shape.seq_q = attn->seq_q;
  shape.seq_kv = attn->seq_kv;
  shape.group = attn->heads_q / attn->heads_kv;
  shape.head_dim = (int)attn->head_dim;
  shape.scale_log2 = 1.44269504088896340736f / sqrtf((float)attn->head_dim);
  const unsigned grid = (unsigned)(shape.rows < GRID_MAX ? shape.rows : GRID_MAX);
  return BENCH_LAUNCH(naive_rows<T>, grid, THREADS, 0, launch->stream, shape, mask_rows_of(launch),
                      static_cast<const T *>(launch->q), static_cast<const T *>(launch->k),
                      static_cast<const T *>(launch->v), static_cast<T *>(launch->o), launch->lse);
}

static bench_code naive_launch(const bench_launch *launch) {
  switch (launch->attn->dtype) {
    case BENCH_FP16:
      return naive_launch_as<dev_fp16>(launch);
    case BENCH_BF16:
      return naive_launch_as<dev_bf16>(launch);
    default:
      return naive_launch_as<float>(launch);
  }
}

static const char *naive_why_not(const bench_attn *attn, const bench_device *device) {
  if (attn->head_dim > HEAD_DIM_MAX) {
    return "head_dim is above 512";
  }
  return cuda_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, naive) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(naive),
    .summary = "one block per query row, scores in shared memory",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = naive_why_not,
    .workspace_bytes = nullptr,
    .launch = naive_launch,
};
