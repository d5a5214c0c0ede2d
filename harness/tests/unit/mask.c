/* Mask texts survive parse and format, bad texts are refused by name of the part, and the spans
 * and pairs of simple masks equal a count over every (row, key). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bench/mask.h"
#include "mask_shapes.h"

static void canonical_text_survives(void **state) {
  (void)state;
  static const char *const texts[] = {
      "full",
      "causal",
      "window:1",
      "window:1024",
      "window:16777216:both",
      "sink:4+window:1020",
      "sink:1+window:1",
      "block:density=0.1:size=64:layout=random",
      "block:density=1:size=8:layout=skewed",
      "block:density=0.30000000000000004:size=1024:layout=random",
      "block:density=1e-05:size=128:layout=random",
      "strided:64",
      "bigbird:window=3:global=2:random=0",
      "bigbird:window=1:global=0:random=1:size=128",
      "topk:blocks=8:size=64",
      "hybrid:full/causal@heads=1-3",
      "hybrid:topk:blocks=8:size=64/sink:4+window:60@layers=5-1",
      "hybrid:block:density=0.30000000000000004:size=1024:layout=skewed/full@heads=16777216-1",
  };
  for (size_t n = 0; n < sizeof texts / sizeof texts[0]; n++) {
    bench_mask_choice mask;
    bench_mask_choice again;
    char text[BENCH_MASK_TEXT_MAX];
    bench_error error = {0};
    assert_int_equal(bench_mask_parse(texts[n], &mask, &error), BENCH_OK);
    bench_mask_format(&mask.mask, mask.part, text);
    assert_string_equal(text, texts[n]);
    assert_int_equal(bench_mask_parse(text, &again, &error), BENCH_OK);
    assert_memory_equal(&mask, &again, sizeof mask);
  }
}

static void fields_are_read(void **state) {
  (void)state;
  bench_mask_choice choice;
  const bench_mask *mask = &choice.mask;
  assert_int_equal(bench_mask_parse("window:7:both", &choice, NULL), BENCH_OK);
  assert_int_equal(mask->kind, BENCH_MASK_WINDOW);
  assert_int_equal(mask->window, 7);
  assert_true(mask->both);
  assert_int_equal(bench_mask_parse("sink:4+window:60", &choice, NULL), BENCH_OK);
  assert_int_equal(mask->kind, BENCH_MASK_SINK_WINDOW);
  assert_int_equal(mask->sink, 4);
  assert_int_equal(mask->window, 60);
  assert_false(mask->both);
  assert_true(bench_mask_is_simple(mask));
  assert_int_equal(bench_mask_parse("block:size=32:density=.25", &choice, NULL), BENCH_OK);
  assert_int_equal(mask->kind, BENCH_MASK_BLOCK);
  assert_int_equal(mask->block, 32);
  assert_true(mask->density == 0.25);
  assert_int_equal(mask->layout, BENCH_LAYOUT_RANDOM);
  assert_int_equal(mask->window, 0);
  assert_false(bench_mask_is_simple(mask));
  assert_int_equal(bench_mask_parse("bigbird:random=3:window=2:global=0", &choice, NULL), BENCH_OK);
  assert_int_equal(mask->kind, BENCH_MASK_BIGBIRD);
  assert_int_equal(mask->block, 64);
  assert_int_equal(mask->window, 2);
  assert_int_equal(mask->global, 0);
  assert_int_equal(mask->random, 3);
  assert_int_equal(
      bench_mask_parse("hybrid:strided:9/topk:blocks=2:size=8@layers=5-1", &choice, NULL),
      BENCH_OK);
  assert_int_equal(mask->kind, BENCH_MASK_HYBRID);
  assert_int_equal(mask->over, BENCH_HYBRID_LAYERS);
  assert_int_equal(mask->share[0], 5);
  assert_int_equal(mask->share[1], 1);
  assert_int_equal(choice.part[0].stride, 9);
  assert_int_equal(choice.part[1].keep, 2);
  assert_int_equal(choice.part[1].block, 8);
}

static const struct {
  const char *text;
  const char *message; /* begins so */
} bad[] = {
    {"", "mask \"\": must be full, causal,"},
    {"Full", "mask \"Full\""},
    {"full ", "mask \"full \""},
    {"causal:1", "mask \"causal:1\""},
    {"window", "mask \"window\""},
    {"window:", "window \"\": a number is missing"},
    {"window:0", "window \"0\": must be at least 1"},
    {"window:-4", "window \"-4\": not a whole number"},
    {"window:+4", "window \"+4\": not a whole number"},
    {"window: 4", "window \" 4\": not a whole number"},
    {"window:4x", "window \"4x\": not a whole number"},
    {"window:1.5", "window \"1.5\": not a whole number"},
    {"window:16777217", "window \"16777217\": must be at most 16777216"},
    {"window:99999999999999999999999", "window \"99999999999999999999999\": must be at most"},
    {"window:4:", "window sides \"\": only \"both\""},
    {"window:4:left", "window sides \"left\": only \"both\""},
    {"window:4:both:both", "window sides \"both:both\""},
    {"sink:4", "sink \"4\": must be followed by \"+window:W\""},
    {"sink:0+window:8", "sink \"0\": must be at least 1"},
    {"sink:4+window:0", "window \"0\": must be at least 1"},
    {"sink:4+window:8:both", "window \"8:both\": not a whole number"},
    {"sink:4+causal", "sink \"4\": must be followed"},
    {"sink:+window:8", "sink \"\": a number is missing"},
    {"block:", "block \"\": must be density=D"},
    {"block:density=0.5", "block \"density=0.5\": size=B is missing"},
    {"block:size=64", "block \"size=64\": density=D is missing"},
    {"block:density=0:size=64", "density \"0\": must be above 0 and at most 1"},
    {"block:density=-0.5:size=64", "density \"-0.5\": must be above 0"},
    {"block:density=1.01:size=64", "density \"1.01\": must be above 0"},
    {"block:density=nan:size=64", "density \"nan\": not a number"},
    {"block:density=0x1p-1:size=64", "density \"0x1p-1\": not a number"},
    {"block:density= 0.5:size=64", "density \" 0.5\": not a number"},
    {"block:density=:size=64", "density \"\": not a number"},
    {"block:density=0.5.5:size=64", "density \"0.5.5\": not a number"},
    {"block:density=0.5:size=4", "size \"4\": must be a multiple of 8 from 8 to 1024"},
    {"block:density=0.5:size=12", "size \"12\": must be a multiple of 8"},
    {"block:density=0.5:size=1032", "size \"1032\": must be a multiple of 8"},
    {"block:density=0.5:size=0", "size \"0\": must be at least 1"},
    {"block:density=0.5:size=64:layout=odd", "layout \"odd\": must be random or skewed"},
    {"block:density=0.5:size=64:", "block \"\": must be density=D"},
    {"block:density=0.5:size=64:size=64", "block \"size=64\": is given twice"},
    {"block:density=0.5:size=64:colour=red", "block \"colour=red\": must be"},
    {"strided:", "strided \"\": a number is missing"},
    {"strided:0", "strided \"0\": must be at least 1"},
    {"bigbird:window=1:global=1", "bigbird \"window=1:global=1\": random=R is missing"},
    {"bigbird:window=0:global=1:random=1", "window \"0\": must be at least 1"},
    {"bigbird:window=1:global=-1:random=1", "global \"-1\": not a whole number"},
    {"bigbird:window=1:global=1:random=1:size=9", "size \"9\": must be a multiple of 8"},
    {"bigbird:density=1", "bigbird \"density=1\": must be window=W, global=G, random=R or size=B"},
    {"topk:blocks=4", "topk \"blocks=4\": size=B is missing"},
    {"topk:blocks=0:size=64", "blocks \"0\": must be at least 1"},
    {"topk:blocks=4:blocks=4:size=64", "topk \"blocks=4\": is given twice"},
    {"hybrid:causal/full", "hybrid \"causal/full\": \"@heads=A-B\" or \"@layers=A-B\" is missing"},
    {"hybrid:causal@heads=1-1", "hybrid \"causal\": must name two masks, MASK/MASK"},
    {"hybrid:causal/full@heads=1", "hybrid \"heads=1\": must name two shares, A-B"},
    {"hybrid:causal/full@heads=0-1", "hybrid \"0\": must be at least 1"},
    {"hybrid:causal/full@rows=1-1", "hybrid \"rows=1-1\": must be heads=A-B or layers=A-B"},
    {"hybrid:causal/windw:3@heads=1-1", "mask \"windw:3\": must be full, causal,"},
    {"hybrid:hybrid:full/causal@heads=1-1/full@heads=1-1", "mask \"hybrid:full\": must be"},
    {"hybrid:topk:blocks=1:size=8/block:density=1:size=16@heads=1-1",
     "hybrid \"topk:blocks=1:size=8/block:density=1:size=16@heads=1-1\": masks over heads must "
     "have blocks of the same size"},
};

