/* blas, variant cublas: unfused attention, the baseline of every flash paper. S = Q K^T by cuBLAS
 * into memory, a masked softmax over all of S, O = P V by cuBLAS. All of S is computed, whatever
 * the mask hides.
 *
 * The query heads that share a key head stand one after the other in Q and O, so they are one
 * matrix of group * seq_q rows: grouped heads need no copy of K and V, and the key heads of all
 * sequences are one strided batch. As many of them are taken at a time as the workspace holds.
 *
 * The weights take the place of the scores: 16-bit ones fill the first half of their row, for which
 * a row is read and written chunk by chunk, what is written never ahead of what was read. */
#include <math.h>

#include "bench/cublas.h"
#include "cuda/common.h"
#include "cuda/device.h"
#include "cuda/mask_rows.h"

#define THREADS 256
#define WARPS (THREADS / BENCH_WARP)
#define GRID_MAX INT32_MAX

/* Scores at a time; one key head's are taken whole, whatever they need. */
#ifndef BLAS_WORKSPACE_BYTES
#define BLAS_WORKSPACE_BYTES (INT64_C(1) << 30)
#endif

/* Floats from one row of scores to the next: a multiple of 32 bytes, as tensor cores like it. */
static int64_t blas_pitch(const bench_attn *attn) {
  return (attn->seq_kv + 7) / 8 * 8;
}

/* Rows of scores that belong to one key head. */
static int64_t blas_head_rows(const bench_attn *attn) {
  return attn->heads_q / attn->heads_kv * attn->seq_q;
}

/* Key heads taken at a time. */
static int64_t blas_heads_held(const bench_attn *attn) {
  const int64_t bytes = blas_head_rows(attn) * blas_pitch(attn) * (int64_t)sizeof(float);
  const int64_t fit = BLAS_WORKSPACE_BYTES / bytes;
  const int64_t heads = attn->batch * attn->heads_kv;
  return fit < 1 ? 1 : fit < heads ? fit : heads;
}

static size_t blas_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  (void)device;
  return (size_t)(blas_heads_held(attn) * blas_head_rows(attn) * blas_pitch(attn)) * sizeof(float);
}

struct BlasShape {
  int64_t rows;  /* of scores in hand */
  int64_t first; /* place of the first of them among all rows: batch, heads and rows together */
  int64_t seq_q;
  int64_t seq_kv;
  int64_t pitch;
};

BENCH_DEVICE_FN float blas_larger(float a, float b) {
  return a > b ? a : b;
}

/* Hides what the row does not see, and gives the largest score that the thread came by. */
BENCH_DEVICE_FN float blas_mask_row(const BlasShape &shape, const MaskRows &mask, int64_t head,
                                    int64_t row, float *scores) {
  float most = minus_infinity();
  int64_t settled = 0; /* all keys before it are */
  const int64_t pieces = mask_piece_count(mask, head, row);
  for (int64_t n = 0; n < pieces; n++) {
    const MaskPiece piece = mask_piece(mask, head, row, n);
    for (int64_t j = settled + thread_x(); j < piece.begin; j += THREADS) {
      scores[j] = minus_infinity();
    }
    for (int64_t j = piece.begin + thread_x(); j < piece.end; j += THREADS) {
      if (mask_sees(piece, j)) {
        most = blas_larger(most, scores[j]);
      } else {
        scores[j] = minus_infinity();
      }
    }
    settled = piece.end > settled ? piece.end : settled;
  }
  for (int64_t j = settled + thread_x(); j < shape.seq_kv; j += THREADS) {
    scores[j] = minus_infinity();
  }
  return most;
}

/* One value of all threads, by `combine`; it ends with a barrier, so that `warps` is free again. */
template <typename Combine>
BENCH_DEVICE_FN float blas_reduce(float *warps, float value, Combine combine) {
  for (int mask = BENCH_WARP / 2; mask > 0; mask /= 2) {
    value = combine(value, shfl_xor(value, mask));
  }
  if (thread_x() % BENCH_WARP == 0) {
    warps[thread_x() / BENCH_WARP] = value;
  }
  sync_threads();
  value = warps[0];
  for (int w = 1; w < WARPS; w++) {
    value = combine(value, warps[w]);
  }
  sync_threads();
  return value;
}

struct BlasMax {
  BENCH_DEVICE_MEMBER float operator()(float a, float b) const {
    return a > b ? a : b;
  }
};
struct BlasSum {
  BENCH_DEVICE_MEMBER float operator()(float a, float b) const {
    return a + b;
  }
};

template <typename T>
BENCH_DEVICE_FN void blas_softmax_row(const BlasShape &shape, const MaskRows &mask, float *warps,
                                      int64_t index, float *scores, float *lse) {
  const int64_t place = shape.first + index;
  const float most = blas_reduce(
      warps, blas_mask_row(shape, mask, place / shape.seq_q, place % shape.seq_q, scores),
      BlasMax());
  const bool sees_nothing = most == minus_infinity();
  const float base = sees_nothing ? 0.0f : most;
  float sum = 0;
  for (int64_t j = thread_x(); j < shape.seq_kv; j += THREADS) {
    sum += exp2_approx(scores[j] - base);
  }
  sum = blas_reduce(warps, sum, BlasSum());
  const float scale = sees_nothing ? 0.0f : 1.0f / sum;
  T *weights = reinterpret_cast<T *>(scores);
  for (int64_t chunk = 0; chunk < shape.seq_kv; chunk += THREADS) {
    const int64_t j = chunk + thread_x();
    const float weight = j < shape.seq_kv ? exp2_approx(scores[j] - base) * scale : 0.0f;
    sync_threads(); /* 16-bit weights stand where this chunk's scores stood, or earlier ones */
    if (j < shape.seq_kv) {
      from_float(weight, weights + j);
    }
  }
  if (thread_x() == 0) {
    const float ln2 = 0.693147180559945309f;
    lse[place] = sees_nothing ? minus_infinity() : most * ln2 + log_natural(sum);
  }
}

