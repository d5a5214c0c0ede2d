/* The core statistics of a block of rows: one pass over K, tile by tile, then the formulas. The
 * recurrences and their accuracy are in the head comment of core.c. */
#include "stats/core_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats/core_view.h"

#define GROUPS (STAT_BLOCK / STAT_ROWS)
#define WINDOWS 4

static const int64_t window_tokens[WINDOWS] = {16, 64, 256, 1024};

/* The running sums of one row over its keys but key 0, relative to the running maximum. */
typedef struct row_state {
  float max; /* -inf before the first key */
  float key0;
  bool sees_key0;
  double l;    /* sum of e */
  double t;    /* sum of e x */
  double p2;   /* sum of e^2 */
  double d1;   /* sum of e |i - j| */
  double d2;   /* sum of e |i - j|^2 */
  double head; /* sum of e over keys 1-3 */
  double window[WINDOWS];
} row_state;

struct stat_scratch {
  stat_view views[STAT_BLOCK];
  row_state states[STAT_BLOCK];
  double offsets[STAT_BLOCK]; /* of the logits, taken off with the shift of K */
  int64_t next[GROUPS];       /* least `next` of the views of a group of STAT_ROWS rows */
  float *q;                   /* [GROUPS][head_dim][STAT_ROWS], scaled */
  float *row;                 /* [head_dim] */
  _Alignas(64) float s[STAT_ROWS * STAT_TILE];
};

stat_scratch *bench_stat_scratch_new(int64_t head_dim) {
  stat_scratch *scratch = aligned_alloc(64, (sizeof *scratch + 63) / 64 * 64);
  float *q = malloc((size_t)(head_dim * (STAT_BLOCK + 1)) * sizeof *q);
  if (scratch == NULL || q == NULL) {
    free(scratch);
    free(q);
    return NULL;
  }
  scratch->q = q;
  scratch->row = q + head_dim * STAT_BLOCK;
  return scratch;
}

void bench_stat_scratch_delete(stat_scratch *scratch) {
  if (scratch != NULL) {
    free(scratch->q);
    free(scratch);
  }
}

static int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int rows_of_group(int64_t count, int64_t group) {
  return (int)min64(STAT_ROWS, count - group * STAT_ROWS);
}

static void load_rows(const stat_head *head, int64_t first, int64_t count, stat_scratch *scratch) {
  const bench_attn *attn = head->attn;
  const int64_t dim = attn->head_dim;
  const double scale = 1.0 / sqrt((double)dim);
  const char *q = head->q;
  memset(scratch->q, 0, (size_t)(dim * STAT_BLOCK) * sizeof *scratch->q);
  for (int64_t r = 0; r < count; r++) {
    const int64_t row = (first + r) * head->row_stride;
    bench_to_float(attn->dtype, q + (size_t)(row * dim) * bench_dtype_bytes(attn->dtype),
                   scratch->row, dim);
    float *to = scratch->q + r / STAT_ROWS * dim * STAT_ROWS + r % STAT_ROWS;
    double offset = 0.0;
    for (int64_t c = 0; c < dim; c++) {
      to[c * STAT_ROWS] = (float)(scratch->row[c] * scale);
      offset += (double)scratch->row[c] * head->shift[c];
    }
    scratch->offsets[r] = offset * scale;
    bench_stat_view_init(&scratch->views[r], attn, head->list, head->index, row);
    scratch->states[r] = (row_state){.max = -INFINITY};
  }
}

/* Takes the sums so far to a larger maximum (statistics of the tile before it are added). */
static void raise_max(row_state *state, float max) {
  if (state->l > 0.0) {
    const double dm = (double)state->max - max;
    const double a = exp(dm);
    state->t = a * (state->t + dm * state->l);
    state->l *= a;
    state->p2 *= a * a;
    state->d1 *= a;
    state->d2 *= a;
    state->head *= a;
    for (int w = 0; w < WINDOWS; w++) {
      state->window[w] *= a;
    }
  }
  state->max = max;
}

/* Adds e of the keys with |i - j| < W; `s` begins at key `begin` and `total` is its sum. */
static void add_windows(const stat_loops *loops, row_state *state, int64_t position, int64_t begin,
                        int keys, const float *s, double total) {
  for (int w = WINDOWS - 1; w >= 0; w--) {
    const int64_t low = position - window_tokens[w] + 1 - begin;
    const int64_t high = position + window_tokens[w] - begin;
    if (low >= keys || high <= 0) {
      return; /* the narrower windows do not reach the tile either */
    }
    if (low <= 0 && high >= keys) {
      state->window[w] += total;
    } else {
      state->window[w] += loops->add(s, low > 0 ? (int)low : 0, high < keys ? (int)high : keys);
    }
  }
}

/* One row of a tile; `s` holds its logits from key `begin` on. */
static void add_tile(const stat_loops *loops, row_state *state, const stat_view *view,
                     int64_t begin, int keys, float *s) {
  bench_stat_view_hide(view, begin, begin + keys, s);
  if (begin == 0 && s[0] != STAT_HIDDEN) {
    state->sees_key0 = true;
    state->key0 = s[0];
    s[0] = STAT_HIDDEN;
  }
  const float max = loops->max(s, keys);
  if (max == STAT_HIDDEN) {
    return;
  }
  if (max > state->max) {
    raise_max(state, max);
  }
  stat_sums sums;
  loops->sums(s, keys, state->max, (float)(view->position - begin), &sums);
  state->l += sums.e;
  state->t += sums.ex;
  state->p2 += sums.ee;
  state->d1 += sums.ed;
  state->d2 += sums.edd;
  if (begin == 0) {
    state->head += (double)s[1] + s[2] + s[3];
  }
  add_windows(loops, state, view->position, begin, keys, s, sums.e);
}