static void bad_texts_are_refused(void **state) {
  (void)state;
  for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
    bench_mask_choice mask;
    bench_error error = {0};
    assert_int_equal(bench_mask_parse(bad[n].text, &mask, &error), BENCH_ERR_USAGE);
    if (strncmp(error.message, bad[n].message, strlen(bad[n].message)) != 0) {
      fail_msg("%s: said \"%s\", not \"%s\"", bad[n].text, error.message, bad[n].message);
    }
    assert_int_equal(bench_mask_parse(bad[n].text, &mask, NULL), BENCH_ERR_USAGE);
  }
}

static void check_shape(const bench_attn *attn) {
  int64_t pairs = 0;
  for (int64_t row = 0; row < attn->seq_q; row++) {
    bench_span spans[2] = {{0, 0}, {0, 0}};
    const int count = bench_mask_spans(attn, row, spans);
    assert_in_range(count, 0, 2);
    for (int n = 0; n < count; n++) {
      assert_true(spans[n].begin >= 0 && spans[n].end <= attn->seq_kv);
      assert_true(spans[n].begin < spans[n].end);
      assert_true(n == 0 || spans[0].end < spans[1].begin);
    }
    for (int64_t key = 0; key < attn->seq_kv; key++) {
      bool inside = false;
      for (int n = 0; n < count; n++) {
        inside = inside || (key >= spans[n].begin && key < spans[n].end);
      }
      const bool sees = shape_sees(attn, row, key);
      assert_int_equal(inside, sees);
      assert_int_equal(bench_mask_visible(attn, NULL, 0, row, key), sees);
      pairs += sees;
    }
  }
  int64_t counted = -1;
  assert_int_equal(bench_mask_pairs(attn, &counted, NULL), BENCH_OK);
  assert_int_equal(counted, pairs);
}

