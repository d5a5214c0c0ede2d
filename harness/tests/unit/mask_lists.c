/* The masks that are resolved to block lists, pair by pair against the table of masks in
 * bench/attn.h written out once more here, and their counts of pairs, bytes and FLOP against those
 * lists. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/input.h"
#include "bench/mask.h"
#include "bench/plan.h"
#include "mask_shapes.h"

#define SHAPES 400

typedef struct sample {
  bench_attn attn;
  float *q;
  float *k;
} sample;

static int64_t block_of_key(const bench_attn *attn, int64_t key) {
  return key / attn->mask.block;
}

/* Positions of the first and last row of the block row that holds `row`. */
static int64_t first_position(const bench_attn *attn, int64_t row) {
  return row / attn->mask.block * attn->mask.block + attn->seq_kv - attn->seq_q;
}

static int64_t last_position(const bench_attn *attn, int64_t row) {
  const int64_t end = (row / attn->mask.block + 1) * attn->mask.block;
  return (end < attn->seq_q ? end : attn->seq_q) - 1 + attn->seq_kv - attn->seq_q;
}

/* Does some row of the block row stand at a position of the block column? */
static bool is_diagonal(const bench_attn *attn, int64_t row, int64_t column) {
  for (int64_t i = first_position(attn, row); i <= last_position(attn, row); i++) {
    if (i >= 0 && block_of_key(attn, i) == column) {
      return true;
    }
  }
  return false;
}

static bool is_causal(const bench_attn *attn, int64_t row, int64_t column) {
  return column * attn->mask.block <= last_position(attn, row);
}

static double pooled(const float *tensor, int64_t dim, int64_t begin, int64_t end, int64_t d) {
  double sum = 0;
  for (int64_t r = begin; r < end; r++) {
    sum += (double)tensor[r * dim + d];
  }
  return sum / (double)(end - begin);
}

static double block_score(const sample *of, int64_t head, int64_t row, int64_t column) {
  const bench_attn *attn = &of->attn;
  const int64_t block = attn->mask.block;
  const int64_t kv_head = head / (attn->heads_q / attn->heads_kv);
  const float *q = of->q + head * attn->seq_q * attn->head_dim;
  const float *k = of->k + kv_head * attn->seq_kv * attn->head_dim;
  const int64_t q_begin = row / block * block;
  const int64_t q_end = q_begin + block < attn->seq_q ? q_begin + block : attn->seq_q;
  const int64_t k_end = (column + 1) * block < attn->seq_kv ? (column + 1) * block : attn->seq_kv;
  double score = 0;
  for (int64_t d = 0; d < attn->head_dim; d++) {
    score += pooled(q, attn->head_dim, q_begin, q_end, d) *
             pooled(k, attn->head_dim, column * block, k_end, d);
  }
  return score;
}

/* Is the block among the best of its row? By counting those that come before it. */
static bool is_chosen(const sample *of, int64_t head, int64_t row, int64_t column) {
  const bench_attn *attn = &of->attn;
  int64_t diagonal = 0;
  int64_t before = 0;
  if (is_diagonal(attn, row, column)) {
    return true;
  }
  const double score = block_score(of, head, row, column);
  for (int64_t c = 0; c * attn->mask.block < attn->seq_kv; c++) {
    if (is_diagonal(attn, row, c)) {
      diagonal++;
    } else if (is_causal(attn, row, c)) {
      const double other = block_score(of, head, row, c);
      before += other > score || (other == score && c < column);
    }
  }
  return before < attn->mask.keep - diagonal;
}

/* BIGBIRD, less what it draws. */
static bool is_fixed(const bench_attn *attn, int64_t row, int64_t column) {
  const int64_t last = block_of_key(attn, last_position(attn, row));
  return column < attn->mask.global || column > last - attn->mask.window ||
         is_diagonal(attn, row, column);
}

