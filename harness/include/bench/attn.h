/* bench_attn: the work of one problem. A plain value without pointers, so that it can be copied,
 * compared, hashed and sent to a worker.
 *
 * Tensors of one layer, row-major and contiguous ("BHSD"):
 *   Q, O  [batch][heads_q ][seq_q ][head_dim]      dtype
 *   K, V  [batch][heads_kv][seq_kv][head_dim]      dtype
 *   LSE   [batch][heads_q ][seq_q ]                float, natural log; -inf for a row with no keys
 * Query head h reads key/value head h / (heads_q / heads_kv). The softmax scale is
 * 1/sqrt(head_dim). Row r of Q stands at the absolute position i = r + seq_kv - seq_q
 * (bottom-right alignment), key j at position j. A row that sees no key gives O = 0. */
#ifndef BENCH_ATTN_H
#define BENCH_ATTN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bench_dtype { BENCH_FP32, BENCH_FP16, BENCH_BF16, BENCH_DTYPE_COUNT } bench_dtype;
typedef enum bench_scope {
  BENCH_SCOPE_ATTENTION,
  BENCH_SCOPE_BLOCK,
  BENCH_SCOPE_COUNT
} bench_scope;
typedef enum bench_direction { BENCH_FWD, BENCH_BWD, BENCH_DIRECTION_COUNT } bench_direction;

/* Where Q, K and V come from. OUTLIER adds N(0,100) x Bernoulli(0.001) to K; HUGE does the same
 * with a standard deviation of 1e4, where only finiteness is asked of a result. */
typedef enum bench_input {
  BENCH_INPUT_NORMAL,
  BENCH_INPUT_UNIFORM,
  BENCH_INPUT_OUTLIER,
  BENCH_INPUT_HUGE,
  BENCH_INPUT_MODEL,
  BENCH_INPUT_COUNT
} bench_input;

typedef enum bench_mask_kind {
  BENCH_MASK_FULL,
  BENCH_MASK_CAUSAL,
  BENCH_MASK_WINDOW,
  BENCH_MASK_SINK_WINDOW,
  BENCH_MASK_STRIDED,
  BENCH_MASK_BLOCK,
  BENCH_MASK_BIGBIRD,
  BENCH_MASK_TOPK,
  BENCH_MASK_HYBRID,
  BENCH_MASK_KIND_COUNT
} bench_mask_kind;

typedef enum bench_block_layout { BENCH_LAYOUT_RANDOM, BENCH_LAYOUT_SKEWED } bench_block_layout;

/* What the two masks of a HYBRID alternate over. */
typedef enum bench_hybrid_axis { BENCH_HYBRID_HEADS, BENCH_HYBRID_LAYERS } bench_hybrid_axis;

/* Visible keys of the row at position i (see mask.h for the text forms):
 *   FULL         all
 *   CAUSAL       j <= i
 *   WINDOW       0 <= i-j < window, or |i-j| < window with `both`
 *   SINK_WINDOW  j <= i and (j < sink or i-j < window)
 *   STRIDED      j <= i and (i-j < stride or (i-j) mod stride = 0)
 * and by blocks of `block` x `block`, of which those with a pair j = i are diagonal and those with
 * a pair j <= i causal; a kept diagonal block shows its pairs j <= i:
 *   BLOCK        the diagonal blocks, and a seeded draw of the causal ones
 *   BIGBIRD      causal blocks: the last `window` of a block row, the first `global` ones, and
 *                `random` others of the row by a seeded draw
 *   TOPK         the diagonal blocks, and of the other causal ones those with the largest pooled
 *                score, `keep` in all; chosen for each sequence, query head and block row
 *   HYBRID       bench_attn.part[0] and part[1] in turn: of every share[0] + share[1] query heads
 *                or layers the first share[0] have part[0]
 * Fields that a kind does not use are zero, so that equal masks are equal bytes. */
