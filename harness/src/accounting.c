/* Exact counts of work and memory, from the shape alone; the formulas stand in bench/plan.h. */
#include <stdlib.h>
#include <string.h>

#include "bench/plan.h"
#include "blocklist.h"

__extension__ typedef __int128 wide;

static int64_t narrow(wide count) {
  return count > INT64_MAX ? BENCH_MISSING_INT : (int64_t)count;
}

/* Of `count` heads or layers in a row, how many have the first part of the hybrid. */
static int64_t first_parts(const bench_mask *mask, int64_t count) {
  const int64_t period = mask->share[0] + mask->share[1];
  return count / period * mask->share[0] + min64(count % period, mask->share[0]);
}

/* The pure masks of a problem, and on how many (layer, query head) each stands. */
typedef struct mask_share {
  bench_attn attn;
  int64_t heads; /* summed over layers */
} mask_share;

static int shares_of(const bench_attn *attn, mask_share shares[2]) {
  shares[0] = (mask_share){*attn, attn->layers * attn->heads_q};
  if (attn->mask.kind != BENCH_MASK_HYBRID) {
    return 1;
  }
  const bool over_heads = attn->mask.over == BENCH_HYBRID_HEADS;
  const int64_t first = over_heads ? attn->layers * first_parts(&attn->mask, attn->heads_q)
                                   : attn->heads_q * first_parts(&attn->mask, attn->layers);
  for (int i = 0; i < 2; i++) {
    shares[i].attn = *attn;
    shares[i].attn.mask = attn->part[i];
    shares[i].heads = i == 0 ? first : attn->layers * attn->heads_q - first;
  }
  return 2;
}

/* The keys that at least one row of a simple mask sees. The first row's window starts furthest left
 * and the last row's ends furthest right, and windows of neighbouring rows overlap, so their union
 * is one span, besides the sinks. */
static void simple_keys(const bench_attn *attn, bench_span keys[2]) {
  /* Rows at negative positions see nothing under the causal kinds. */
  int64_t first = attn->seq_q > attn->seq_kv ? attn->seq_q - attn->seq_kv : 0;
  if (attn->mask.kind == BENCH_MASK_FULL || attn->mask.both) {
    first = 0;
  }
  bench_span spans[2];
  int count = bench_mask_spans(attn, first, spans);
  const int64_t begin = count > 0 ? spans[count - 1].begin : 0;
  int64_t sink_end = count == 2 ? spans[0].end : 0;
  count = bench_mask_spans(attn, attn->seq_q - 1, spans);
  const int64_t end = count > 0 ? spans[count - 1].end : begin;
  if (count == 2) {
    sink_end = max64(sink_end, spans[0].end);
  }
  keys[0] = (bench_span){0, min64(sink_end, begin)};
  keys[1] = (bench_span){begin, max64(begin, end)};
}

/* Row i sees the near keys, and behind them those at distances that are multiples of the stride. */
static void mark_strided(const bench_attn *attn, bool *seen) {
  const int64_t stride = attn->mask.stride;
  const int64_t first = max64(attn->seq_kv - attn->seq_q, 0);
  const int64_t near = max64(first - stride + 1, 0);
  memset(seen + near, 1, (size_t)(attn->seq_kv - near) * sizeof *seen);
  for (int64_t j = 0; j < near; j++) {
    seen[j] = seen[j] || (first - j) % stride == 0 ||
              (first - j) % stride + (attn->seq_kv - 1 - first) >= stride;
  }
}

static void mark_list(const bench_blocklist *list, bool *seen) {
  for (int64_t b = 0; b < list->blocks; b++) {
    memset(seen + list->column[b] * list->block, 1,
           (size_t)list_keys_of(list, list->column[b]) * sizeof *seen);
  }
}

/* The keys that heads read between them. What a TOPK mask adds to its diagonal blocks depends on
 * the input; of it is known how many of the columns before the first diagonal there must be. */
typedef struct key_set {
  bool *seen;      /* [seq_kv] */
  int64_t block;   /* of the TOPK masks, which have one size */
  int64_t columns; /* before the first diagonal block */
  int64_t chosen;  /* how many of them some row must choose; rows may choose the same ones */
} key_set;

/* From the first diagonal block on every key is on a diagonal. A row's choice is free to fall on
 * such columns, as many as stand before its own diagonal. */
static void mark_chosen(const bench_attn *attn, key_set *keys) {
  const int64_t block = attn->mask.block;
  const int64_t first = attn->seq_kv - attn->seq_q;
  keys->block = block;
  keys->columns = max64(first, 0) / block;
  memset(keys->seen + keys->columns * block, 1,
         (size_t)(attn->seq_kv - keys->columns * block) * sizeof *keys->seen);
  for (int64_t begin = 0; begin < attn->seq_q; begin += block) {
    const int64_t rows = min64(block, attn->seq_q - begin);
    const bench_span diagonal = list_diagonal(first, block, begin / block, rows);
    const int64_t wanted =
        clamp64(attn->mask.keep - (diagonal.end - diagonal.begin), 0, diagonal.begin);
    keys->chosen = max64(keys->chosen, wanted - (diagonal.begin - keys->columns));
  }
}

