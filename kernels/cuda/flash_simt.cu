/* flash, variant simt: the tiled step, between naive.cu and the tensor cores.
 *
 * The one idea over naive: a block takes 64 query rows at a time instead of one, and the keys in
 * tiles of 64, so that what is fetched of K and V is used 64 times. Both products of a tile,
 * S = Q K^T and O += P V, are then the textbook tiled matrix product: two tiles of 64 x 64 floats
 * in shared memory, and a micro-tile of 4 x 4 results in the registers of each of 256 threads
 * (product() below serves both). Between the two stands the online softmax of naive, here with a
 * maximum and a sum for each row of the tile.
 *
 * head_dim goes in slices of 64, ragged ones filled up with zeros; Q is fetched anew for every
 * tile of keys, which keeps shared memory the same for every head_dim. The mask of a tile is one
 * 64-bit word for each row, whatever the mask is; tiles that no row sees are jumped over.
 *
 * The ledger, of one product of 64 x 64 x 64 multiply-adds (FMA) by a block of 8 warps:
 *   - global memory: 2 x 4096 elements into shared memory for S, 4096 for O: an element serves 64
 *     FMA for S (K, and Q again) and 64 for O, where in naive it serves one;
 *   - shared memory: a step of a warp reads 16 distinct float4 of one tile and 2 of the other,
 *     288 bytes, for 512 FMA: three accesses of 128 bytes. A multiprocessor makes one such access
 *     in a cycle and 128 FMA (64 on sm_75 and sm_80), so the FMA take 4 (8) cycles and the reads 3;
 *   - registers: 16 scores and 16 outputs a slice, 144 floats at head_dim 512.
 * So the floating-point units set the limit, with shared memory close behind: two FMA for every
 * visible pair and element of head_dim, at the rate of a GPU's plain FMA. Only other units can
 * pass it, the tensor cores. And a load hides behind the arithmetic of another block alone, where a
 * multiprocessor has the registers for two: up to head_dim 128. */
#include <math.h>

#include "cuda/common.h"
#include "cuda/device.h"
#include "cuda/mask_rows.h"

#define TILE 64 /* query rows, keys, and elements of head_dim, of a tile */
#define MICRO 4 /* rows and columns of a thread's micro-tile */
#define PITCH                                                                         \
  17 /* Quads from row to row of a shared tile: one more than needed, so that threads \
        that store to neighbouring rows meet other banks */
#define SIDE (TILE / MICRO)
#define THREADS (SIDE * SIDE)
#define WARPS (THREADS / BENCH_WARP)
#define HEAD_DIM_MAX 512
#define NO_TILE INT32_MAX

struct alignas(16) Quad { /* read and written in one access */
  float at[MICRO];
};

struct FlashShape {
  int64_t seq_q;
  int64_t seq_kv;
  int64_t group; /* query heads that share a key head; the batch needs no mention */
  int row_tiles;
  int head_dim;
  float scale_log2; /* log2(e) / sqrt(head_dim): weights are powers of two */
};

/* What a block keeps in shared memory. `left` holds the factor whose rows are the query rows,
 * turned so that a query row is a column: Q, then the weights. `right` holds K, turned too, then V.
 */
struct FlashBlock {
  Quad *left;        /* [TILE][PITCH] */
  Quad *right;       /* [TILE][PITCH] */
  uint64_t *visible; /* [TILE] bit c: the row sees key c of the tile */
  int *next;         /* [WARPS] the next tile that a row of the warp may see */
};

/* The threads t < TILE follow one query row each through its visible keys. */
struct RowKeys {
  int64_t head;
  int64_t row;
  int64_t pieces; /* 0 behind the last row, and for threads that follow none */
  int64_t n;      /* the piece in hand */
  MaskPiece piece;
};

/* The online softmax of the rows of a thread's micro-tile. */
struct RowSums {
  float max[MICRO]; /* of the scores so far; the same in all threads of a row */
  float sum[MICRO]; /* of this thread's weights */
};

BENCH_DEVICE_FN int thread_column() {
  return thread_x() % SIDE;
}
BENCH_DEVICE_FN int thread_row() {
  return thread_x() / SIDE;
}

BENCH_DEVICE_FN void take_piece(RowKeys &keys, const MaskRows &mask, int64_t n) {
  keys.n = n;
  if (n < keys.pieces) {
    keys.piece = mask_piece(mask, keys.head, keys.row, n);
  }
}

