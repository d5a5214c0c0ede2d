/* The core attention statistics: what one softmax row says about itself, without ever storing it.
 *
 * Per row i, with s_j the scaled logits of its visible keys, p = softmax(s), one pass over tiles of
 * keys keeps, relative to the running maximum m (x = s - m, e = exp(x)):
 *     l = sum e    T = sum e x    Q = sum e^2    D1 = sum e |i-j|    D2 = sum e |i-j|^2
 * and the sums of e over |i-j| < 16, 64, 256, 1024 and over keys 1-3. When a tile raises m to m',
 * with a = exp(m - m') and dm = m - m':
 *     l' = a l    T' = a (T + dm l)    Q' = a^2 Q    and all other sums times a.
 * Key 0 stands apart and is joined at the end as a second partial result, so that the distance
 * without the sink is exact even where the sink takes nearly all the mass. Then
 *     LSE = m + log l       entropy = log l - T/l       entropy_norm = entropy / log(visible keys)
 *     sum_p2 = Q / l^2      p_max = 1 / l               distance = D1 / l
 *     distance_rms = sqrt(D2 / l)                       each mass = its sum / l.
 * The entropy in this form does not feel an offset common to all logits, where LSE - E[s] would
 * lose all its digits to it.
 *
 * Accuracy. The offset is taken off before it can hurt: softmax does not change when one vector is
 * taken off all keys, so K less the mean of up to 512 sampled keys is packed, and q . mean, in
 * double, joins LSE and max_logit again. Logits and e are float; a lane of a vector adds at most 16
 * floats before its sum goes on in double. Against fp64 on the same inputs the entropy is within
 * 1e-5 nats and all else within 1e-5 (relative) up to 128k keys, for logits that spread over some
 * tens of units; harness/tests/unit/stats.c holds that. A mass below exp(-86) of the largest beyond
 * key 0 counts as zero. A spread of hundreds of units is as exact as a float logit can be: 6e-8 of
 * its size.
 *
 * Work is cut into blocks of 96 rows, whatever the number of threads; their sums are joined in
 * order, so the result is the same to the last bit on one thread and on a hundred. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stat.h"
#include "stats/core_rows.h"

#define SHIFT_KEYS 512                   /* keys sampled for the shift */
#define PANELS_BYTES (INT64_C(64) << 20) /* packed keys held at a time, or else one head's */

static const size_t field_offset[STAT_FIELDS] = {
    [STAT_LSE] = offsetof(bench_stat_core, lse),
    [STAT_MAX_LOGIT] = offsetof(bench_stat_core, max_logit),
    [STAT_ENTROPY] = offsetof(bench_stat_core, entropy_nats),
    [STAT_ENTROPY_NORM] = offsetof(bench_stat_core, entropy_norm),
    [STAT_SUM_P2] = offsetof(bench_stat_core, sum_p2),
    [STAT_P_MAX] = offsetof(bench_stat_core, p_max),
    [STAT_DISTANCE] = offsetof(bench_stat_core, distance_tokens),
    [STAT_DISTANCE_NOSINK] = offsetof(bench_stat_core, distance_nosink_tokens),
    [STAT_DISTANCE_RMS] = offsetof(bench_stat_core, distance_rms_tokens),
    [STAT_WINDOW16] = offsetof(bench_stat_core, window16_mass),
    [STAT_WINDOW64] = offsetof(bench_stat_core, window64_mass),
    [STAT_WINDOW256] = offsetof(bench_stat_core, window256_mass),
    [STAT_WINDOW1024] = offsetof(bench_stat_core, window1024_mass),
    [STAT_SINK] = offsetof(bench_stat_core, sink_mass),
    [STAT_SINK4] = offsetof(bench_stat_core, sink4_mass),
};

/* A layer being worked on. Heads of keys are numbered batch entry by batch entry; `held` of them
 * are packed at a time. */