static void spans_and_pairs_equal_brute_force(void **state) {
  (void)state;
  uint64_t random = 20250101;
  for (int n = 0; n < 2000; n++) {
    const bench_attn attn = shape_simple(&random, 60);
    check_shape(&attn);
  }
}

/* Known counts at lengths where nobody counts one by one. */
static void long_counts(void **state) {
  (void)state;
  const int64_t n = INT64_C(1) << 24;
  int64_t pairs;
  bench_attn attn = shape_of(n, n, BENCH_MASK_FULL);
  assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
  assert_int_equal(pairs, n * n);
  attn.mask.kind = BENCH_MASK_CAUSAL;
  assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
  assert_int_equal(pairs, n * (n + 1) / 2);
  attn.mask.kind = BENCH_MASK_WINDOW;
  attn.mask.window = 1024;
  assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
  assert_int_equal(pairs, 1024 * n - 1024 * 1023 / 2);
  attn.mask.both = true;
  assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
  assert_int_equal(pairs, n + 2 * (1023 * n - 1024 * 1023 / 2));
  attn.mask = (bench_mask){.kind = BENCH_MASK_WINDOW, .window = INT64_MAX};
  assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
  assert_int_equal(pairs, n * (n + 1) / 2);
  attn.mask.both = true;
  assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
  assert_int_equal(pairs, n * n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(canonical_text_survives),
      cmocka_unit_test(fields_are_read),
      cmocka_unit_test(bad_texts_are_refused),
      cmocka_unit_test(spans_and_pairs_equal_brute_force),
      cmocka_unit_test(long_counts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