/* Marks the columns that are chosen: those that have the fewest keys unseen. */
static bench_code mark_cheapest(key_set *keys, bench_error *error) {
  if (keys->chosen == 0) {
    return BENCH_OK;
  }
  int32_t *unseen = calloc((size_t)keys->columns, sizeof *unseen);
  if (unseen == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory to count keys");
  }
  for (int64_t j = 0; j < keys->columns * keys->block; j++) {
    unseen[j / keys->block] += !keys->seen[j];
  }
  for (int64_t fewest = 0; fewest <= keys->block; fewest++) {
    for (int64_t c = 0; c < keys->columns && keys->chosen > 0; c++) {
      if (unseen[c] == fewest) {
        memset(keys->seen + c * keys->block, 1, (size_t)keys->block * sizeof *keys->seen);
        keys->chosen--;
      }
    }
  }
  free(unseen);
  return BENCH_OK;
}

/* Marks the keys that some row sees under a pure mask. */
static bench_code mark_keys(const bench_attn *attn, key_set *keys, bench_error *error) {
  bench_span spans[2];
  bench_blocklist list;
  if (bench_mask_is_simple(&attn->mask)) {
    simple_keys(attn, spans);
    for (int i = 0; i < 2; i++) {
      memset(keys->seen + spans[i].begin, 1,
             (size_t)(spans[i].end - spans[i].begin) * sizeof *keys->seen);
    }
    return BENCH_OK;
  }
  if (attn->mask.kind == BENCH_MASK_TOPK) {
    mark_chosen(attn, keys);
    return BENCH_OK;
  }
  if (attn->mask.kind == BENCH_MASK_STRIDED) {
    mark_strided(attn, keys->seen);
    return BENCH_OK;
  }
  bench_code code = bench_blocklist_build(attn, attn->mask.block, NULL, NULL, &list, error);
  if (code == BENCH_OK) {
    mark_list(&list, keys->seen);
    bench_blocklist_free(&list);
  }
  return code;
}

/* Every key has a row at its own position, and the mask shows it that key. */
static bool sees_all_keys(const bench_attn *attn) {
  return !bench_mask_is_simple(&attn->mask) && attn->seq_q >= attn->seq_kv;
}

/* Keys below `limit` that query heads read between them, those of the parts in `which` (a bit
 * each). */
static bench_code keys_read(const mask_share *shares, unsigned which, int64_t limit, int64_t *out,
                            bench_error *error) {
  const bench_attn *only = which == 1 ? &shares[0].attn : which == 2 ? &shares[1].attn : NULL;
  *out = limit;
  if ((which & 1) != 0 && sees_all_keys(&shares[0].attn)) {
    return BENCH_OK;
  }
  if ((which & 2) != 0 && sees_all_keys(&shares[1].attn)) {
    return BENCH_OK;
  }
  if (only != NULL && bench_mask_is_simple(&only->mask)) {
    bench_span keys[2];
    simple_keys(only, keys);
    *out = 0;
    for (int i = 0; i < 2; i++) {
      *out += max64(min64(keys[i].end, limit) - keys[i].begin, 0);
    }
    return BENCH_OK;
  }
  key_set keys = {.seen = calloc((size_t)shares[0].attn.seq_kv, sizeof *keys.seen)};
  bench_code code =
      keys.seen != NULL ? BENCH_OK : bench_fail(error, BENCH_ERR_NOMEM, "no memory to count keys");
  for (int i = 0; code == BENCH_OK && i < 2; i++) {
    if ((which >> i & 1u) != 0) {
      code = mark_keys(&shares[i].attn, &keys, error);
    }
  }
  if (code == BENCH_OK) {
    code = mark_cheapest(&keys, error);
  }
  *out = 0;
  for (int64_t j = 0; code == BENCH_OK && j < limit; j++) {
    *out += keys.seen[j];
  }
  free(keys.seen);
  return code;
}

/* The parts that the query heads of one key head have between them. */
static unsigned parts_of_group(const bench_attn *attn, int64_t kv_head) {
  const int64_t group = attn->heads_q / attn->heads_kv;
  unsigned which = 0;
  for (int64_t n = 0; n < group && which != 3; n++) {
    which |= 1u << bench_mask_part(&attn->mask, kv_head * group + n);
  }
  return which;
}

/* Key heads, summed over layers, whose query heads have the parts of bits 1, 2 or both. */
static void count_groups(const bench_attn *attn, const mask_share *shares, int64_t groups[4]) {
  memset(groups, 0, 4 * sizeof *groups);
  if (attn->mask.kind == BENCH_MASK_HYBRID && attn->mask.over == BENCH_HYBRID_HEADS) {
    for (int64_t h = 0; h < attn->heads_kv; h++) {
      groups[parts_of_group(attn, h)] += attn->layers;
    }
    return;
  }
  const int64_t group = attn->heads_q / attn->heads_kv;
  groups[1] = shares[0].heads / group;
  groups[2] = attn->layers * attn->heads_kv - groups[1];
}

