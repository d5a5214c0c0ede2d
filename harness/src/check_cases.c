/* The problems of `bench check`. Shapes x masks x dtypes are crossed in full; head dims, head
 * groups, batches and inputs are dealt out by a hash, as crossing them too would take hours. */
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

static const int64_t head_dims[] = {32, 64, 80, 96, 128, 256};
static const int64_t head_groups[][2] = {{1, 1}, {4, 4}, {4, 2}, {4, 1}, {6, 3}};
static const bench_input inputs[] = {BENCH_INPUT_NORMAL,  BENCH_INPUT_NORMAL,  BENCH_INPUT_UNIFORM,
                                     BENCH_INPUT_OUTLIER, BENCH_INPUT_OUTLIER, BENCH_INPUT_HUGE};

size_t bench_check_count(void) {
  return COUNT(shapes) * COUNT(masks) * BENCH_DTYPE_COUNT;
}

void bench_check_problem(size_t index, bench_problem *out) {
  const int64_t *shape = shapes[index % COUNT(shapes)];
  size_t mask = index / COUNT(shapes) % COUNT(masks);
  uint64_t deal = bench_hash64(index, 0x636865636bu, 0);
  const int64_t *heads = head_groups[deal % COUNT(head_groups)];
  memset(out, 0, sizeof *out);
  bench_attn *attn = &out->attn;
  attn->layers = strstr(masks[mask], "@layers") == NULL ? 1 : 2;
  attn->batch = 1 + (int64_t)(deal / 64 % 2);
  attn->heads_q = heads[0];
  attn->heads_kv = heads[1];
  attn->head_dim = head_dims[deal / 1024 % COUNT(head_dims)];
  attn->seq_q = shape[0];
  attn->seq_kv = shape[1];
  attn->dtype = (bench_dtype)(index / COUNT(shapes) / COUNT(masks));
  attn->input = inputs[deal / 65536 % COUNT(inputs)];
  attn->seed = index + 1;
  bench_mask_choice choice;
  bench_code parsed = bench_mask_parse(masks[mask], &choice, NULL);
  assert(parsed == BENCH_OK);
  (void)parsed;
  bench_attn_set_mask(attn, &choice);
  out->id = bench_attn_id(attn);
  out->layers_distinct = attn->layers;
}
