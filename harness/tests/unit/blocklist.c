/* Block lists equal the mask pair by pair, are in order and without double tiles, and the draw of a
 * BLOCK mask keeps the exact count and the diagonal, by its seed alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/mask.h"
#include "mask_shapes.h"

static int64_t rows_in(const bench_blocklist *list, int64_t row) {
  const int64_t left = list->seq_q - row * list->block;
  return left < list->block ? left : list->block;
}

static int64_t keys_in(const bench_blocklist *list, int64_t column) {
  const int64_t left = list->seq_kv - column * list->block;
  return left < list->block ? left : list->block;
}

/* Order, distinct tiles, no bits out of range, no full block with a tile, no empty block. */
static void check_form(const bench_blocklist *list) {
  const int64_t tile_words = list->block * list->words;
  assert_int_equal(list->rows, (list->seq_q + list->block - 1) / list->block);
  assert_int_equal(list->words, (list->block + 63) / 64);
  assert_int_equal(list->row_begin[0], 0);
  assert_int_equal(list->row_begin[list->patterns * list->rows], list->blocks);
  for (int64_t n = 0; n < list->patterns * list->rows; n++) {
    const int64_t row = n % list->rows;
    for (int64_t at = list->row_begin[n]; at < list->row_begin[n + 1]; at++) {
      const int64_t column = list->column[at];
      assert_true(column >= 0 && column * list->block < list->seq_kv);
      assert_true(at == list->row_begin[n] || list->column[at - 1] < column);
      assert_true(list->tile[at] >= BENCH_BLOCK_FULL && list->tile[at] < list->tile_count);
      if (list->tile[at] == BENCH_BLOCK_FULL) {
        continue;
      }
      int64_t bits = 0;
      for (int64_t r = 0; r < list->block; r++) {
        for (int64_t c = 0; c < 64 * list->words; c++) {
          const int64_t word = (list->tile[at] * list->block + r) * list->words + (c >> 6);
          const bool set = (list->tiles[word] >> (c & 63)) & 1;
          assert_false(set && (r >= rows_in(list, row) || c >= keys_in(list, column)));
          bits += set;
        }
      }
      assert_true(bits > 0 && bits < rows_in(list, row) * keys_in(list, column));
    }
  }
  for (int64_t a = 0; a < list->tile_count; a++) {
    for (int64_t b = 0; b < a; b++) {
      assert_memory_not_equal(list->tiles + a * tile_words, list->tiles + b * tile_words,
                              (size_t)tile_words * sizeof *list->tiles);
    }
  }
}

static void simple_masks_equal_brute_force(void **state) {
  (void)state;
  uint64_t random = 7;
  for (int n = 0; n < 600; n++) {
    const bench_attn attn = shape_simple(&random, 300);
    const int64_t block =
        n % 10 == 0 ? shape_between(&random, 1, 140) : 8 * shape_between(&random, 1, 16);
    bench_blocklist list;
    assert_int_equal(bench_blocklist_build(&attn, block, NULL, NULL, &list, NULL), BENCH_OK);
    check_form(&list);
    int64_t pairs = 0;
    for (int64_t row = 0; row < attn.seq_q; row++) {
      for (int64_t key = 0; key < attn.seq_kv; key++) {
        const bool sees = shape_sees(&attn, row, key);
        assert_int_equal(bench_blocklist_visible(&list, 0, row, key), sees);
        pairs += sees;
      }
    }
    assert_int_equal(bench_blocklist_pairs(&list), pairs);
    bench_blocklist_free(&list);
  }
}

static void out_of_range_is_not_visible(void **state) {
  (void)state;
  const bench_attn attn = shape_of(20, 20, BENCH_MASK_FULL);
  bench_blocklist list;
  assert_int_equal(bench_blocklist_build(&attn, 16, NULL, NULL, &list, NULL), BENCH_OK);
  assert_true(bench_blocklist_visible(&list, 0, 19, 19));
  assert_false(bench_blocklist_visible(&list, 0, 20, 0));
  assert_false(bench_blocklist_visible(&list, 0, 0, 20));
  assert_false(bench_blocklist_visible(&list, 0, -1, 0));
  assert_false(bench_blocklist_visible(&list, 0, 0, -1));
  bench_blocklist_free(&list);
}