/* -1: the draw decides. */
static int sees(const sample *of, int64_t head, int64_t row, int64_t key) {
  const bench_attn *attn = &of->attn;
  const int64_t distance = row + attn->seq_kv - attn->seq_q - key;
  const int64_t column = attn->mask.block > 0 ? block_of_key(attn, key) : 0;
  switch (attn->mask.kind) {
    case BENCH_MASK_STRIDED:
      return distance >= 0 && (distance < attn->mask.stride || distance % attn->mask.stride == 0);
    case BENCH_MASK_TOPK:
      return distance >= 0 && is_chosen(of, head, row, column);
    case BENCH_MASK_BIGBIRD:
      return distance < 0 ? 0 : is_fixed(attn, row, column) ? 1 : -1;
    case BENCH_MASK_BLOCK:
      return distance < 0 ? 0 : is_diagonal(attn, row, column) ? 1 : -1;
    case BENCH_MASK_HYBRID: {
      sample part = *of;
      const int64_t period = attn->mask.share[0] + attn->mask.share[1];
      part.attn.mask = attn->part[head % attn->heads_q % period >= attn->mask.share[0]];
      return sees(&part, head, row, key);
    }
    default:
      return shape_sees(attn, row, key);
  }
}

static bench_mask random_part(uint64_t *random, int64_t block) {
  static const bench_mask_kind kinds[] = {
      BENCH_MASK_FULL,    BENCH_MASK_CAUSAL, BENCH_MASK_WINDOW,  BENCH_MASK_SINK_WINDOW,
      BENCH_MASK_STRIDED, BENCH_MASK_BLOCK,  BENCH_MASK_BIGBIRD, BENCH_MASK_TOPK};
  bench_mask mask;
  memset(&mask, 0, sizeof mask);
  mask.kind = kinds[shape_between(random, 0, 7)];
  switch (mask.kind) {
    case BENCH_MASK_WINDOW:
      mask.window = shape_between(random, 1, 90);
      mask.both = shape_between(random, 0, 1) == 1;
      break;
    case BENCH_MASK_SINK_WINDOW:
      mask.window = shape_between(random, 1, 90);
      mask.sink = shape_between(random, 1, 40);
      break;
    case BENCH_MASK_STRIDED:
      mask.stride = shape_between(random, 1, 70);
      break;
    case BENCH_MASK_BLOCK:
      mask.block = block;
      mask.density = (double)shape_between(random, 1, 100) / 100;
      break;
    case BENCH_MASK_BIGBIRD:
      mask.block = block;
      mask.window = shape_between(random, 1, 4);
      mask.global = shape_between(random, 0, 3);
      mask.random = shape_between(random, 0, 3);
      break;
    case BENCH_MASK_TOPK:
      mask.block = block;
      mask.keep = shape_between(random, 1, 6);
      break;
    default:
      break;
  }
  return mask;
}

/* Any mask but a hybrid over layers; small enough to look at every pair of every head. */
static sample random_sample(uint64_t *random) {
  static const int64_t heads[][2] = {{1, 1}, {4, 2}, {3, 1}, {2, 2}};
  const int64_t block = 8 * shape_between(random, 1, 4);
  sample made = {
      shape_of(shape_between(random, 1, 110), shape_between(random, 1, 110), BENCH_MASK_FULL), NULL,
      NULL};
  bench_attn *attn = &made.attn;
  const int64_t group = shape_between(random, 0, 3);
  attn->batch = shape_between(random, 1, 2);
  attn->heads_q = heads[group][0];
  attn->heads_kv = heads[group][1];
  attn->head_dim = 4;
  attn->layers = shape_between(random, 1, 3);
  attn->dtype = BENCH_FP32;
  attn->seed = shape_random(random);
  if (shape_between(random, 0, 1) == 0) {
    attn->seq_q = attn->seq_kv;
  }
  attn->mask = random_part(random, block);
  if (shape_between(random, 0, 2) == 0) {
    memset(&attn->mask, 0, sizeof attn->mask);
    attn->mask.kind = BENCH_MASK_HYBRID;
    attn->mask.over = BENCH_HYBRID_HEADS;
    attn->mask.share[0] = shape_between(random, 1, 2);
    attn->mask.share[1] = shape_between(random, 1, 2);
    attn->part[0] = random_part(random, block);
    attn->part[1] = random_part(random, block);
  }
  made.q = malloc((size_t)bench_attn_q_elements(attn) * sizeof *made.q);
  made.k = malloc((size_t)bench_attn_kv_elements(attn) * sizeof *made.k);
  bench_input_fill(BENCH_INPUT_NORMAL, attn->seed, 0, BENCH_TENSOR_Q, BENCH_FP32, made.q,
                   bench_attn_q_elements(attn));
  bench_input_fill(BENCH_INPUT_NORMAL, attn->seed, 0, BENCH_TENSOR_K, BENCH_FP32, made.k,
                   bench_attn_kv_elements(attn));
  if (shape_between(random, 0, 3) == 0) { /* equal scores: the lower column wins */
    memset(made.k, 0, (size_t)bench_attn_kv_elements(attn) * sizeof *made.k);
  }
  return made;
}

