/* How decode divides its keys: the tiles are exactly those with a visible key, by brute force, and
 * the number of splits keeps the rules that kernels/cuda/decode_plan.h states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cuda/decode_plan.h"

/* Tile n of the list, as the kernel counts. */
static int64_t tile_at(const DecodeKeys *keys, int64_t n) {
  return n < keys->sink_tiles ? n : n - keys->sink_tiles + keys->band_tile;
}

static bool tile_is_seen(int64_t tile, int64_t key_tile, int64_t begin, int64_t end, int64_t sink) {
  for (int64_t j = tile * key_tile; j < (tile + 1) * key_tile; j++) {
    if (j < end && (j >= begin || j < sink)) {
      return true;
    }
  }
  return false;
}

static void tiles_are_those_with_a_visible_key(void **state) {
  (void)state;
  const int64_t key_tile = 4;
  for (int64_t end = 1; end <= 21; end++) {
    for (int64_t begin = -9; begin < end; begin++) {
      for (int64_t sink = 0; sink <= end + 5; sink++) {
        const DecodeKeys keys = decode_keys(begin, end, sink, key_tile);
        int64_t n = 0;
        for (int64_t tile = 0; tile <= end / key_tile + 1; tile++) {
          if (tile_is_seen(tile, key_tile, begin, end, sink)) {
            assert_true(n < keys.tiles);
            assert_int_equal(tile_at(&keys, n++), tile);
          }
        }
        assert_int_equal(keys.tiles, n);
      }
    }
  }
}

static void splits_keep_their_rules(void **state) {
  (void)state;
  const int64_t key_tile = 64;
  for (int64_t units = 1; units < 3000; units += 1 + units / 3) {
    for (int64_t rows = 1; rows <= 64; rows *= 4) {
      for (int64_t tiles = 1; tiles < 20000; tiles += 1 + tiles / 2) {
        for (int64_t slots = 1; slots <= 512; slots *= 8) {
          const int64_t splits = decode_splits(units, rows, tiles, key_tile, slots);
          assert_in_range(splits, 1, DECODE_SPLITS_MAX);
          if (splits > 1) {
            assert_true(units <= DECODE_COUNTERS);
            assert_true(units * splits < DECODE_WAVES * slots + units);
            assert_true(2 * splits <= tiles);
            assert_true(splits * splits * rows <= tiles * key_tile);
          }
        }
      }
    }
  }
}

/* No fewer than the rules allow, each of which binds in one of these. */
static void splits_are_as_many_as_allowed(void **state) {
  (void)state;
  assert_int_equal(decode_splits(8, 4, 128, 64, 264), 33);     /* a wave: 264 / 8 */
  assert_int_equal(decode_splits(140, 4, 128, 64, 264), 8);    /* four waves, not half of one */
  assert_int_equal(decode_splits(512, 8, 128, 64, 264), 3);    /* nor nearly two */
  assert_int_equal(decode_splits(8, 1, 15, 64, 264), 7);       /* two tiles each */
  assert_int_equal(decode_splits(8, 16, 128, 64, 264), 22);    /* 22 * 22 * 16 <= 8192 */
  assert_int_equal(decode_splits(1, 1, 100000, 64, 264), 128); /* weights */
  assert_int_equal(decode_splits(1024, 1, 9000, 64, 9000), 8); /* counters */
  assert_int_equal(decode_splits(1025, 1, 9000, 64, 9000), 1);
  assert_int_equal(decode_splits(1, 1, 1, 64, 264), 1);
}

static void slots_follow_the_device(void **state) {
  (void)state;
  bench_device device = {.sm_count = 10, .smem_bytes = 99 << 10};
  assert_int_equal(decode_slots(&device, 99 << 10), 10);
  assert_int_equal(decode_slots(&device, 49 << 10), 20);
  assert_int_equal(decode_slots(&device, (49 << 10) + 1), 10);
  assert_int_equal(decode_slots(&device, 1 << 10), 20);
  device = (bench_device){0};
  assert_int_equal(decode_slots(&device, 99 << 10), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tiles_are_those_with_a_visible_key),
      cmocka_unit_test(splits_keep_their_rules),
      cmocka_unit_test(splits_are_as_many_as_allowed),
      cmocka_unit_test(slots_follow_the_device),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