/* Elements of K, or of V, that are read, of one sequence and all layers. */
static bench_code kv_read(const bench_attn *attn, const mask_share *shares, int64_t limit,
                          wide *elements, bench_error *error) {
  int64_t groups[4];
  count_groups(attn, shares, groups);
  bench_code code = BENCH_OK;
  *elements = 0;
  for (unsigned which = 1; code == BENCH_OK && which < 4; which++) {
    int64_t keys = 0;
    if (groups[which] > 0) {
      code = keys_read(shares, which, limit, &keys, error);
    }
    *elements += (wide)groups[which] * keys * attn->head_dim;
  }
  return code;
}

/* Weights of one layer's projections, in elements. */
static int64_t weight_elements(const bench_attn *attn) {
  return attn->d_model * attn->head_dim * 2 * (attn->heads_q + attn->heads_kv);
}

static wide projection_flops(const bench_attn *attn) {
  return (wide)2 * attn->layers * attn->batch * attn->seq_q * weight_elements(attn);
}

static bench_code count_bytes(const bench_attn *attn, const mask_share *shares, wide *bytes,
                              bench_error *error) {
  const bool block = attn->scope == BENCH_SCOPE_BLOCK;
  const int64_t limit = block ? max64(attn->seq_kv - attn->seq_q, 0) : attn->seq_kv;
  const int64_t item = (int64_t)bench_dtype_bytes(attn->dtype);
  wide kv;
  bench_code code = kv_read(attn, shares, limit, &kv, error);
  *bytes = 2 * kv * attn->batch * item;
  if (block) {
    const wide tokens = (wide)attn->batch * attn->seq_q * attn->d_model;
    *bytes += attn->layers *
              (tokens * (item + (int64_t)sizeof(float)) + (wide)weight_elements(attn) * item);
  } else {
    *bytes += (wide)attn->layers * 2 * bench_attn_q_elements(attn) * item;
  }
  return code;
}

bench_code bench_count_work(const bench_attn *attn, bench_work_count *out, bench_error *error) {
  mask_share shares[2];
  const int count = shares_of(attn, shares);
  wide flops = 0;
  wide bytes = 0;
  wide seen = 0;
  bench_code code = BENCH_OK;
  for (int i = 0; code == BENCH_OK && i < count; i++) {
    int64_t pairs = 0;
    if (shares[i].heads > 0) {
      code = bench_mask_pairs(&shares[i].attn, &pairs, error);
    }
    seen += (wide)shares[i].heads * pairs;
  }
  if (code == BENCH_OK) {
    code = count_bytes(attn, shares, &bytes, error);
  }
  if (code != BENCH_OK) {
    return code;
  }
  flops = seen * attn->batch * 2 * (attn->head_dim + attn->head_dim);
  out->projection_flops = 0;
  if (attn->scope == BENCH_SCOPE_BLOCK) {
    flops += projection_flops(attn);
    out->projection_flops = (double)projection_flops(attn);
  }
  if (attn->direction == BENCH_BWD) {
    flops = flops * 5 / 2; /* five matrix products where the forward pass has two */
  }
  out->density = (double)seen / ((double)attn->layers * (double)attn->heads_q *
                                 (double)attn->seq_q * (double)attn->seq_kv);
  out->flops = narrow(flops);
  out->bytes_min = narrow(bytes);
  return BENCH_OK;
}

int64_t bench_tensor_bytes(const bench_attn *attn, int64_t layers_distinct) {
  const int64_t item = (int64_t)bench_dtype_bytes(attn->dtype);
  const wide elements = (wide)2 * bench_attn_q_elements(attn) + 2 * bench_attn_kv_elements(attn);
  wide bytes = elements * item + bench_attn_rows(attn) * (int64_t)sizeof(float);
  if (attn->scope == BENCH_SCOPE_BLOCK) {
    const wide tokens = (wide)attn->batch * attn->seq_q * attn->d_model;
    bytes += tokens * (item + (int64_t)sizeof(float)) + (wide)weight_elements(attn) * item;
  }
  const wide most = INT64_MAX / 2; /* no machine has it, and what is added does not overflow */
  return (int64_t)(layers_distinct * bytes < most ? layers_distinct * bytes : most);
}

int64_t bench_layers_distinct(const bench_attn *attn, int64_t llc_bytes) {
  if (attn->input == BENCH_INPUT_MODEL) {
    return attn->layers; /* each layer of a real model is its own */
  }
  const int64_t layer = bench_tensor_bytes(attn, 1);
  int64_t wanted = max64((5 * llc_bytes + layer - 1) / layer, 1);
  if (attn->mask.kind == BENCH_MASK_HYBRID && attn->mask.over == BENCH_HYBRID_LAYERS) {
    const int64_t period = attn->mask.share[0] + attn->mask.share[1];
    wanted = (wanted + period - 1) / period * period;
  }
  return min64(wanted, attn->layers);
}
