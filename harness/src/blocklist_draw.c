/* Masks whose blocks are drawn by the seed. Both keep the diagonal blocks of a block row and draw
 * from the causal ones before them, in order, by selection sampling (Knuth, Algorithm S): a block
 * is taken with probability needed / remaining, which gives an exact count and, within one lottery,
 * the uniform law.
 *
 * BLOCK: max(diagonal blocks, llround(density * causal blocks)) are kept in all.
 *   random  one lottery for the whole mask.
 *   skewed  in every eight consecutive block rows one, drawn by the seed, is heavy. The heavy rows
 *           get three quarters of the drawn blocks, or all of theirs if they have fewer, and the
 *           light rows the rest: few rows keep many blocks and most rows few.
 * BIGBIRD: each block row keeps its window and the global columns; a lottery of its own draws
 *   `random` of the blocks between them. The paper's rows also look ahead and its global rows at
 *   everything; under the causal mask a global row sees its causal blocks in any case. */
#include <math.h>

#include "bench/input.h"
#include "blocklist.h"

#define SKEW_PERIOD 8 /* one heavy row in so many */

/* Streams of the hash: what a draw is for. */
#define DRAW_BLOCK UINT64_C(0x626c6f636b)
#define DRAW_HEAVY UINT64_C(0x6865617679)

__extension__ typedef unsigned __int128 wide;

/* What is left to draw. */
typedef struct lottery {
  int64_t needed;
  int64_t remaining;
} lottery;

static bench_span diagonal_of(const bench_list_builder *b, int64_t row) {
  return list_diagonal(b->first, b->list->block, row, list_rows_of(b->list, row));
}

/* Draws from columns [begin, end) of a block row; false without memory. */
static bool draw_range(bench_list_builder *b, int64_t row, bench_span range, lottery *from) {
  for (int64_t column = range.begin; column < range.end && from->needed > 0; column++) {
    const uint64_t hash =
        bench_hash64(b->attn.seed, DRAW_BLOCK, (uint64_t)(row * b->columns + column));
    const int64_t ticket = (int64_t)(((wide)hash * (wide)from->remaining) >> 64);
    from->remaining--;
    if (ticket < from->needed) {
      from->needed--;
      if (!bench_list_push(b, row, column)) {
        return false;
      }
    }
  }
  return true;
}

static bool is_heavy(const bench_list_builder *b, int64_t row) {
  return b->attn.mask.layout == BENCH_LAYOUT_SKEWED &&
         bench_hash64(b->attn.seed, DRAW_HEAVY, (uint64_t)(row / SKEW_PERIOD)) % SKEW_PERIOD ==
             (uint64_t)(row % SKEW_PERIOD);
}

/* Class 0 the light rows and 1 the heavy ones. */
static void set_up_classes(const bench_list_builder *b, lottery classes[2]) {
  int64_t diagonal = 0;
  classes[0] = classes[1] = (lottery){0, 0};
  for (int64_t row = 0; row < b->list->rows; row++) {
    const bench_span range = diagonal_of(b, row);
    diagonal += range.end - range.begin;
    classes[is_heavy(b, row)].remaining += range.begin;
  }
  const int64_t light = classes[0].remaining;
  const int64_t heavy = classes[1].remaining;
  const int64_t causal = diagonal + light + heavy;
  const int64_t kept = max64(diagonal, llround(b->attn.mask.density * (double)causal));
  const int64_t drawn = kept - diagonal;
  classes[1].needed = min64(heavy, max64(drawn - light, drawn - drawn / 4));
  classes[0].needed = drawn - classes[1].needed;
}

static bool draw_bigbird_row(bench_list_builder *b, int64_t row, bench_span diagonal) {
  const bench_mask *mask = &b->attn.mask;
  const int64_t window = clamp64(diagonal.end - mask->window, 0, diagonal.begin);
  const int64_t global = min64(mask->global, window);
  lottery between = {min64(mask->random, window - global), window - global};
  return bench_list_push_range(b, row, (bench_span){0, global}) &&
         draw_range(b, row, (bench_span){global, window}, &between) &&
         bench_list_push_range(b, row, (bench_span){window, diagonal.end});
}

bool bench_list_draw(bench_list_builder *b) {
  lottery classes[2] = {{0, 0}, {0, 0}};
  const bool bigbird = b->attn.mask.kind == BENCH_MASK_BIGBIRD;
  if (!bigbird) {
    set_up_classes(b, classes);
  }
  bool done = true;
  for (int64_t row = 0; row < b->list->rows && done; row++) {
    const bench_span diagonal = diagonal_of(b, row);
    bench_list_open_row(b);
    if (bigbird) {
      done = draw_bigbird_row(b, row, diagonal);
    } else {
      done = draw_range(b, row, (bench_span){0, diagonal.begin}, &classes[is_heavy(b, row)]) &&
             bench_list_push_range(b, row, diagonal);
    }
  }
  return done;
}
