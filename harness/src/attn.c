/* The plain value of a problem: names, checks, sizes, identity. */
#include "bench/attn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/mask.h"
#include "src/hash.h"

static const char *const bench_dtype_names[] = {"fp32", "fp16", "bf16"};
static const char *const bench_scope_names[] = {"attention", "block"};
static const char *const bench_direction_names[] = {"fwd", "bwd"};
static const char *const bench_input_names[] = {"normal", "uniform", "outlier", "huge", "model"};

static bool parse_name(const char *text, const char *const *names, int count, int *out) {
  for (int i = 0; i < count; i++) {
    if (strcmp(text, names[i]) == 0) {
      *out = i;
      return true;
    }
  }
  return false;
}

#define BENCH_NAMED_ENUM(type, prefix, count)               \
  const char *prefix##_name(type value) {                   \
    return prefix##_names[value];                           \
  }                                                         \
  bool prefix##_parse(const char *text, type *out) {        \
    int found;                                              \
    if (!parse_name(text, prefix##_names, count, &found)) { \
      return false;                                         \
    }                                                       \
    *out = (type)found;                                     \
    return true;                                            \
  }
BENCH_NAMED_ENUM(bench_dtype, bench_dtype, BENCH_DTYPE_COUNT)
BENCH_NAMED_ENUM(bench_scope, bench_scope, BENCH_SCOPE_COUNT)
BENCH_NAMED_ENUM(bench_direction, bench_direction, BENCH_DIRECTION_COUNT)
BENCH_NAMED_ENUM(bench_input, bench_input, BENCH_INPUT_COUNT)

void bench_attn_input_text(const bench_attn *attn, char *text, size_t capacity) {
  if (attn->input == BENCH_INPUT_MODEL) {
    snprintf(text, capacity, "model:%s", attn->model);
  } else {
    snprintf(text, capacity, "%s", bench_input_name(attn->input));
  }
}

bench_code bench_attn_check(const bench_attn *attn, bench_error *error) {
  const struct {
    const char *name;
    int64_t value;
    int64_t limit;
  } fields[] = {
      {"layers", attn->layers, INT64_C(1) << 24}, {"batch", attn->batch, INT64_C(1) << 24},
      {"heads", attn->heads_q, INT64_C(1) << 24}, {"kv_heads", attn->heads_kv, INT64_C(1) << 24},
      {"head_dim", attn->head_dim, 512},          {"seq_q", attn->seq_q, INT64_C(1) << 24},
      {"seq_kv", attn->seq_kv, INT64_C(1) << 24},
  };
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (fields[i].value < 1 || fields[i].value > fields[i].limit) {
      return bench_fail(error, BENCH_ERR_USAGE, "%s = %" PRId64 " is outside 1 .. %" PRId64,
                        fields[i].name, fields[i].value, fields[i].limit);
    }
  }
  if (attn->heads_q % attn->heads_kv != 0) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "heads = %" PRId64 " is not a multiple of kv_heads = %" PRId64, attn->heads_q,
                      attn->heads_kv);
  }
  const int narrowest = attn->scope == BENCH_SCOPE_BLOCK ? 1 : 0; /* attention alone has none */
  if (attn->d_model < narrowest || attn->d_model > (INT64_C(1) << 24)) {
    return bench_fail(error, BENCH_ERR_USAGE, "d_model = %" PRId64 " is outside %d .. 2^24",
                      attn->d_model, narrowest);
  }
  if (attn->batch * attn->heads_q > (INT64_C(1) << 24)) {
    return bench_fail(error, BENCH_ERR_USAGE, "batch x heads = %" PRId64 " is above 2^24",
                      attn->batch * attn->heads_q);
  }
  const int64_t longest = attn->seq_q > attn->seq_kv ? attn->seq_q : attn->seq_kv;
  int64_t bytes;
  /* batch x heads <= 2^24, seq <= 2^24, head_dim <= 2^9, 4 bytes: only layers can overflow. */
  if (__builtin_mul_overflow(attn->batch * attn->heads_q * longest * attn->head_dim * 4,
                             4 * attn->layers, &bytes)) {
    return bench_fail(error, BENCH_ERR_USAGE, "the tensors of all layers exceed 2^63 bytes");
  }
  /* X and Y, and four weights of at most heads x head_dim columns. */
  const int64_t wide = attn->d_model * (2 * attn->batch + 4 * attn->heads_q);
  if (__builtin_mul_overflow(wide, longest * attn->head_dim, &bytes) ||
      __builtin_mul_overflow(bytes, 4 * attn->layers, &bytes)) {
    return bench_fail(error, BENCH_ERR_USAGE, "the tensors of all blocks exceed 2^63 bytes");
  }
  return BENCH_OK;
}

void bench_attn_set_mask(bench_attn *attn, const bench_mask_choice *choice) {
  memcpy(&attn->mask, &choice->mask, sizeof attn->mask); /* padding too */
  memcpy(attn->part, choice->part, sizeof attn->part);
}

bench_attn bench_attn_layer(const bench_attn *attn, int64_t layer) {
  bench_attn own;
  memcpy(&own, attn, sizeof own);
  if (attn->mask.kind == BENCH_MASK_HYBRID && attn->mask.over == BENCH_HYBRID_LAYERS) {
    const int part = bench_mask_part(&attn->mask, layer);
    memcpy(&own.mask, &attn->part[part], sizeof own.mask);
    memset(own.part, 0, sizeof own.part);
  }
  return own;
}

int64_t bench_attn_q_elements(const bench_attn *attn) {
  return attn->batch * attn->heads_q * attn->seq_q * attn->head_dim;
}

int64_t bench_attn_kv_elements(const bench_attn *attn) {
  return attn->batch * attn->heads_kv * attn->seq_kv * attn->head_dim;
}

int64_t bench_attn_rows(const bench_attn *attn) {
  return attn->batch * attn->heads_q * attn->seq_q;
}

uint64_t bench_attn_id(const bench_attn *attn) {
  char mask[BENCH_MASK_TEXT_MAX];
  bench_mask_format(&attn->mask, attn->part, mask);
  /* A checkpoint's name is that of its folder; what it is stands in input_hash. */
  const char *model = attn->input == BENCH_INPUT_MODEL ? "" : attn->model;
  char text[1024];
  snprintf(text, sizeof text,
           "attn1 model=%s params=%" PRId64 " layers=%" PRId64 " batch=%" PRId64 " heads=%" PRId64
           "/%" PRId64 " dim=%" PRId64 " seq=%" PRId64 "/%" PRId64
           " dtype=%s scope=%s direction=%s input=%s:%016" PRIx64 " seed=%" PRIu64 " mask=%s",
           model, attn->params, attn->layers, attn->batch, attn->heads_q, attn->heads_kv,
           attn->head_dim, attn->seq_q, attn->seq_kv, bench_dtype_name(attn->dtype),
           bench_scope_name(attn->scope), bench_direction_name(attn->direction),
           bench_input_name(attn->input), attn->input_hash, attn->seed, mask);
  uint64_t id = bench_hash_text(BENCH_HASH_START, text);
  if (attn->scope == BENCH_SCOPE_BLOCK) {
    snprintf(text, sizeof text, " d_model=%" PRId64, attn->d_model);
    id = bench_hash_text(id, text);
  }
  return id;
}