typedef struct layer {
  const bench_attn *attn;
  const bench_blocklist *list;
  const char *q;
  const char *k;
  int64_t row_stride;
  int64_t rows;   /* read of each head */
  int64_t blocks; /* of rows of a head */
  int64_t group;  /* query heads of a head of keys */
  int64_t tiles;  /* of keys */
  int64_t key_heads;
  int64_t held;
  int threads;
  float *panels;          /* [held][tiles * STAT_TILE / STAT_PANEL][head_dim][STAT_PANEL] */
  float *shifts;          /* [held][head_dim] */
  stat_partial *partials; /* [held][group][blocks] */
  float *key_rows;        /* [threads][STAT_PANEL][head_dim] */
  stat_scratch **scratch; /* [threads] */
  int64_t *sequences;     /* [heads_q]: sequences with a row */
  int64_t *sequences_nosink;
} layer;

static double *field(bench_stat_core *core, int f) {
  return (double *)((char *)core + field_offset[f]);
}

static int64_t panel_floats(const layer *l) {
  return l->tiles * STAT_TILE * l->attn->head_dim;
}

static void load_keys(const layer *l, int64_t head, int64_t key, int64_t count, float *to) {
  const int64_t dim = l->attn->head_dim;
  const int64_t at = (head * l->attn->seq_kv + key) * dim;
  bench_to_float(l->attn->dtype, l->k + (size_t)at * bench_dtype_bytes(l->attn->dtype), to,
                 count * dim);
}

/* The mean of evenly spaced keys; any vector would do, so a sample is enough. */
static void make_shift(const layer *l, int64_t head, float *row, float *shift) {
  const int64_t dim = l->attn->head_dim;
  const int64_t count = l->attn->seq_kv < SHIFT_KEYS ? l->attn->seq_kv : SHIFT_KEYS;
  double sum[512] = {0}; /* the largest head_dim */
  for (int64_t n = 0; n < count; n++) {
    load_keys(l, head, n * l->attn->seq_kv / count, 1, row);
    for (int64_t c = 0; c < dim; c++) {
      sum[c] += row[c];
    }
  }
  for (int64_t c = 0; c < dim; c++) {
    shift[c] = (float)(sum[c] / (double)count);
  }
}

/* Packs one tile of keys; keys past the last are zero. */
static void pack_tile(const layer *l, int64_t head, int64_t tile, const float *shift, float *rows,
                      float *panels) {
  const int64_t dim = l->attn->head_dim;
  for (int64_t key = tile * STAT_TILE; key < (tile + 1) * STAT_TILE; key += STAT_PANEL) {
    float *panel = panels + key * dim;
    int64_t count = l->attn->seq_kv - key;
    count = count < 0 ? 0 : count < STAT_PANEL ? count : STAT_PANEL;
    load_keys(l, head, count > 0 ? key : 0, count, rows);
    for (int64_t c = 0; c < dim; c++) {
      for (int64_t n = 0; n < STAT_PANEL; n++) {
        panel[c * STAT_PANEL + n] = n < count ? rows[n * dim + c] - shift[c] : 0.0f;
      }
    }
  }
}

static void pack(const layer *l, int64_t first, int64_t held) {
  const int64_t dim = l->attn->head_dim;
#pragma omp parallel num_threads(l->threads)
  {
    float *rows = l->key_rows + omp_get_thread_num() * STAT_PANEL * dim;
#pragma omp for schedule(static)
    for (int64_t n = 0; n < held; n++) {
      make_shift(l, first + n, rows, l->shifts + n * dim);
    }
#pragma omp for schedule(static)
    for (int64_t at = 0; at < held * l->tiles; at++) {
      const int64_t n = at / l->tiles;
      pack_tile(l, first + n, at % l->tiles, l->shifts + n * dim, rows,
                l->panels + n * panel_floats(l));
    }
  }
}

