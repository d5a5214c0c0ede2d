/* The problems of `bench check`: two tables, short shapes for every kernel and long pasts for those
 * that split them. In each, shapes x masks x dtypes are crossed in full; head dims, batches,
 * inputs and, of the first, head groups are dealt out by a hash, as crossing them too would take
 * hours. */
#include "src/check_cases.h"

#include <assert.h>
#include <string.h>

#include "bench/input.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* seq_q, seq_kv: single tokens, primes, smaller than a tile, tile edges, decode, cross both ways
 * (seq_q > seq_kv has rows that see no key). */
static const int64_t shapes[][2] = {
    {1, 1},     {1, 2},    {1, 63},   {1, 257},  {2, 2},    {3, 5},     {7, 7},
    {13, 13},   {31, 31},  {64, 64},  {65, 65},  {97, 97},  {127, 127}, {128, 128},
    {129, 129}, {64, 192}, {60, 131}, {192, 64}, {131, 60}, {8, 300},   {257, 257},
};

static const char *const masks[] = {
    "full",
    "causal",
    "window:1",
    "window:17",
    "window:64",
    "window:40:both",
    "sink:1+window:8",
    "sink:4+window:64",
    "block:density=0.3:size=16",
    "block:density=0.5:size=64",
    "block:density=0.25:size=32:layout=skewed",
    "strided:5",
    "strided:130",
    "bigbird:window=2:global=1:random=1:size=16",
    "topk:blocks=3:size=16",
    "hybrid:causal/window:24@heads=1-1",
    "hybrid:topk:blocks=2:size=32/sink:2+window:30@heads=1-2",
    "hybrid:full/block:density=0.4:size=16@layers=1-1",
};

/* seq_q, seq_kv, heads: a few rows behind a past long enough to be split, in whole tiles and not,
 * with up to 16 query heads for a key head. */
static const int64_t past_shapes[][4] = {{1, 1000, 8, 1}, {1, 1537, 16, 2}, {2, 1300, 8, 1},
                                         {3, 1024, 4, 4}, {7, 1100, 16, 2}, {16, 2049, 16, 1}};
static const char *const past_masks[] = {
    "full", "causal", "window:300", "window:700:both", "sink:4+window:500", "sink:200+window:64"};

static const int64_t head_dims[] = {32, 64, 80, 96, 128, 256};
static const int64_t head_groups[][2] = {{1, 1}, {4, 4}, {4, 2}, {4, 1}, {6, 3}};
static const bench_input inputs[] = {BENCH_INPUT_NORMAL,  BENCH_INPUT_NORMAL,  BENCH_INPUT_UNIFORM,
                                     BENCH_INPUT_OUTLIER, BENCH_INPUT_OUTLIER, BENCH_INPUT_HUGE};

#define SHORT_COUNT (COUNT(shapes) * COUNT(masks) * BENCH_DTYPE_COUNT)
#define PAST_COUNT (COUNT(past_shapes) * COUNT(past_masks) * BENCH_DTYPE_COUNT)

size_t bench_check_count(void) {
  return SHORT_COUNT + PAST_COUNT;
}

/* Shape, heads, dtype and input of a table's problem `index`; the return value is its mask. */
static const char *choose_short(size_t index, uint64_t deal, bench_attn *attn) {
  const int64_t *shape = shapes[index % COUNT(shapes)];
  const int64_t *heads = head_groups[deal % COUNT(head_groups)];
  attn->seq_q = shape[0];
  attn->seq_kv = shape[1];
  attn->heads_q = heads[0];
  attn->heads_kv = heads[1];
  attn->dtype = (bench_dtype)(index / COUNT(shapes) / COUNT(masks));
  attn->input = inputs[deal / 65536 % COUNT(inputs)];
  return masks[index / COUNT(shapes) % COUNT(masks)];
}

/* No HUGE input, of which only a finite result is asked: it would take the place of one that shows
 * which key a row saw. */
static const char *choose_past(size_t index, uint64_t deal, bench_attn *attn) {
  const int64_t *shape = past_shapes[index % COUNT(past_shapes)];
  attn->seq_q = shape[0];
  attn->seq_kv = shape[1];
  attn->heads_q = shape[2];
  attn->heads_kv = shape[3];
  attn->dtype = (bench_dtype)(index / COUNT(past_shapes) / COUNT(past_masks));
  attn->input = inputs[deal / 65536 % (COUNT(inputs) - 1)];
  return past_masks[index / COUNT(past_shapes) % COUNT(past_masks)];
}

void bench_check_problem(size_t index, bench_problem *out) {
  uint64_t deal = bench_hash64(index, 0x636865636bu, 0);
  memset(out, 0, sizeof *out);
  bench_attn *attn = &out->attn;
  const char *mask = index < SHORT_COUNT ? choose_short(index, deal, attn)
                                         : choose_past(index - SHORT_COUNT, deal, attn);
  attn->layers = strstr(mask, "@layers") == NULL ? 1 : 2;
  attn->batch = 1 + (int64_t)(deal / 64 % 2);
  attn->head_dim = head_dims[deal / 1024 % COUNT(head_dims)];
  attn->seed = index + 1;
  bench_mask_choice choice;
  bench_code parsed = bench_mask_parse(mask, &choice, NULL);
  assert(parsed == BENCH_OK);
  (void)parsed;
  bench_attn_set_mask(attn, &choice);
  out->id = bench_attn_id(attn);
  out->layers_distinct = attn->layers;
}