static bench_attn block_shape(uint64_t *random, int64_t longest) {
  bench_attn attn = shape_of(shape_between(random, 1, longest), shape_between(random, 1, longest),
                             BENCH_MASK_BLOCK);
  if (shape_between(random, 0, 1) == 0) {
    attn.seq_q = attn.seq_kv;
  }
  attn.seed = shape_random(random);
  attn.mask.block = 8 * shape_between(random, 1, 16);
  attn.mask.density = (double)shape_between(random, 1, 1000) / 1000.0;
  attn.mask.layout = shape_between(random, 0, 1) == 0 ? BENCH_LAYOUT_RANDOM : BENCH_LAYOUT_SKEWED;
  return attn;
}

/* Causal pairs of a kept block are visible, all others are not; the count is the documented one. */
static void check_drawn(const bench_attn *attn, const bench_blocklist *list) {
  const int64_t block = attn->mask.block;
  const int64_t first = attn->seq_kv - attn->seq_q;
  int64_t causal = 0;
  int64_t diagonal = 0;
  int64_t kept = 0;
  int64_t pairs = 0;
  for (int64_t row = 0; row < attn->seq_q; row += block) {
    for (int64_t key = 0; key < attn->seq_kv; key += block) {
      int64_t sees = 0;
      int64_t could = 0;
      bool on_diagonal = false;
      for (int64_t r = row; r < row + block && r < attn->seq_q; r++) {
        for (int64_t c = key; c < key + block && c < attn->seq_kv; c++) {
          sees += bench_blocklist_visible(list, 0, r, c);
          could += shape_sees(attn, r, c);
          on_diagonal = on_diagonal || c == r + first;
          assert_false(bench_blocklist_visible(list, 0, r, c) && !shape_sees(attn, r, c));
          assert_int_equal(bench_mask_visible(attn, list, 0, r, c),
                           bench_blocklist_visible(list, 0, r, c));
        }
      }
      assert_true(sees == 0 || sees == could);
      assert_true(!on_diagonal || sees > 0);
      causal += could > 0;
      diagonal += on_diagonal;
      kept += sees > 0;
      pairs += sees;
    }
  }
  const int64_t wanted = llround(attn->mask.density * (double)causal);
  assert_int_equal(kept, wanted > diagonal ? wanted : diagonal);
  assert_int_equal(list->blocks, kept);
  assert_int_equal(bench_blocklist_pairs(list), pairs);
}

static void drawn_masks_equal_their_definition(void **state) {
  (void)state;
  uint64_t random = 11;
  for (int n = 0; n < 400; n++) {
    const bench_attn attn = block_shape(&random, 400);
    bench_blocklist list;
    bench_blocklist again;
    int64_t pairs;
    assert_int_equal(bench_blocklist_build(&attn, attn.mask.block, NULL, NULL, &list, NULL),
                     BENCH_OK);
    check_form(&list);
    check_drawn(&attn, &list);
    assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
    assert_int_equal(pairs, bench_blocklist_pairs(&list));
    assert_int_equal(bench_blocklist_build(&attn, attn.mask.block, NULL, NULL, &again, NULL),
                     BENCH_OK);
    assert_int_equal(again.blocks, list.blocks);
    if (list.blocks > 0) {
      assert_memory_equal(again.column, list.column, (size_t)list.blocks * sizeof *list.column);
      assert_memory_equal(again.tile, list.tile, (size_t)list.blocks * sizeof *list.tile);
    }
    bench_blocklist_free(&again);
    bench_blocklist_free(&list);
  }
}

static bench_attn square_draw(int64_t blocks, double density, bench_block_layout layout) {
  bench_attn attn = shape_of(16 * blocks, 16 * blocks, BENCH_MASK_BLOCK);
  attn.mask.block = 16;
  attn.mask.density = density;
  attn.mask.layout = layout;
  return attn;
}

static void seeds_differ(void **state) {
  (void)state;
  bench_attn attn = square_draw(40, 0.3, BENCH_LAYOUT_RANDOM);
  bench_blocklist one;
  bench_blocklist two;
  assert_int_equal(bench_blocklist_build(&attn, 16, NULL, NULL, &one, NULL), BENCH_OK);
  attn.seed = 2;
  assert_int_equal(bench_blocklist_build(&attn, 16, NULL, NULL, &two, NULL), BENCH_OK);
  assert_int_equal(one.blocks, two.blocks);
  assert_memory_not_equal(one.column, two.column, (size_t)one.blocks * sizeof *one.column);
  bench_blocklist_free(&one);
  bench_blocklist_free(&two);
}

