/* The block list, to which every mask can be resolved.
 *
 * A block's tile depends on where its first row stands from its first key, on its size, and on how
 * many of its keys are sinks. So each distinct tile is drawn once and found again by that key; what
 * turns out equal for another reason is stored once, too. A mask of any length has few tiles, and
 * the list is made in the time of the blocks that are looked at:
 *   simple masks   the kept ones, which follow from the positions of a block row's first and last
 *                  row (mask_band.h)
 *   STRIDED        the causal ones
 *   BLOCK, BIGBIRD the causal ones, which are drawn (blocklist_draw.c)
 *   TOPK           the kept ones, once they are chosen (blocklist_topk.c) */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist.h"

#define BLOCK_MAX 1024 /* a bit tile grows with the square */

static bool grow_array(int32_t **array, int64_t capacity) {
  int32_t *grown = realloc(*array, (size_t)capacity * sizeof *grown);
  if (grown != NULL) {
    *array = grown;
  }
  return grown != NULL;
}

static bool grow_blocks(bench_list_builder *b) {
  bench_blocklist *list = b->list;
  if (list->blocks < b->block_capacity) {
    return true;
  }
  const int64_t capacity = b->block_capacity == 0 ? 256 : 2 * b->block_capacity;
  if (!grow_array(&list->column, capacity) || !grow_array(&list->tile, capacity)) {
    return false;
  }
  b->block_capacity = capacity;
  return true;
}

void bench_list_open_row(bench_list_builder *b) {
  b->list->row_begin[++b->at] = b->list->blocks;
}

bool bench_list_push(bench_list_builder *b, int64_t row, int64_t column) {
  const bench_tile_memo *found = bench_list_tile(b, row, column);
  if (found == NULL || found->empty) {
    return found != NULL;
  }
  if (!grow_blocks(b)) {
    return false;
  }
  bench_blocklist *list = b->list;
  list->column[list->blocks] = (int32_t)column;
  list->tile[list->blocks] = found->tile;
  list->row_begin[b->at] = ++list->blocks;
  return true;
}

/* Block columns in which some row of the block row may see a key: at most two disjoint ranges. */
static int ranges_of(const bench_list_builder *b, int64_t row, bench_span ranges[2]) {
  const int64_t block = b->list->block;
  const int64_t begin_row = b->first + row * block;
  const int64_t reach = begin_row + list_rows_of(b->list, row) + b->band.ahead;
  if (reach <= 0) {
    return 0;
  }
  const int64_t end = min64(b->columns, (reach - 1) / block + 1);
  const int64_t begin = max64(0, begin_row - b->band.behind) / block;
  const int64_t sink = min64(end, (min64(b->band.sink, reach) + block - 1) / block);
  if (begin <= sink) {
    ranges[0] = (bench_span){0, end};
    return 1;
  }
  int count = 0;
  if (sink > 0) {
    ranges[count++] = (bench_span){0, sink};
  }
  if (begin < end) {
    ranges[count++] = (bench_span){begin, end};
  }
  return count;
}

bool bench_list_push_range(bench_list_builder *b, int64_t row, bench_span range) {
  for (int64_t column = range.begin; column < range.end; column++) {
    if (!bench_list_push(b, row, column)) {
      return false;
    }
  }
  return true;
}

/* All rows of a pattern whose blocks follow from positions alone. */
static bool fill_ranges(bench_list_builder *b) {
  for (int64_t row = 0; row < b->list->rows; row++) {
    bench_span ranges[2];
    const int count = ranges_of(b, row, ranges);
    bench_list_open_row(b);
    for (int n = 0; n < count; n++) {
      if (!bench_list_push_range(b, row, ranges[n])) {
        return false;
      }
    }
  }
  return true;
}

/* The mask of one head, hybrids over heads resolved. */
static bench_attn head_attn(const bench_attn *attn, int64_t head, int *part) {
  bench_attn own = *attn;
  *part = 0;
  if (attn->mask.kind == BENCH_MASK_HYBRID) {
    *part = bench_mask_part(&attn->mask, head % attn->heads_q);
    own.mask = attn->part[*part];
  }
  return own;
}

/* The pattern of every head, made when the first head of it comes by: heads share one unless they
 * choose their blocks. */
static bool fill_patterns(bench_list_builder *b, const bench_attn *attn,
                          const bench_list_choice *choice) {
  bench_blocklist *list = b->list;
  int32_t shared[2] = {-1, -1}; /* of the parts */
  for (int64_t head = 0; head < list->heads; head++) {
    b->attn = head_attn(attn, head, &b->part);
    const bool chooses = b->attn.mask.kind == BENCH_MASK_TOPK;
    if (chooses || shared[b->part] < 0) {
      shared[b->part] = (int32_t)list->patterns++;
      b->band = bench_mask_band(&b->attn);
      const bool drawn =
          b->attn.mask.kind == BENCH_MASK_BLOCK || b->attn.mask.kind == BENCH_MASK_BIGBIRD;
      if (!(chooses ? bench_list_chosen(b, choice, head)
            : drawn ? bench_list_draw(b)
                    : fill_ranges(b))) {
        return false;
      }
    }
    if (list->pattern != NULL) {
      list->pattern[head] = shared[b->part];
    }
    if (bench_mask_patterns(attn) == 1) {
      return true; /* for the other heads, too */
    }
  }
  return true;
}