static void run_blocks(const layer *l, int64_t first, int64_t held) {
  const bench_attn *attn = l->attn;
  const int64_t tasks = held * l->group * l->blocks;
  const size_t head_bytes = (size_t)(attn->seq_q * attn->head_dim) * bench_dtype_bytes(attn->dtype);
#pragma omp parallel for num_threads(l->threads) schedule(dynamic)
  for (int64_t task = 0; task < tasks; task++) {
    /* Late blocks of a causal mask are the long ones: they go first. */
    const int64_t block = l->blocks - 1 - task / (held * l->group);
    const int64_t n = task % (held * l->group);
    const int64_t key_head = n / l->group;
    const stat_head head = {.attn = attn,
                            .list = l->list,
                            .index = first * l->group + n,
                            .loops = bench_stat_loops(),
                            .q = l->q + (size_t)(first * l->group + n) * head_bytes,
                            .panels = l->panels + key_head * panel_floats(l),
                            .shift = l->shifts + key_head * attn->head_dim,
                            .row_stride = l->row_stride};
    const int64_t begin = block * STAT_BLOCK;
    const int64_t count = l->rows - begin < STAT_BLOCK ? l->rows - begin : STAT_BLOCK;
    bench_stat_rows(&head, begin, count, l->scratch[omp_get_thread_num()],
                    &l->partials[n * l->blocks + block]);
  }
}

/* Adds the means over the rows of one sequence and query head to the head's entry. */
static void add_sequence(const layer *l, const stat_partial *partials, int64_t head,
                         bench_stat_core *out) {
  stat_partial all = {.sum[STAT_MAX_LOGIT] = -INFINITY};
  for (int64_t block = 0; block < l->blocks; block++) {
    const stat_partial *part = &partials[block];
    all.rows += part->rows;
    all.nosink_rows += part->nosink_rows;
    for (int f = 0; f < STAT_FIELDS; f++) {
      all.sum[f] = f == STAT_MAX_LOGIT ? fmax(all.sum[f], part->sum[f]) : all.sum[f] + part->sum[f];
    }
  }
  if (all.rows == 0) {
    return;
  }
  out->rows += all.rows;
  l->sequences[head]++;
  l->sequences_nosink[head] += all.nosink_rows > 0;
  for (int f = 0; f < STAT_FIELDS; f++) {
    double *to = field(out, f);
    if (f == STAT_MAX_LOGIT) {
      *to = fmax(*to, all.sum[f]);
    } else if (f != STAT_DISTANCE_NOSINK) {
      *to += all.sum[f] / (double)all.rows;
    } else if (all.nosink_rows > 0) {
      *to += all.sum[f] / (double)all.nosink_rows;
    }
  }
}

static void run_layer(const layer *l, bench_stat_core *out) {
  const int64_t heads = l->attn->heads_q;
  for (int64_t h = 0; h < heads; h++) {
    out[h] = (bench_stat_core){.max_logit = -INFINITY};
  }
  for (int64_t first = 0; first < l->key_heads; first += l->held) {
    const int64_t left = l->key_heads - first;
    const int64_t held = left < l->held ? left : l->held;
    pack(l, first, held);
    run_blocks(l, first, held);
    for (int64_t n = 0; n < held * l->group; n++) {
      const int64_t h = (first * l->group + n) % heads;
      add_sequence(l, l->partials + n * l->blocks, h, &out[h]);
    }
  }
  for (int64_t h = 0; h < heads; h++) {
    for (int f = 0; f < STAT_FIELDS; f++) {
      double *value = field(&out[h], f);
      const int64_t count = f == STAT_DISTANCE_NOSINK ? l->sequences_nosink[h] : l->sequences[h];
      if (count == 0) {
        *value = NAN;
      } else if (f != STAT_MAX_LOGIT) {
        *value /= (double)count;
      }
    }
  }
}