/* Over 400 seeds each of the 45 off-diagonal blocks of a 10 x 10 mask is kept about as often:
 * 18 of 45, so 160 times with a standard deviation of 9.8. */
static void random_is_uniform(void **state) {
  (void)state;
  int kept[10][10] = {{0}};
  bench_attn attn = square_draw(10, 28.0 / 55.0, BENCH_LAYOUT_RANDOM);
  for (uint64_t seed = 0; seed < 400; seed++) {
    bench_blocklist list;
    attn.seed = seed;
    assert_int_equal(bench_blocklist_build(&attn, 16, NULL, NULL, &list, NULL), BENCH_OK);
    assert_int_equal(list.blocks, 28);
    for (int64_t row = 0; row < 10; row++) {
      for (int64_t at = list.row_begin[row]; at < list.row_begin[row + 1]; at++) {
        kept[row][list.column[at]]++;
      }
    }
    bench_blocklist_free(&list);
  }
  for (int row = 0; row < 10; row++) {
    assert_int_equal(kept[row][row], 400);
    for (int column = 0; column < row; column++) {
      assert_in_range(kept[row][column], 160 - 45, 160 + 45);
    }
  }
}

/* Off-diagonal blocks kept by the best eighth of the rows. */
static double share_of_top_rows(bench_block_layout layout) {
  const bench_attn attn = square_draw(256, 0.1, layout);
  bench_blocklist list;
  int64_t counts[256];
  assert_int_equal(bench_blocklist_build(&attn, 16, NULL, NULL, &list, NULL), BENCH_OK);
  assert_int_equal(list.blocks, llround(0.1 * 256 * 257 / 2));
  for (int64_t row = 0; row < 256; row++) {
    counts[row] = list.row_begin[row + 1] - list.row_begin[row] - 1;
  }
  int64_t top = 0;
  for (int n = 0; n < 32; n++) {
    int64_t best = 0;
    for (int64_t row = 1; row < 256; row++) {
      best = counts[row] > counts[best] ? row : best;
    }
    top += counts[best];
    counts[best] = 0;
  }
  const double share = (double)top / (double)(list.blocks - 256);
  bench_blocklist_free(&list);
  return share;
}

static void skewed_is_skewed(void **state) {
  (void)state;
  assert_true(share_of_top_rows(BENCH_LAYOUT_RANDOM) < 0.35);
  assert_true(share_of_top_rows(BENCH_LAYOUT_SKEWED) > 0.70);
}

/* The tiles of a long mask are a handful, and a list is built in the time of its blocks. */
static void long_masks_have_few_tiles(void **state) {
  (void)state;
  bench_attn attn = shape_of(131000, 131071, BENCH_MASK_SINK_WINDOW);
  attn.mask.sink = 5;
  attn.mask.window = 1000;
  bench_blocklist list;
  int64_t pairs;
  assert_int_equal(bench_blocklist_build(&attn, 64, NULL, NULL, &list, NULL), BENCH_OK);
  assert_true(list.tile_count <= 64);
  assert_int_equal(bench_mask_pairs(&attn, &pairs, NULL), BENCH_OK);
  assert_int_equal(bench_blocklist_pairs(&list), pairs);
  bench_blocklist_free(&list);
}

static void bad_sizes_are_refused(void **state) {
  (void)state;
  bench_attn attn = square_draw(4, 0.5, BENCH_LAYOUT_RANDOM);
  bench_blocklist list;
  bench_error error;
  assert_int_equal(bench_blocklist_build(&attn, 0, NULL, NULL, &list, &error), BENCH_ERR_USAGE);
  assert_string_equal(error.message, "block size 0 is outside 1 .. 1024");
  assert_int_equal(bench_blocklist_build(&attn, 32, NULL, NULL, &list, &error), BENCH_ERR_USAGE);
  assert_string_equal(error.message, "block size 32 differs from the mask's own, 16");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(simple_masks_equal_brute_force),
      cmocka_unit_test(out_of_range_is_not_visible),
      cmocka_unit_test(drawn_masks_equal_their_definition),
      cmocka_unit_test(seeds_differ),
      cmocka_unit_test(random_is_uniform),
      cmocka_unit_test(skewed_is_skewed),
      cmocka_unit_test(long_masks_have_few_tiles),
      cmocka_unit_test(bad_sizes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
