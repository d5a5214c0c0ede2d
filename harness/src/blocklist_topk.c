/* TOPK: each query head chooses, for every block row, the key blocks that it keeps.
 *
 * The score of a block is the product of the mean of its query rows and the mean of its keys, in
 * double, from the values as they are stored. Among the causal blocks before the diagonal the
 * highest scores win, the lower column where two are equal; NaN never wins. The diagonal blocks are
 * kept in any case and count, so that a row keeps max(diagonal, min(keep, causal)) blocks: how many
 * pairs are visible does not depend on the choice, since what is chosen is full. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blocklist.h"

static int64_t wanted_of(const bench_span diagonal, int64_t keep) {
  return clamp64(keep - (diagonal.end - diagonal.begin), 0, diagonal.begin);
}

int64_t bench_blocklist_topk_pairs(const bench_attn *attn) {
  const int64_t block = attn->mask.block;
  const int64_t first = attn->seq_kv - attn->seq_q;
  int64_t pairs = 0;
  for (int64_t begin = 0; begin < attn->seq_q; begin += block) {
    const int64_t rows = min64(block, attn->seq_q - begin);
    const bench_span diagonal = list_diagonal(first, block, begin / block, rows);
    pairs += wanted_of(diagonal, attn->mask.keep) * rows * block;
    for (int64_t i = max64(first + begin, 0); i < first + begin + rows; i++) {
      pairs += i + 1 - diagonal.begin * block;
    }
  }
  return pairs;
}

/* Means over blocks of `block` rows of a tensor [rows][head_dim] that starts at element `first`,
 * added to zeros. */
static void pool(const bench_attn *attn, const void *tensor, int64_t first, int64_t rows,
                 int64_t block, float *row, double *means) {
  const int64_t dim = attn->head_dim;
  const size_t item = bench_dtype_bytes(attn->dtype);
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t count = min64(block, rows - begin);
    double *mean = means + begin / block * dim;
    for (int64_t r = begin; r < begin + count; r++) {
      bench_to_float(attn->dtype, (const char *)tensor + (size_t)(first + r * dim) * item, row,
                     dim);
      for (int64_t d = 0; d < dim; d++) {
        mean[d] += row[d];
      }
    }
    for (int64_t d = 0; d < dim; d++) {
      mean[d] /= (double)count;
    }
  }
}

typedef struct candidate {
  double score;
  int32_t column;
} candidate;

/* Does x come before y in order of preference? */
static bool better(candidate x, candidate y) {
  return x.score > y.score || (x.score == y.score && x.column < y.column);
}

/* A heap of the best so far with the worst on top. */
static void sift_down(candidate *heap, int64_t count) {
  for (int64_t at = 0;;) {
    int64_t worst = at;
    for (int64_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
      worst = better(heap[worst], heap[child]) ? child : worst;
    }
    if (worst == at) {
      return;
    }
    const candidate moved = heap[at];
    heap[at] = heap[worst];
    heap[worst] = moved;
    at = worst;
  }
}

static void sift_up(candidate *heap, int64_t at) {
  while (at > 0 && better(heap[(at - 1) / 2], heap[at])) {
    const candidate moved = heap[at];
    heap[at] = heap[(at - 1) / 2];
    heap[(at - 1) / 2] = moved;
    at = (at - 1) / 2;
  }
}