static void layer_free(layer *l) {
  for (int t = 0; l->scratch != NULL && t < l->threads; t++) {
    bench_stat_scratch_delete(l->scratch[t]);
  }
  free(l->panels);
  free(l->shifts);
  free(l->partials);
  free(l->key_rows);
  free(l->scratch);
  free(l->sequences);
  free(l->sequences_nosink);
}

/* False without memory; the caller frees either way. */
static bool layer_init(layer *l, const bench_attn *attn, int64_t row_stride) {
  const int64_t dim = attn->head_dim;
  l->rows = (attn->seq_q + row_stride - 1) / row_stride;
  l->blocks = (l->rows + STAT_BLOCK - 1) / STAT_BLOCK;
  l->group = attn->heads_q / attn->heads_kv;
  l->tiles = (attn->seq_kv + STAT_TILE - 1) / STAT_TILE;
  l->key_heads = attn->batch * attn->heads_kv;
  const int64_t head_bytes = panel_floats(l) * (int64_t)sizeof(float);
  l->held = PANELS_BYTES / head_bytes;
  l->held = l->held < 1 ? 1 : l->held < l->key_heads ? l->held : l->key_heads;
  l->threads = omp_get_max_threads();
  l->panels = aligned_alloc(64, (size_t)(l->held * head_bytes));
  l->shifts = malloc((size_t)(l->held * dim) * sizeof *l->shifts);
  l->partials = malloc((size_t)(l->held * l->group * l->blocks) * sizeof *l->partials);
  l->key_rows = malloc((size_t)(l->threads * STAT_PANEL * dim) * sizeof *l->key_rows);
  l->scratch = calloc((size_t)l->threads, sizeof *l->scratch);
  l->sequences = calloc((size_t)attn->heads_q, sizeof *l->sequences);
  l->sequences_nosink = calloc((size_t)attn->heads_q, sizeof *l->sequences_nosink);
  bool complete = l->panels != NULL && l->shifts != NULL && l->partials != NULL &&
                  l->key_rows != NULL && l->scratch != NULL && l->sequences != NULL &&
                  l->sequences_nosink != NULL;
  for (int t = 0; complete && t < l->threads; t++) {
    l->scratch[t] = bench_stat_scratch_new(dim);
    complete = l->scratch[t] != NULL;
  }
  return complete;
}

bench_code bench_stat_core_layer(const bench_attn *attn, const bench_blocklist *list, const void *q,
                                 const void *k, int64_t row_stride, bench_stat_core *out,
                                 bench_error *error) {
  if (row_stride < 1) {
    return bench_fail(error, BENCH_ERR_USAGE, "the row stride of the statistics must be positive");
  }
  if (list == NULL && !bench_mask_is_simple(&attn->mask)) {
    return bench_fail(error, BENCH_ERR_USAGE, "the statistics of this mask need its block list");
  }
  layer l = {.attn = attn, .list = list, .q = q, .k = k, .row_stride = row_stride};
  const bool complete = layer_init(&l, attn, row_stride);
  if (complete) {
    run_layer(&l, out);
  }
  layer_free(&l);
  return complete ? BENCH_OK
                  : bench_fail(error, BENCH_ERR_NOMEM, "no memory for the attention statistics");
}

void bench_stat_core_mean(const bench_stat_core *entries, int64_t count, bench_stat_core *out) {
  bench_stat_core mean = {.rows = 0};
  for (int64_t n = 0; n < count; n++) {
    mean.rows += entries[n].rows;
  }
  for (int f = 0; f < STAT_FIELDS; f++) {
    double sum = 0.0;
    double max = -INFINITY;
    int64_t finite = 0;
    for (int64_t n = 0; n < count; n++) {
      bench_stat_core entry = entries[n];
      const double value = *field(&entry, f);
      if (isfinite(value)) {
        sum += value;
        max = fmax(max, value);
        finite++;
      }
    }
    const double value = f == STAT_MAX_LOGIT ? max : sum / (double)finite;
    *field(&mean, f) = finite > 0 ? value : NAN;
  }
  *out = mean;
}