static void free_sample(sample *made) {
  free(made->q);
  free(made->k);
}

static int64_t choice_of_block(const bench_attn *attn, uint64_t *random) {
  const int64_t fixed = bench_mask_block(attn);
  return fixed > 0 ? fixed : shape_between(random, 1, 80);
}

/* Every pair of every head; returns how many are visible. */
static int64_t compare_pairs(const sample *of, const bench_blocklist *list) {
  const bench_attn *attn = &of->attn;
  int64_t pairs = 0;
  for (int64_t head = 0; head < attn->batch * attn->heads_q; head++) {
    for (int64_t row = 0; row < attn->seq_q; row++) {
      for (int64_t key = 0; key < attn->seq_kv; key++) {
        const bool seen = bench_blocklist_visible(list, head, row, key);
        const int expected = sees(of, head, row, key);
        if (expected >= 0 && seen != expected) {
          char text[BENCH_MASK_TEXT_MAX];
          bench_mask_format(&attn->mask, attn->part, text);
          fail_msg("%s block %d seq %d/%d head %d row %d key %d: %d, not %d", text,
                   (int)list->block, (int)attn->seq_q, (int)attn->seq_kv, (int)head, (int)row,
                   (int)key, seen, expected);
        }
        pairs += seen;
      }
    }
  }
  return pairs;
}

/* Keys that the query heads of each key head see, counted one by one, of all sequences. */
static int64_t keys_seen(const bench_attn *attn, const bench_blocklist *list) {
  const int64_t group = attn->heads_q / attn->heads_kv;
  int64_t keys = 0;
  for (int64_t kv_head = 0; kv_head < attn->batch * attn->heads_kv; kv_head++) {
    for (int64_t key = 0; key < attn->seq_kv; key++) {
      bool seen = false;
      for (int64_t n = 0; n < group * attn->seq_q && !seen; n++) {
        seen =
            bench_blocklist_visible(list, kv_head * group + n / attn->seq_q, n % attn->seq_q, key);
      }
      keys += seen;
    }
  }
  return keys;
}

static void check_counts(const bench_attn *attn, const bench_blocklist *list, int64_t pairs) {
  bench_work_count count;
  assert_int_equal(bench_count_work(attn, &count, NULL), BENCH_OK);
  assert_int_equal(bench_blocklist_pairs(list), pairs);
  assert_int_equal(count.flops, attn->layers * pairs * 4 * attn->head_dim);
  const double all = (double)(attn->batch * attn->heads_q * attn->seq_q * attn->seq_kv);
  assert_true(fabs(count.density - (double)pairs / all) <= 1e-12);
  const int64_t bytes =
      attn->layers * 4 *
      (2 * bench_attn_q_elements(attn) + 2 * attn->head_dim * keys_seen(attn, list));
  if (bench_mask_needs_input(attn)) { /* what a choice reads is not known beforehand */
    assert_true(count.bytes_min <= bytes);
  } else {
    assert_int_equal(count.bytes_min, bytes);
  }
}

static void every_mask_equals_brute_force(void **state) {
  (void)state;
  uint64_t random = 20261123;
  for (int n = 0; n < SHAPES; n++) {
    sample of = random_sample(&random);
    bench_blocklist list;
    assert_int_equal(bench_blocklist_build(&of.attn, choice_of_block(&of.attn, &random), of.q, of.k,
                                           &list, NULL),
                     BENCH_OK);
    assert_int_equal(list.patterns <= bench_mask_patterns(&of.attn), true);
    const int64_t pairs = compare_pairs(&of, &list);
    check_counts(&of.attn, &list, pairs);
    if (of.attn.mask.kind != BENCH_MASK_HYBRID) {
      int64_t one;
      assert_int_equal(bench_mask_pairs(&of.attn, &one, NULL), BENCH_OK);
      assert_int_equal(one * of.attn.batch * of.attn.heads_q, pairs);
    }
    bench_blocklist_free(&list);
    free_sample(&of);
  }
}