typedef struct bench_mask {
  bench_mask_kind kind;
  bench_block_layout layout; /* BLOCK */
  int64_t window;            /* WINDOW, SINK_WINDOW: tokens; BIGBIRD: blocks */
  int64_t sink;              /* SINK_WINDOW: tokens */
  int64_t stride;            /* STRIDED: tokens */
  int64_t block;             /* BLOCK, BIGBIRD, TOPK: rows and keys of a block */
  int64_t global;            /* BIGBIRD: blocks, may be 0 */
  int64_t random;            /* BIGBIRD: blocks, may be 0 */
  int64_t keep;              /* TOPK: blocks */
  double density;            /* BLOCK: kept share of the causal blocks, (0, 1] */
  bool both;                 /* WINDOW: to both sides */
  bench_hybrid_axis over;    /* HYBRID */
  int64_t share[2];          /* HYBRID */
} bench_mask;

#define BENCH_NAME_MAX 64

typedef struct bench_attn {
  char model[BENCH_NAME_MAX]; /* preset's or checkpoint's name, empty if none */
  int64_t params;             /* parameters of the model, 0 if unknown */
  int64_t layers;
  int64_t batch;
  int64_t heads_q;
  int64_t heads_kv;
  int64_t head_dim;
  int64_t d_model; /* width of the projections; 0 with BENCH_SCOPE_ATTENTION */
  int64_t seq_q;
  int64_t seq_kv;
  bench_dtype dtype;
  bench_scope scope;
  bench_direction direction;
  bench_input input;
  uint64_t input_hash; /* MODEL: hash of the checkpoint's and the text's content, else 0 */
  uint64_t seed;
  bench_mask mask;
  bench_mask part[2]; /* of a HYBRID mask: neither is one itself; else zero */
} bench_attn;

/* Text forms. The *_name functions return a static string; the *_parse functions return false on
 * an unknown name. */
const char *bench_dtype_name(bench_dtype dtype);
bool bench_dtype_parse(const char *text, bench_dtype *out);
static inline size_t bench_dtype_bytes(bench_dtype dtype) {
  return dtype == BENCH_FP32 ? 4 : 2;
}
const char *bench_scope_name(bench_scope scope);
bool bench_scope_parse(const char *text, bench_scope *out);
const char *bench_direction_name(bench_direction direction);
bool bench_direction_parse(const char *text, bench_direction *out);
const char *bench_input_name(bench_input input); /* "model" for BENCH_INPUT_MODEL */
bool bench_input_parse(const char *text, bench_input *out);

/* The column `input`: the name, or "model:NAME". */
void bench_attn_input_text(const bench_attn *attn, char *text, size_t capacity);

/* Every size is positive, heads_q is a multiple of heads_kv, and no tensor's byte count overflows
 * int64. The message names the field. */
bench_code bench_attn_check(const bench_attn *attn, bench_error *error);

/* Elements of one layer's tensors. */
int64_t bench_attn_q_elements(const bench_attn *attn);  /* also O */
int64_t bench_attn_kv_elements(const bench_attn *attn); /* K alone, also V alone */
int64_t bench_attn_rows(const bench_attn *attn);        /* LSE: batch * heads_q * seq_q */

/* The same problem as one layer has it: `mask` is the layer's own where the mask alternates over
 * layers, else that of the problem. */
bench_attn bench_attn_layer(const bench_attn *attn, int64_t layer);

/* Stable 64-bit identity of the work: the seed and everything above but nothing of budget,
 * backend, device or path. */
uint64_t bench_attn_id(const bench_attn *attn);

/* Numbers between the storage types. Round to nearest even; NaN and inf are kept. */
float bench_fp16_to_float(uint16_t bits);
uint16_t bench_fp16_from_float(float value);
float bench_bf16_to_float(uint16_t bits);
uint16_t bench_bf16_from_float(float value);
void bench_to_float(bench_dtype dtype, const void *from, float *to, int64_t count);
void bench_from_float(bench_dtype dtype, const float *from, void *to, int64_t count);
float bench_round_to(bench_dtype dtype, float value); /* through dtype and back */

#ifdef __cplusplus
}
#endif
#endif