static int compare_columns(const void *a, const void *b) {
  const int32_t x = *(const int32_t *)a;
  const int32_t y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

/* The best `wanted` of columns [0, count), ascending. */
static void choose_row(const double *q, const double *k, int64_t dim, int64_t count, int64_t wanted,
                       candidate *heap, int32_t *columns) {
  int64_t held = 0;
  for (int64_t c = 0; c < count && wanted > 0; c++) {
    candidate next = {0, (int32_t)c};
    for (int64_t d = 0; d < dim; d++) {
      next.score += q[d] * k[c * dim + d];
    }
    next.score = isnan(next.score) ? -INFINITY : next.score;
    if (held < wanted) {
      heap[held] = next;
      sift_up(heap, held++);
    } else if (better(next, heap[0])) {
      heap[0] = next;
      sift_down(heap, held);
    }
  }
  for (int64_t n = 0; n < held; n++) {
    columns[n] = heap[n].column;
  }
  qsort(columns, (size_t)held, sizeof *columns, compare_columns);
}

/* One head's rows into its place of the choice; false without memory. */
static bool choose_head(const bench_attn *attn, int64_t block, int64_t keep, const void *q,
                        const void *k, int64_t head, const bench_list_choice *choice) {
  const int64_t dim = attn->head_dim;
  const int64_t columns = (attn->seq_kv + block - 1) / block;
  const int64_t first = attn->seq_kv - attn->seq_q;
  const int64_t kv_head = head / (attn->heads_q / attn->heads_kv);
  float *row = malloc((size_t)dim * sizeof *row);
  double *q_means = calloc((size_t)(choice->rows * dim), sizeof *q_means);
  double *k_means = calloc((size_t)(columns * dim), sizeof *k_means);
  candidate *heap = malloc((size_t)max64(choice->wanted, 1) * sizeof *heap);
  const bool ready = row != NULL && q_means != NULL && k_means != NULL && heap != NULL;
  if (ready) {
    pool(attn, q, head * attn->seq_q * dim, attn->seq_q, block, row, q_means);
    pool(attn, k, kv_head * attn->seq_kv * dim, attn->seq_kv, block, row, k_means);
  }
  for (int64_t r = 0; ready && r < choice->rows; r++) {
    const bench_span diagonal =
        list_diagonal(first, block, r, min64(block, attn->seq_q - r * block));
    choose_row(q_means + r * dim, k_means, dim, diagonal.begin, wanted_of(diagonal, keep), heap,
               choice->columns + (head * choice->rows + r) * choice->wanted);
  }
  free(row);
  free(q_means);
  free(k_means);
  free(heap);
  return ready;
}

bench_code bench_list_choose(const bench_attn *attn, int64_t block, const void *q, const void *k,
                             bench_list_choice *out, bench_error *error) {
  const int64_t heads = attn->batch * attn->heads_q;
  const int64_t columns = (attn->seq_kv + block - 1) / block;
  int64_t most = attn->mask.keep;
  most = max64(most, max64(attn->part[0].keep, attn->part[1].keep));
  out->rows = (attn->seq_q + block - 1) / block;
  out->wanted = min64(most, columns);
  const size_t entries = (size_t)(heads * out->rows * out->wanted);
  out->columns = malloc(max64((int64_t)entries, 1) * sizeof *out->columns);
  bool failed = out->columns == NULL;
  if (!failed) {
    memset(out->columns, 0xff, entries * sizeof *out->columns); /* -1: no more */
#pragma omp parallel for schedule(dynamic) reduction(|| : failed)
    for (int64_t head = 0; head < heads; head++) {
      const int part = bench_mask_part(&attn->mask, head % attn->heads_q);
      const bench_mask *mask =
          attn->mask.kind == BENCH_MASK_HYBRID ? &attn->part[part] : &attn->mask;
      if (mask->kind == BENCH_MASK_TOPK) {
        failed = !choose_head(attn, block, mask->keep, q, k, head, out) || failed;
      }
    }
  }
  if (failed) {
    free(out->columns);
    out->columns = NULL;
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory to choose blocks");
  }
  return BENCH_OK;
}

bool bench_list_chosen(bench_list_builder *b, const bench_list_choice *choice, int64_t head) {
  for (int64_t row = 0; row < b->list->rows; row++) {
    const int32_t *columns = choice->columns + (head * choice->rows + row) * choice->wanted;
    bench_list_open_row(b);
    for (int64_t n = 0; n < choice->wanted && columns[n] >= 0; n++) {
      if (!bench_list_push(b, row, columns[n])) {
        return false;
      }
    }
    const bench_span diagonal =
        list_diagonal(b->first, b->list->block, row, list_rows_of(b->list, row));
    if (!bench_list_push_range(b, row, diagonal)) {
      return false;
    }
  }
  return true;
}