/* Each block row draws as many as it may, from those that are not kept in any case. */
static void bigbird_draws_its_number(void **state) {
  (void)state;
  bench_attn attn = shape_of(640, 640, BENCH_MASK_BIGBIRD);
  attn.mask.block = 16;
  attn.mask.window = 3;
  attn.mask.global = 2;
  attn.mask.random = 4;
  int64_t drawn[40] = {0};
  for (uint64_t seed = 0; seed < 300; seed++) {
    bench_blocklist list;
    attn.seed = seed;
    assert_int_equal(bench_blocklist_build(&attn, 16, NULL, NULL, &list, NULL), BENCH_OK);
    for (int64_t row = 0; row < 40; row++) {
      const int64_t causal = row + 1;
      const int64_t kept = list.row_begin[row + 1] - list.row_begin[row];
      assert_int_equal(kept, causal < 9 ? causal : 9);
    }
    for (int64_t at = list.row_begin[39]; at < list.row_begin[40]; at++) {
      drawn[list.column[at]]++;
    }
    bench_blocklist_free(&list);
  }
  for (int64_t column = 2; column < 37; column++) { /* 300 x 4 / 35 = 34 on average */
    assert_in_range(drawn[column], 10, 70);
  }
}

static void parts_alternate(void **state) {
  (void)state;
  bench_mask_choice choice;
  assert_int_equal(bench_mask_parse("hybrid:window:8/causal@layers=5-1", &choice, NULL), BENCH_OK);
  bench_attn attn = shape_of(64, 64, BENCH_MASK_FULL);
  bench_attn_set_mask(&attn, &choice);
  attn.layers = 14;
  for (int64_t layer = 0; layer < 14; layer++) {
    const bench_attn own = bench_attn_layer(&attn, layer);
    assert_int_equal(own.mask.kind, layer % 6 == 5 ? BENCH_MASK_CAUSAL : BENCH_MASK_WINDOW);
    assert_int_equal(own.part[0].kind, BENCH_MASK_FULL); /* cleared */
  }
  bench_work_count count;
  assert_int_equal(bench_count_work(&attn, &count, NULL), BENCH_OK);
  const int64_t window = 8 * 64 - 8 * 7 / 2;
  const int64_t causal = 64 * 65 / 2;
  assert_int_equal(count.flops, (12 * window + 2 * causal) * 4 * attn.head_dim);
  /* Sets of tensors are reused by layers of their own mask. */
  for (int64_t llc = 1; llc < 200000; llc *= 3) {
    const int64_t distinct = bench_layers_distinct(&attn, llc);
    assert_true(distinct % 6 == 0 || distinct == 14);
  }
}

/* Lists of long sequences hold what they keep and little else. */
static void long_lists_are_linear(void **state) {
  (void)state;
  static const char *const masks[] = {"causal",
                                      "strided:64",
                                      "strided:5000",
                                      "window:4096",
                                      "block:density=0.5:size=64",
                                      "bigbird:window=3:global=2:random=3"};
  for (size_t n = 0; n < sizeof masks / sizeof masks[0]; n++) {
    bench_attn attn = shape_of(131072, 131072, BENCH_MASK_FULL);
    bench_mask_choice choice;
    bench_blocklist list;
    int64_t pairs;
    assert_int_equal(bench_mask_parse(masks[n], &choice, NULL), BENCH_OK);
    bench_attn_set_mask(&attn, &choice);
    assert_int_equal(bench_blocklist_build(&attn, 64, NULL, NULL, &list, NULL), BENCH_OK);
    assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
    assert_int_equal(bench_blocklist_pairs(&list), pairs);
    assert_true(list.tile_count <= 5100);
    bench_blocklist_free(&list);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_mask_equals_brute_force),
      cmocka_unit_test(bigbird_draws_its_number),
      cmocka_unit_test(parts_alternate),
      cmocka_unit_test(long_lists_are_linear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
