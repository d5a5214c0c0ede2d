/* Counts of work and memory equal a count over every layer, head, row and key, and follow each
 * axis of scale by the formulas of bench/plan.h, for every mask in both scopes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/plan.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const masks[] = {
    "full",
    "causal",
    "window:9",
    "window:9:both",
    "sink:3+window:7",
    "strided:5",
    "strided:40",
    "block:density=0.3:size=8",
    "block:density=0.5:size=16:layout=skewed",
    "bigbird:window=1:global=1:random=1:size=8",
    "hybrid:causal/window:5@heads=1-1",
    "hybrid:window:4/sink:2+window:6@heads=1-2",
    "hybrid:strided:6/block:density=0.2:size=8@heads=3-1",
    "hybrid:full/window:5@layers=1-2",
    "hybrid:bigbird:window=1:global=1:random=0:size=8/strided:7@layers=2-1",
};

static const char *const chosen_masks[] = {
    "topk:blocks=1:size=8",
    "topk:blocks=3:size=8",
    "topk:blocks=9:size=8",
    "hybrid:topk:blocks=3:size=8/window:20@heads=1-1",
    "hybrid:topk:blocks=2:size=8/topk:blocks=4:size=8@heads=1-1",
    "hybrid:topk:blocks=2:size=8/sink:3+window:2@layers=1-1",
};

/* Square, shorter and longer than the keys, aligned to blocks of 8 and not, one row. */
static const int64_t sequences[][2] = {{48, 48}, {45, 45}, {24, 48}, {13, 50},
                                       {8, 64},  {1, 40},  {37, 20}};