static bool allocate(bench_list_builder *b, int64_t patterns) {
  bench_blocklist *list = b->list;
  list->row_begin = calloc((size_t)(patterns * list->rows) + 1, sizeof *list->row_begin);
  b->bits = malloc((size_t)b->tile_words * sizeof *b->bits);
  if (patterns > 1) {
    list->pattern = calloc((size_t)list->heads, sizeof *list->pattern);
  }
  return list->row_begin != NULL && b->bits != NULL && (patterns == 1 || list->pattern != NULL) &&
         grow_blocks(b);
}

static bench_code check_block(const bench_attn *attn, int64_t block, bench_error *error) {
  const int64_t fixed = bench_mask_block(attn);
  if (block < 1 || block > BLOCK_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE, "block size %" PRId64 " is outside 1 .. %d", block,
                      BLOCK_MAX);
  }
  if (fixed > 0 && block != fixed) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "block size %" PRId64 " differs from the mask's own, %" PRId64, block, fixed);
  }
  return BENCH_OK;
}

bench_code bench_blocklist_build(const bench_attn *attn, int64_t block, const void *q,
                                 const void *k, bench_blocklist *out, bench_error *error) {
  assert(attn->mask.kind != BENCH_MASK_HYBRID || attn->mask.over == BENCH_HYBRID_HEADS);
  bench_code code = check_block(attn, block, error);
  bench_list_choice choice = {0};
  if (code == BENCH_OK && bench_mask_needs_input(attn)) {
    code = bench_list_choose(attn, block, q, k, &choice, error);
  }
  if (code != BENCH_OK) {
    return code;
  }
  *out = (bench_blocklist){.seq_q = attn->seq_q,
                           .seq_kv = attn->seq_kv,
                           .block = block,
                           .rows = (attn->seq_q + block - 1) / block,
                           .heads = attn->batch * attn->heads_q,
                           .words = (block + 63) / 64};
  bench_list_builder b = {.list = out,
                          .columns = (attn->seq_kv + block - 1) / block,
                          .first = attn->seq_kv - attn->seq_q,
                          .tile_words = block * out->words};
  const bool built = allocate(&b, bench_mask_patterns(attn)) && fill_patterns(&b, attn, &choice);
  free(b.bits);
  free(b.memo);
  free(b.same);
  free(choice.columns);
  if (!built) {
    const int64_t blocks = out->blocks;
    bench_blocklist_free(out);
    return bench_fail(error, BENCH_ERR_NOMEM,
                      "no memory for a list of more than %" PRId64 " blocks", blocks);
  }
  assert(out->row_begin[out->patterns * out->rows] == out->blocks);
  return BENCH_OK;
}

void bench_blocklist_free(bench_blocklist *list) {
  free(list->row_begin);
  free(list->column);
  free(list->tile);
  free(list->tiles);
  free(list->pattern);
  memset(list, 0, sizeof *list);
}

/* Pairs of one block row of the list. */
static int64_t row_pairs(const bench_blocklist *list, int64_t pattern, int64_t row) {
  int64_t pairs = 0;
  const int64_t at = pattern * list->rows + row;
  for (int64_t i = list->row_begin[at]; i < list->row_begin[at + 1]; i++) {
    if (list->tile[i] == BENCH_BLOCK_FULL) {
      pairs += list_rows_of(list, row) * list_keys_of(list, list->column[i]);
      continue;
    }
    const uint64_t *words = list->tiles + list->tile[i] * list->block * list->words;
    for (int64_t w = 0; w < list->block * list->words; w++) {
      pairs += __builtin_popcountll(words[w]);
    }
  }
  return pairs;
}

int64_t bench_blocklist_pairs(const bench_blocklist *list) {
  int64_t pairs = 0;
  for (int64_t pattern = 0; pattern < list->patterns; pattern++) {
    int64_t heads = list->pattern == NULL ? list->heads : 0;
    for (int64_t head = 0; list->pattern != NULL && head < list->heads; head++) {
      heads += list->pattern[head] == pattern;
    }
    for (int64_t row = 0; heads > 0 && row < list->rows; row++) {
      pairs += heads * row_pairs(list, pattern, row);
    }
  }
  return pairs;
}

bool bench_blocklist_visible(const bench_blocklist *list, int64_t head, int64_t row, int64_t key) {
  if (row < 0 || row >= list->seq_q || key < 0 || key >= list->seq_kv) {
    return false;
  }
  const int64_t column = key / list->block;
  const int64_t at = bench_blocklist_row(list, head, row);
  int64_t low = list->row_begin[at];
  int64_t high = list->row_begin[at + 1];
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (list->column[middle] < column) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == list->row_begin[at + 1] || list->column[low] != column) {
    return false;
  }
  if (list->tile[low] == BENCH_BLOCK_FULL) {
    return true;
  }
  const int64_t c = key % list->block;
  const int64_t word = (list->tile[low] * list->block + row % list->block) * list->words + (c >> 6);
  return (list->tiles[word] >> (c & 63)) & 1;
}