/* The first tile from `tile` on that a row of the block may see, or NO_TILE. It contains a barrier;
 * the next call must come behind another one. */
BENCH_DEVICE_FN int next_tile(const FlashBlock &block, const MaskRows &mask, RowKeys &keys,
                              int tile) {
  const int64_t begin = (int64_t)tile * TILE;
  while (keys.n < keys.pieces && keys.piece.end <= begin) {
    take_piece(keys, mask, keys.n + 1);
  }
  int found = NO_TILE;
  if (keys.n < keys.pieces) {
    found = keys.piece.begin > begin ? (int)(keys.piece.begin / TILE) : tile;
  }
  for (int lanes = BENCH_WARP / 2; lanes > 0; lanes /= 2) {
    const int other = shfl_xor(found, lanes);
    found = other < found ? other : found;
  }
  if (thread_x() % BENCH_WARP == 0) {
    block.next[thread_x() / BENCH_WARP] = found;
  }
  sync_threads();
  for (int w = 0; w < WARPS; w++) {
    found = block.next[w] < found ? block.next[w] : found;
  }
  return found;
}

/* The keys begin .. begin + 63 that a piece shows, one bit each. */
BENCH_DEVICE_FN uint64_t piece_word(const MaskPiece &piece, int64_t words, int64_t begin) {
  const int64_t first = piece.begin > begin ? piece.begin - begin : 0;
  const int64_t last = piece.end < begin + TILE ? piece.end - begin : TILE;
  if (first >= last) {
    return 0;
  }
  const uint64_t range = ~UINT64_C(0) >> (TILE - (last - first)) << first;
  if (piece.bits == nullptr) {
    return range;
  }
  const int64_t bit = begin + first - piece.begin;
  const int64_t shift = bit % 64;
  uint64_t bits = load_global(piece.bits + bit / 64) >> shift;
  if (shift > 0 && bit / 64 + 1 < words) {
    bits |= load_global(piece.bits + bit / 64 + 1) << (64 - shift);
  }
  return bits << first & range;
}

/* All pieces of the row that reach into the tile; leaves the last one in hand if it goes on. */
BENCH_DEVICE_FN uint64_t row_word(const MaskRows &mask, RowKeys &keys, int tile) {
  const int64_t begin = (int64_t)tile * TILE;
  uint64_t word = 0;
  while (keys.n < keys.pieces && keys.piece.begin < begin + TILE) {
    word |= piece_word(keys.piece, mask.blocks.words, begin);
    if (keys.piece.end > begin + TILE) {
      break;
    }
    take_piece(keys, mask, keys.n + 1);
  }
  return word;
}

/* A tile of rows x columns floats from memory, zeros around it. Eight threads side by side read
 * eight elements of a row, a warp four rows: whole sectors of memory, and 32 banks to store to. */
template <bool TURNED, typename T>
BENCH_DEVICE_FN void fetch(Quad *tile, const T *from, int64_t pitch, int64_t rows, int columns) {
  const int first_column = thread_x() % 8;
  const int first_row = thread_x() / 8;
  BENCH_UNROLL_BY(1)
  for (int y = 0; y < TILE; y += THREADS / 8) {
    BENCH_UNROLL_BY(4)
    for (int x = 0; x < TILE; x += 8) {
      const int r = first_row + y;
      const int c = first_column + x;
      float value = 0;
      if (r < rows && c < columns) {
        value = to_float(load_global(from + r * pitch + c));
      }
      if (TURNED) {
        tile[c * PITCH + r / MICRO].at[r % MICRO] = value;
      } else {
        tile[r * PITCH + c / MICRO].at[c % MICRO] = value;
      }
    }
  }
}

/* out[r][c] += sum over s of left[s][row r] * right[s][column c], of the thread's micro-tile. */
BENCH_DEVICE_FN void product(const FlashBlock &block, float (&out)[MICRO][MICRO]) {
  const Quad *left = block.left + thread_row();
  const Quad *right = block.right + thread_column();
  BENCH_UNROLL_BY(8)
  for (int s = 0; s < TILE; s++) {
    const Quad a = left[s * PITCH];
    const Quad b = right[s * PITCH];
    for (int r = 0; r < MICRO; r++) {
      for (int c = 0; c < MICRO; c++) {
        out[r][c] += a.at[r] * b.at[c];
      }
    }
  }
}

/* Scores become weights against the maximum so far, which go to block.left; where the maximum
 * rises, `shrink` is below 1: what sums and outputs are to be multiplied with. */