static bench_attn problem(const char *mask, bench_scope scope, int64_t seq_q, int64_t seq_kv) {
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = 3;
  attn.batch = 2;
  attn.heads_q = 8;
  attn.heads_kv = 4;
  attn.head_dim = 16;
  attn.d_model = scope == BENCH_SCOPE_BLOCK ? 96 : 0;
  attn.scope = scope;
  attn.dtype = BENCH_BF16;
  attn.seq_q = seq_q;
  attn.seq_kv = seq_kv;
  attn.seed = 7;
  bench_mask_choice choice;
  bench_error error = {.message = ""};
  if (bench_mask_parse(mask, &choice, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  bench_attn_set_mask(&attn, &choice);
  return attn;
}

static bench_work_count count_of(const bench_attn *attn) {
  bench_work_count count;
  bench_error error = {.message = ""};
  if (bench_count_work(attn, &count, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  return count;
}

/* What is seen, looked at pair by pair. */
typedef struct brute {
  int64_t pairs; /* of all layers, batch entries and query heads */
  int64_t keys;  /* that a key head's group sees, below `limit`, of all of those */
} brute;

static void look_at_layer(const bench_attn *attn, int64_t limit, const void *q, const void *k,
                          brute *found) {
  bench_blocklist list = {0};
  const bool simple = bench_mask_is_simple(&attn->mask);
  const int64_t block = bench_mask_block(attn);
  bench_error error = {.message = ""};
  if (!simple &&
      bench_blocklist_build(attn, block > 0 ? block : 16, q, k, &list, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  bool *seen = malloc((size_t)attn->seq_kv);
  assert_non_null(seen);
  const int64_t group = attn->heads_q / attn->heads_kv;
  for (int64_t kv_head = 0; kv_head < attn->batch * attn->heads_kv; kv_head++) {
    memset(seen, 0, (size_t)attn->seq_kv);
    for (int64_t head = kv_head * group; head < (kv_head + 1) * group; head++) {
      for (int64_t row = 0; row < attn->seq_q; row++) {
        for (int64_t key = 0; key < attn->seq_kv; key++) {
          const bool sees = bench_mask_visible(attn, simple ? NULL : &list, head, row, key);
          found->pairs += sees;
          seen[key] = seen[key] || sees;
        }
      }
    }
    for (int64_t key = 0; key < limit; key++) {
      found->keys += seen[key];
    }
  }
  free(seen);
  bench_blocklist_free(&list);
}

/* Only rows that a cache already held are read from outside the block. */
static brute look(const bench_attn *attn, const void *q, const void *k) {
  const int64_t cached = attn->seq_kv > attn->seq_q ? attn->seq_kv - attn->seq_q : 0;
  brute found = {0, 0};
  for (int64_t l = 0; l < attn->layers; l++) {
    const bench_attn own = bench_attn_layer(attn, l);
    look_at_layer(&own, attn->scope == BENCH_SCOPE_BLOCK ? cached : attn->seq_kv, q, k, &found);
  }
  return found;
}

static int64_t weights(const bench_attn *attn) {
  return attn->d_model * attn->head_dim * (2 * attn->heads_q + 2 * attn->heads_kv);
}

/* The formulas of plan.h on what was looked at. */
static int64_t flops_of(const bench_attn *attn, const brute *found) {
  int64_t flops = found->pairs * 4 * attn->head_dim;
  if (attn->scope == BENCH_SCOPE_BLOCK) {
    flops += attn->layers * 2 * attn->batch * attn->seq_q * weights(attn);
  }
  return flops;
}

static int64_t bytes_of(const bench_attn *attn, const brute *found) {
  const int64_t item = (int64_t)bench_dtype_bytes(attn->dtype);
  const int64_t tokens = attn->batch * attn->seq_q;
  const int64_t kv = 2 * found->keys * attn->head_dim * item;
  if (attn->scope == BENCH_SCOPE_BLOCK) { /* the output is float */
    return kv + attn->layers * (tokens * attn->d_model * (item + 4) + weights(attn) * item);
  }
  return kv + attn->layers * 2 * tokens * attn->heads_q * attn->head_dim * item;
}

static void check_counts(const bench_attn *attn, const char *mask) {
  const brute found = look(attn, NULL, NULL);
  const bench_work_count count = count_of(attn);
  const double density = (double)found.pairs /
                         (double)(attn->layers * attn->batch * attn->heads_q) /
                         (double)(attn->seq_q * attn->seq_kv);
  if (count.flops != flops_of(attn, &found) || count.bytes_min != bytes_of(attn, &found) ||
      !(count.density > density * (1 - 1e-12) && count.density < density * (1 + 1e-12))) {
    fail_msg("%s, %s, %d x %d: %lld flops for %lld, %lld bytes for %lld, density %.9g for %.9g",
             mask, bench_scope_name(attn->scope), (int)attn->seq_q, (int)attn->seq_kv,
             (long long)count.flops, (long long)flops_of(attn, &found), (long long)count.bytes_min,
             (long long)bytes_of(attn, &found), count.density, density);
  }
}

static void counts_equal_brute_force(void **state) {
  (void)state;
  for (size_t m = 0; m < COUNT(masks); m++) {
    for (size_t s = 0; s < COUNT(sequences); s++) {
      for (int scope = 0; scope < BENCH_SCOPE_COUNT; scope++) {
        bench_attn attn = problem(masks[m], (bench_scope)scope, sequences[s][0], sequences[s][1]);
        check_counts(&attn, masks[m]);
        attn.heads_kv = 1; /* one group with heads of both parts */
        check_counts(&attn, masks[m]);
        attn.heads_kv = attn.heads_q;
        check_counts(&attn, masks[m]);
      }
    }
  }
}

/* Keys that are equal make every head choose the first blocks: where the rows are whole blocks
 * none reads less. What is drawn at random reads no less than the count says. */
static void chosen_blocks_have_a_least(void **state) {
  (void)state;
  static uint16_t zero[2 * 8 * 64 * 16];
  static uint16_t random[2 * 8 * 64 * 16];
  for (size_t i = 0; i < COUNT(random); i++) {
    random[i] = bench_bf16_from_float((float)(i * 2654435761u % 1001) / 500 - 1);
  }
  for (size_t m = 0; m < COUNT(chosen_masks); m++) {
    for (size_t s = 0; s < COUNT(sequences); s++) {
      for (int scope = 0; scope < BENCH_SCOPE_COUNT; scope++) {
        const bench_attn attn =
            problem(chosen_masks[m], (bench_scope)scope, sequences[s][0], sequences[s][1]);
        const bench_work_count count = count_of(&attn);
        const brute first = look(&attn, zero, zero);
        const brute drawn = look(&attn, random, random);
        assert_int_equal(first.pairs, drawn.pairs);
        assert_int_equal(count.flops, flops_of(&attn, &first));
        assert_true(count.bytes_min <= bytes_of(&attn, &drawn));
        /* A window leaves less to choose: there the first blocks are not always the best. */
        const bool whole = attn.seq_q % 8 == 0 && attn.seq_kv % 8 == 0;
        if (whole && strstr(chosen_masks[m], "window:20") == NULL) {
          assert_int_equal(count.bytes_min, bytes_of(&attn, &first));
        }
      }
    }
  }
}

/* Three blocks of eight are kept. One row: its own block and any two; with a window of twenty keys,
 * which shows the last three blocks, none besides. Nine rows from position 37 on: eight of them
 * stand in columns 4 and 5 and choose one column before; the last, in column 5 alone, may choose
 * that one and column 4. */
static void least_by_hand(void **state) {
  (void)state;
  bench_attn attn = problem("topk:blocks=3:size=8", BENCH_SCOPE_ATTENTION, 1, 40);
  attn.layers = attn.batch = attn.heads_q = attn.heads_kv = 1;
  assert_int_equal(count_of(&attn).bytes_min, 2 * (2 + 2 * 24) * 16);
  bench_attn both =
      problem("hybrid:topk:blocks=3:size=8/window:20@heads=1-1", BENCH_SCOPE_ATTENTION, 1, 40);
  both.layers = both.batch = both.heads_kv = 1;
  both.heads_q = 2;
  assert_int_equal(count_of(&both).bytes_min, 2 * (2 * 2 + 2 * 24) * 16);
  attn.seq_q = 9;
  attn.seq_kv = 46;
  assert_int_equal(count_of(&attn).bytes_min, 2 * (2 * 9 + 2 * (46 - 32 + 8)) * 16);
}

/* Attention's part of the count: of a block, what is left without its projections. */
static int64_t attention_flops(const bench_attn *attn) {
  bench_attn alone = *attn;
  alone.scope = BENCH_SCOPE_ATTENTION;
  alone.d_model = 0;
  return count_of(&alone).flops;
}

/* Twice the layers, batch entries, heads or width. Layers and heads are doubled from numbers that
 * are whole periods of every hybrid here. */
static void check_doubling(bench_attn attn) {
  attn.layers = 6;
  attn.heads_q = 24;
  attn.heads_kv = 12;
  const bool block = attn.scope == BENCH_SCOPE_BLOCK;
  const int64_t item = (int64_t)bench_dtype_bytes(attn.dtype);
  const int64_t held = 6 * weights(&attn) * item; /* 0 without a block */
  const int64_t tokens = 6 * attn.batch * attn.seq_q * attn.d_model * (item + 4);
  const bench_work_count one = count_of(&attn);
  const int64_t memory = bench_tensor_bytes(&attn, 6);
  assert_true(one.projection_flops == (double)(one.flops - attention_flops(&attn)));
  bench_attn two = attn;
  two.layers *= 2;
  assert_int_equal(count_of(&two).flops, 2 * one.flops);
  assert_int_equal(count_of(&two).bytes_min, 2 * one.bytes_min);
  assert_int_equal(bench_tensor_bytes(&two, 12), 2 * memory);
  two = attn;
  two.batch *= 2;
  assert_int_equal(count_of(&two).flops, 2 * one.flops);
  assert_int_equal(count_of(&two).bytes_min, 2 * one.bytes_min - held);
  assert_int_equal(bench_tensor_bytes(&two, 6), 2 * memory - held);
  two = attn;
  two.heads_q *= 2;
  two.heads_kv *= 2;
  assert_int_equal(count_of(&two).flops, 2 * one.flops);
  assert_int_equal(count_of(&two).bytes_min, 2 * one.bytes_min - tokens);
  assert_int_equal(bench_tensor_bytes(&two, 6), 2 * memory - tokens);
  two = attn;
  two.d_model *= 2;
  assert_int_equal(count_of(&two).flops, 2 * one.flops - attention_flops(&attn));
  assert_int_equal(count_of(&two).bytes_min, one.bytes_min + held + tokens);
  assert_int_equal(bench_tensor_bytes(&two, 6), memory + held + tokens);
  assert_true(block == (held > 0) && block == (tokens > 0));
}

static void doubling_follows_the_formulas(void **state) {
  (void)state;
  for (int scope = 0; scope < BENCH_SCOPE_COUNT; scope++) {
    for (size_t m = 0; m < COUNT(masks); m++) {
      check_doubling(problem(masks[m], (bench_scope)scope, 48, 48));
      check_doubling(problem(masks[m], (bench_scope)scope, 8, 64));
    }
    for (size_t m = 0; m < COUNT(chosen_masks); m++) {
      check_doubling(problem(chosen_masks[m], (bench_scope)scope, 48, 48));
    }
  }
}

/* Pairs of one head and, with as many rows as keys, all keys seen. */
static void doubling_the_sequence(void **state) {
  (void)state;
  static const struct {
    const char *mask;
    int64_t pairs[2]; /* at 4096 and 8192 */
  } known[] = {
      {"full", {INT64_C(4096) * 4096, INT64_C(8192) * 8192}},
      {"causal", {INT64_C(4096) * 4097 / 2, INT64_C(8192) * 8193 / 2}},
      {"window:256", {4096 * 256 - 256 * 255 / 2, 8192 * 256 - 256 * 255 / 2}},
      /* Behind the window each row also sees the sinks: row i >= 256 all four, 4 fewer rows ramp */
      {"sink:4+window:256",
       {4096 * 256 - 256 * 255 / 2 + (4096 - 256) * 4 - 6,
        8192 * 256 - 256 * 255 / 2 + (8192 - 256) * 4 - 6}},
      /* The causal blocks of 64: a quarter of them, with the diagonal ones half full. */
      {"block:density=0.25:size=64",
       {(520 - 64) * 4096 + 64 * (64 * 65 / 2), (2064 - 128) * 4096 + 128 * (64 * 65 / 2)}},
      /* Eight blocks a row, fewer in the first seven rows. */
      {"topk:blocks=8:size=64",
       {(64 * 7 - 28) * 4096 + 64 * (64 * 65 / 2), (128 * 7 - 28) * 4096 + 128 * (64 * 65 / 2)}},
  };
  for (size_t m = 0; m < COUNT(known); m++) {
    for (int n = 0; n < 2; n++) {
      const int64_t seq = INT64_C(4096) << n;
      bench_attn attn = problem(known[m].mask, BENCH_SCOPE_ATTENTION, seq, seq);
      assert_int_equal(count_of(&attn).flops, 3 * 2 * 8 * 4 * 16 * known[m].pairs[n]);
      assert_int_equal(count_of(&attn).bytes_min, 3 * 2 * (2 * 8 + 2 * 4) * 16 * 2 * seq);
      assert_int_equal(bench_tensor_bytes(&attn, 3),
                       3 * 2 * ((2 * 8 + 2 * 4) * 16 * 2 + 8 * 4) * seq);
      attn.scope = BENCH_SCOPE_BLOCK;
      attn.d_model = 96;
      assert_int_equal(count_of(&attn).flops, 3 * 2 * 8 * 4 * 16 * known[m].pairs[n] +
                                                  3 * 2 * seq * 2 * 96 * 16 * (2 * 8 + 2 * 4));
      assert_int_equal(count_of(&attn).bytes_min,
                       3 * (2 * seq * 96 * (2 + 4) + 96 * 16 * (2 * 8 + 2 * 4) * 2));
    }
  }
}

static void too_much_is_missing(void **state) {
  (void)state;
  bench_attn attn = problem("causal", BENCH_SCOPE_ATTENTION, 1 << 20, 1 << 20);
  attn.layers = 1 << 24;
  attn.batch = attn.heads_q = 1 << 12;
  assert_int_equal(count_of(&attn).flops, BENCH_MISSING_INT);
  assert_int_equal(count_of(&attn).bytes_min, BENCH_MISSING_INT);
  attn.seq_q = attn.seq_kv = 1 << 24;
  attn.layers = attn.batch = attn.heads_q = attn.heads_kv = 1;
  attn.scope = BENCH_SCOPE_BLOCK;
  attn.d_model = 1 << 24;
  assert_int_not_equal(count_of(&attn).flops, BENCH_MISSING_INT);
  attn.layers = 1 << 24;
  assert_int_equal(count_of(&attn).flops, BENCH_MISSING_INT);
  attn.batch = 1 << 24;
  assert_int_equal(bench_tensor_bytes(&attn, attn.layers), INT64_MAX / 2);
}

/* Layers fill five times the cache, and a set of tensors serves layers of one mask alone. */
static void distinct_layers_are_whole_periods(void **state) {
  (void)state;
  bench_attn attn = problem("causal", BENCH_SCOPE_BLOCK, 48, 48);
  attn.layers = 100;
  const int64_t layer = bench_tensor_bytes(&attn, 1);
  assert_int_equal(bench_layers_distinct(&attn, 0), 1);
  assert_int_equal(bench_layers_distinct(&attn, layer), 5);
  assert_int_equal(bench_layers_distinct(&attn, layer + 1), 6);
  const bench_attn by_layer = problem("hybrid:full/window:5@layers=1-2", BENCH_SCOPE_BLOCK, 48, 48);
  attn.mask = by_layer.mask;
  memcpy(attn.part, by_layer.part, sizeof attn.part);
  assert_int_equal(bench_layers_distinct(&attn, 0), 3);
  assert_int_equal(bench_layers_distinct(&attn, layer), 6);
  assert_int_equal(bench_layers_distinct(&attn, INT64_C(1) << 40), 100);
  attn.layers = 4; /* no whole number of periods fits but all layers are their own */
  assert_int_equal(bench_layers_distinct(&attn, layer), 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_equal_brute_force),
      cmocka_unit_test(chosen_blocks_have_a_least),
      cmocka_unit_test(least_by_hand),
      cmocka_unit_test(doubling_follows_the_formulas),
      cmocka_unit_test(doubling_the_sequence),
      cmocka_unit_test(too_much_is_missing),
      cmocka_unit_test(distinct_layers_are_whole_periods),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