/* The keys [low, high) are those of one tile that some row of the group may see. */
static void add_group(const stat_head *head, int64_t group, int rows, int64_t tile_end,
                      stat_scratch *scratch) {
  const int64_t dim = head->attn->head_dim;
  stat_view *views = scratch->views + group * STAT_ROWS;
  int64_t high = 0;
  for (int r = 0; r < rows; r++) {
    const int64_t reach = bench_stat_view_reach(&views[r], tile_end);
    high = reach > high ? reach : high;
  }
  const int64_t low = scratch->next[group] / STAT_PANEL * STAT_PANEL;
  const int keys = (int)((high - low + STAT_PANEL - 1) / STAT_PANEL * STAT_PANEL);
  head->loops->logits(scratch->q + group * dim * STAT_ROWS, head->panels + low * dim, dim, rows,
                      keys, scratch->s);
  int64_t next = STAT_VIEW_END;
  for (int r = 0; r < rows; r++) {
    if (views[r].next < high) {
      add_tile(head->loops, &scratch->states[group * STAT_ROWS + r], &views[r], low, keys,
               scratch->s + r * STAT_TILE);
    }
    bench_stat_view_advance(&views[r], tile_end);
    next = min64(next, views[r].next);
  }
  scratch->next[group] = next;
}

static void pass_over_keys(const stat_head *head, int64_t count, stat_scratch *scratch) {
  const int64_t groups = (count + STAT_ROWS - 1) / STAT_ROWS;
  for (int64_t g = 0; g < groups; g++) {
    scratch->next[g] = STAT_VIEW_END;
    for (int r = 0; r < rows_of_group(count, g); r++) {
      scratch->next[g] = min64(scratch->next[g], scratch->views[g * STAT_ROWS + r].next);
    }
  }
  for (;;) {
    int64_t next = STAT_VIEW_END;
    for (int64_t g = 0; g < groups; g++) {
      next = min64(next, scratch->next[g]);
    }
    if (next == STAT_VIEW_END) {
      return;
    }
    const int64_t tile_end = (next / STAT_TILE + 1) * STAT_TILE;
    for (int64_t g = 0; g < groups; g++) {
      if (scratch->next[g] < tile_end) {
        add_group(head, g, rows_of_group(count, g), tile_end, scratch);
      }
    }
  }
}

/* Joins the sums with key 0 by the merge of two partial results, and adds the row's values. */
static void finish_row(const row_state *state, const stat_view *view, double offset,
                       stat_partial *out) {
  const double i = fabs((double)view->position);
  const double max = state->sees_key0 ? fmax(state->max, state->key0) : state->max;
  const double dm = state->max - max;
  const double a = exp(dm);
  const double x0 = state->key0 - max;
  const double e0 = state->sees_key0 ? exp(x0) : 0.0;
  const double rest = a * state->l;
  const double l = rest + e0;
  const double t = a * (state->t + dm * state->l) + (e0 > 0.0 ? e0 * x0 : 0.0);
  const double entropy = log(l) - t / l;
  double *sum = out->sum;
  out->rows++;
  sum[STAT_LSE] += max + log(l) + offset;
  sum[STAT_MAX_LOGIT] = fmax(sum[STAT_MAX_LOGIT], max + offset);
  sum[STAT_ENTROPY] += entropy;
  sum[STAT_ENTROPY_NORM] += entropy / log((double)view->keys);
  sum[STAT_SUM_P2] += (a * a * state->p2 + e0 * e0) / (l * l);
  sum[STAT_P_MAX] += 1.0 / l;
  sum[STAT_DISTANCE] += (a * state->d1 + e0 * i) / l;
  sum[STAT_DISTANCE_RMS] += sqrt((a * state->d2 + e0 * i * i) / l);
  if (rest > 0.0) {
    out->nosink_rows++;
    sum[STAT_DISTANCE_NOSINK] += state->d1 / state->l;
  }
  for (int w = 0; w < WINDOWS; w++) {
    const double key0 = i < (double)window_tokens[w] ? e0 : 0.0;
    sum[STAT_WINDOW16 + w] += (a * state->window[w] + key0) / l;
  }
  sum[STAT_SINK] += e0 / l;
  sum[STAT_SINK4] += (a * state->head + e0) / l;
}

void bench_stat_rows(const stat_head *head, int64_t first, int64_t count, stat_scratch *scratch,
                     stat_partial *out) {
  *out = (stat_partial){.sum[STAT_MAX_LOGIT] = -INFINITY};
  load_rows(head, first, count, scratch);
  pass_over_keys(head, count, scratch);
  for (int64_t r = 0; r < count; r++) {
    if (scratch->views[r].keys >= 2) {
      finish_row(&scratch->states[r], &scratch->views[r], scratch->offsets[r], out);
    }
  }
}