BENCH_DEVICE_FN void softmax(const FlashBlock &block, float scale, float (&scores)[MICRO][MICRO],
                             RowSums &sums, float (&shrink)[MICRO]) {
  for (int r = 0; r < MICRO; r++) {
    const uint64_t visible = block.visible[thread_row() * MICRO + r];
    float max = sums.max[r];
    for (int c = 0; c < MICRO; c++) {
      const bool seen = (visible >> (thread_column() * MICRO + c) & 1) != 0;
      scores[r][c] = seen ? scores[r][c] * scale : minus_infinity();
      max = max_f(max, scores[r][c]);
    }
    for (int lanes = SIDE / 2; lanes > 0; lanes /= 2) {
      max = max_f(max, shfl_xor(max, lanes));
    }
    const float base = max == minus_infinity() ? 0.0f : max; /* a row that has seen no key yet */
    shrink[r] = exp2_approx(sums.max[r] - base);
    sums.max[r] = max;
    sums.sum[r] *= shrink[r];
    for (int c = 0; c < MICRO; c++) {
      scores[r][c] = exp2_approx(scores[r][c] - base);
      sums.sum[r] += scores[r][c];
    }
  }
  for (int c = 0; c < MICRO; c++) {
    Quad weights;
    for (int r = 0; r < MICRO; r++) {
      weights.at[r] = scores[r][c];
    }
    block.left[(thread_column() * MICRO + c) * PITCH + thread_row()] = weights;
  }
}

/* One tile of keys: the shared tiles are free when it begins and when it ends. */
template <typename T, int SLICES>
BENCH_DEVICE_FN void add_keys(const FlashShape &shape, const FlashBlock &block, const T *q,
                              int64_t q_rows, const T *k, const T *v, int64_t keys, RowSums &sums,
                              float (&out)[SLICES][MICRO][MICRO]) {
  float scores[MICRO][MICRO] = {};
  BENCH_UNROLL
  for (int s = 0; s < SLICES; s++) {
    const int d = s * TILE;
    if (d < shape.head_dim) {
      fetch<true>(block.left, q + d, shape.head_dim, q_rows, shape.head_dim - d);
      fetch<true>(block.right, k + d, shape.head_dim, keys, shape.head_dim - d);
      sync_threads();
      product(block, scores);
      sync_threads();
    }
  }
  float shrink[MICRO];
  softmax(block, shape.scale_log2, scores, sums, shrink);
  BENCH_UNROLL
  for (int s = 0; s < SLICES; s++) {
    const int d = s * TILE;
    if (d < shape.head_dim) {
      fetch<false>(block.right, v + d, shape.head_dim, keys, shape.head_dim - d);
      for (int r = 0; r < MICRO; r++) {
        for (int c = 0; c < MICRO; c++) {
          out[s][r][c] *= shrink[r];
        }
      }
      sync_threads();
      product(block, out[s]);
      sync_threads();
    }
  }
}

/* Rows of O and LSE; first: the place of row 0 of the tile among all rows. */
template <typename T, int SLICES>
BENCH_DEVICE_FN void store_rows(const FlashShape &shape, int64_t first, int64_t q_rows,
                                const RowSums &sums, const float (&out)[SLICES][MICRO][MICRO], T *o,
                                float *lse) {
  BENCH_UNROLL
  for (int r = 0; r < MICRO; r++) {
    float sum = sums.sum[r];
    for (int lanes = SIDE / 2; lanes > 0; lanes /= 2) {
      sum += shfl_xor(sum, lanes);
    }
    const int row = thread_row() * MICRO + r;
    if (row < q_rows) {
      BENCH_UNROLL
      for (int s = 0; s < SLICES; s++) {
        for (int c = 0; c < MICRO; c++) {
          const int d = s * TILE + thread_column() * MICRO + c;
          if (d < shape.head_dim) {
            from_float(sum > 0 ? out[s][r][c] / sum : 0.0f, o + (first + row) * shape.head_dim + d);
          }
        }
      }
      if (thread_column() == 0) {
        const float ln2 = 0.693147180559945309f;
        lse[first + row] = sum > 0 ? sums.max[r] * ln2 + log_natural(sum) : minus_infinity();
      }
    }
  }
}

/* Block x takes a tile of query rows of one head; of a head's tiles the last comes first, as it
 * sees most keys of a causal mask. SLICES: head_dim / 64, rounded up to 1, 2, 4 or 8. */