template <typename T>
BENCH_KERNEL_FN(THREADS)
void blas_softmax(BlasShape shape, MaskRows mask, float *scores, float *lse) {
  BENCH_SHARED(float, warps, [WARPS]);
  for (int64_t index = block_x(); index < shape.rows; index += grid_x()) {
    blas_softmax_row<T>(shape, mask, warps, index, scores + index * shape.pitch, lse);
  }
}

static const void *blas_at(const bench_attn *attn, const void *tensor, int64_t element) {
  return static_cast<const char *>(tensor) +
         element * static_cast<int64_t>(bench_dtype_bytes(attn->dtype));
}

/* Key heads [first, first + heads) of all sequences. */
template <typename T>
static bench_code blas_heads(const bench_launch *launch, int64_t first, int64_t heads) {
  const bench_attn *attn = launch->attn;
  const int64_t d = attn->head_dim;
  const int64_t rows = blas_head_rows(attn);
  const int64_t pitch = blas_pitch(attn);
  float *scores = static_cast<float *>(launch->workspace);
  bench_gemm product = {};
  product.dtype = attn->dtype;
  product.pieces = 1;
  product.count = heads;
  product.m = rows;

  bench_gemm qk = product;
  qk.c_dtype = BENCH_FP32;
  qk.transpose_b = true;
  qk.n = attn->seq_kv;
  qk.k = d;
  qk.a = blas_at(attn, launch->q, first * rows * d);
  qk.b = blas_at(attn, launch->k, first * attn->seq_kv * d);
  qk.c = scores;
  qk.lda = qk.ldb = d;
  qk.ldc = pitch;
  qk.stride_a = rows * d;
  qk.stride_b = attn->seq_kv * d;
  qk.stride_c = rows * pitch;
  qk.alpha = 1.44269504088896340736f / sqrtf((float)d); /* weights are powers of two */
  bench_code code = bench_cublas_gemm(launch->stream, &qk, launch->error);
  if (code != BENCH_OK) {
    return code;
  }

  const BlasShape shape = {heads * rows, first * rows, attn->seq_q, attn->seq_kv, pitch};
  const unsigned grid = (unsigned)(shape.rows < GRID_MAX ? shape.rows : GRID_MAX);
  code = BENCH_LAUNCH(blas_softmax<T>, grid, THREADS, 0, launch->stream, shape,
                      mask_rows_of(launch), scores, launch->lse);
  if (code != BENCH_OK) {
    return code;
  }

  bench_gemm pv = product;
  pv.c_dtype = attn->dtype;
  pv.n = d;
  pv.k = attn->seq_kv;
  pv.a = scores;
  pv.b = blas_at(attn, launch->v, first * attn->seq_kv * d);
  pv.c = const_cast<void *>(blas_at(attn, launch->o, first * rows * d));
  pv.lda = pitch * static_cast<int64_t>(sizeof(float) / sizeof(T));
  pv.ldb = pv.ldc = d;
  pv.stride_a = rows * pv.lda;
  pv.stride_b = attn->seq_kv * d;
  pv.stride_c = rows * d;
  pv.alpha = 1.0f;
  return bench_cublas_gemm(launch->stream, &pv, launch->error);
}

template <typename T>
static bench_code blas_launch_as(const bench_launch *launch) {
  const int64_t heads = launch->attn->batch * launch->attn->heads_kv;
  const int64_t held = blas_heads_held(launch->attn);
  bench_code code = BENCH_OK;
  for (int64_t first = 0; code == BENCH_OK && first < heads; first += held) {
    code = blas_heads<T>(launch, first, heads - first < held ? heads - first : held);
  }
  return code;
}

static bench_code blas_launch(const bench_launch *launch) {
  switch (launch->attn->dtype) {
    case BENCH_FP16:
      return blas_launch_as<dev_fp16>(launch);
    case BENCH_BF16:
      return blas_launch_as<dev_bf16>(launch);
    default:
      return blas_launch_as<float>(launch);
  }
}

static const char *blas_why_not(const bench_attn *attn, const bench_device *device) {
  const char *reason = cuda_why_not(BENCH_ARCHS, attn, device);
  if (reason == nullptr && blas_head_rows(attn) > INT32_MAX) {
    reason = "a group of heads has more query rows than cuBLAS counts";
  }
  return reason == nullptr ? bench_cublas_why_not() : reason;
}

BENCH_KERNEL(cuda, blas) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(blas),
    .summary = "unfused: two cuBLAS products around a softmax of the whole score matrix",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = blas_why_not,
    .workspace_bytes = blas_workspace_bytes,
    .launch = blas_launch,
};