template <typename T, int SLICES>
BENCH_KERNEL_FN_BLOCKS(THREADS, (SLICES <= 2 ? 2 : 1))
void flash_tiles(FlashShape shape, MaskRows mask, const T *q, const T *k, const T *v, T *o,
                 float *lse) {
  BENCH_SHARED(Quad, left, [TILE * PITCH]);
  BENCH_SHARED(Quad, right, [TILE * PITCH]);
  BENCH_SHARED(uint64_t, visible, [TILE]);
  BENCH_SHARED(int, next, [WARPS]);
  const FlashBlock block = {left, right, visible, next};
  const int64_t head = block_x() / shape.row_tiles;
  const int64_t row = (shape.row_tiles - 1 - block_x() % shape.row_tiles) * TILE;
  const int64_t q_rows = shape.seq_q - row;
  const int64_t first = head * shape.seq_q + row;
  const int64_t kv_first = head / shape.group * shape.seq_kv * shape.head_dim;

  RowKeys keys = {};
  keys.head = head;
  keys.row = row + thread_x();
  if (thread_x() < TILE && thread_x() < q_rows) {
    keys.pieces = mask_piece_count(mask, head, keys.row);
  }
  take_piece(keys, mask, 0);
  RowSums sums;
  for (int r = 0; r < MICRO; r++) {
    sums.max[r] = minus_infinity();
    sums.sum[r] = 0;
  }
  float out[SLICES][MICRO][MICRO] = {};
  for (int tile = next_tile(block, mask, keys, 0); tile != NO_TILE;
       tile = next_tile(block, mask, keys, tile + 1)) {
    if (thread_x() < TILE) {
      block.visible[thread_x()] = row_word(mask, keys, tile); /* read behind add_keys' barriers */
    }
    const int64_t key = (int64_t)tile * TILE;
    const int64_t offset = kv_first + key * shape.head_dim;
    add_keys<T, SLICES>(shape, block, q + first * shape.head_dim, q_rows, k + offset, v + offset,
                        shape.seq_kv - key, sums, out);
  }
  store_rows<T, SLICES>(shape, first, q_rows, sums, out, o, lse);
}

static int64_t flash_blocks(const bench_attn *attn) {
  return attn->batch * attn->heads_q * ((attn->seq_q + TILE - 1) / TILE);
}

template <typename T, int SLICES>
static bench_code flash_launch_slices(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  FlashShape shape;
  shape.seq_q = attn->seq_q;
  shape.seq_kv = attn->seq_kv;
  shape.group = attn->heads_q / attn->heads_kv;
  shape.row_tiles = (int)((attn->seq_q + TILE - 1) / TILE);
  shape.head_dim = (int)attn->head_dim;
  shape.scale_log2 = 1.44269504088896340736f / sqrtf((float)attn->head_dim);
  return BENCH_LAUNCH((flash_tiles<T, SLICES>), (unsigned)flash_blocks(attn), THREADS, 0,
                      launch->stream, shape, mask_rows_of(launch),
                      static_cast<const T *>(launch->q), static_cast<const T *>(launch->k),
                      static_cast<const T *>(launch->v), static_cast<T *>(launch->o), launch->lse);
}

template <typename T>
static bench_code flash_launch_as(const bench_launch *launch) {
  const int64_t slices = (launch->attn->head_dim + TILE - 1) / TILE;
  return slices <= 1   ? flash_launch_slices<T, 1>(launch)
         : slices <= 2 ? flash_launch_slices<T, 2>(launch)
         : slices <= 4 ? flash_launch_slices<T, 4>(launch)
                       : flash_launch_slices<T, 8>(launch);
}

static bench_code flash_launch(const bench_launch *launch) {
  switch (launch->attn->dtype) {
    case BENCH_FP16:
      return flash_launch_as<dev_fp16>(launch);
    case BENCH_BF16:
      return flash_launch_as<dev_bf16>(launch);
    default:
      return flash_launch_as<float>(launch);
  }
}

static const char *flash_why_not(const bench_attn *attn, const bench_device *device) {
  if (attn->head_dim > HEAD_DIM_MAX) {
    return "head_dim is above 512";
  }
  if (flash_blocks(attn) > INT32_MAX || attn->seq_kv / TILE >= NO_TILE) {
    return "more tiles than the kernel counts";
  }
  return cuda_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "64 query rows share tiles of K and V in shared memory; plain FMA, any dtype",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = flash_why_not,
    .workspace_bytes = nullptr,
    .launch = flash_launch,
};
