/* The core statistics by LSE algebra: two passes of a plain kernel, of which it is asked nothing
 * but O and LSE. Nothing is shared with core.c, so that both are not wrong in the same way. */
#include "stats/lse_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/backend.h"

#define ENTROPY_TOLERANCE 1e-4 /* times 1 + |LSE|: what float logits of that size can carry */
#define SUM_P2_TOLERANCE 1e-3  /* relative */

typedef struct oracle {
  bench_attn attn; /* in fp32 */
  const bench_backend *backend;
  bench_context *context;
  const bench_kernel *kernel;
  void *workspace;
  float *q;    /* [batch][heads_q][seq_q][head_dim] */
  float *k;    /* [batch][heads_kv][seq_kv][head_dim] */
  float *o;    /* as q: the mean key of each row */
  float *o2;   /* as q: that of the doubled logits, which nobody reads */
  float *lse;  /* [batch][heads_q][seq_q] of the logits, */
  float *lse2; /* and of the doubled logits */
} oracle;

static bench_code take(oracle *at, size_t bytes, void *out, bench_error *error) {
  void *memory = NULL;
  bench_code code = at->backend->alloc(at->context, bytes, &memory, error);
  memcpy(out, &memory, sizeof memory);
  return code;
}

static void oracle_close(oracle *at) {
  if (at->context == NULL) {
    return;
  }
  void *const memory[] = {at->workspace, at->q, at->k, at->o, at->o2, at->lse, at->lse2};
  for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
    at->backend->free(at->context, memory[i]);
  }
  at->backend->close(at->context);
}

static bench_code oracle_open(oracle *at, const bench_attn *attn, bench_error *error) {
  *at = (oracle){.attn = *attn, .backend = bench_backend_find("cpu", error)};
  at->attn.dtype = BENCH_FP32;
  if (at->backend == NULL) {
    return BENCH_ERR_UNSUPPORTED;
  }
  bench_code code = at->backend->open(0, 0, &at->context, error);
  if (code != BENCH_OK) {
    return code;
  }
  const char *why_not;
  const bench_device *device = at->backend->device(at->context);
  const bench_kernel_entry *entry =
      bench_backend_kernel(at->backend, "flash", &at->attn, device, &why_not);
  if (entry == NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s", why_not);
  }
  at->kernel = entry->kernel;
  size_t q_bytes = (size_t)bench_attn_q_elements(attn) * sizeof(float);
  size_t k_bytes = (size_t)bench_attn_kv_elements(attn) * sizeof(float);
  size_t lse_bytes = (size_t)bench_attn_rows(attn) * sizeof(float);
  size_t scratch = at->kernel->workspace_bytes(&at->attn, device);
  const struct {
    size_t bytes;
    void *out;
  } wanted[] = {{scratch, &at->workspace}, {q_bytes, &at->q},  {k_bytes, &at->k},
                {q_bytes, &at->o},         {q_bytes, &at->o2}, {lse_bytes, &at->lse},
                {lse_bytes, &at->lse2}};
  for (size_t i = 0; code == BENCH_OK && i < sizeof wanted / sizeof wanted[0]; i++) {
    code = take(at, wanted[i].bytes, wanted[i].out, error);
  }
  return code;
}

static bench_code oracle_run(const oracle *at, const bench_blocklist *list, float *o, float *lse,
                             bench_error *error) {
  const bench_launch launch = {.attn = &at->attn,
                               .blocks = list,
                               .q = at->q,
                               .k = at->k,
                               .v = at->k,
                               .o = o,
                               .lse = lse,
                               .workspace = at->workspace,
                               .threads = at->backend->device(at->context)->threads};
  bench_code code = at->kernel->launch(&launch);
  return code == BENCH_OK ? code : bench_fail(error, code, "the kernel refused to launch");
}

static int64_t visible_keys(const bench_attn *attn, const bench_blocklist *list, int64_t head,
                            int64_t row) {
  int64_t count = 0;
  if (list == NULL) {
    bench_span spans[2];
    int spans_found = bench_mask_spans(attn, row, spans);
    for (int i = 0; i < spans_found; i++) {
      count += spans[i].end - spans[i].begin;
    }
    return count;
  }
  int64_t block_row = bench_blocklist_row(list, head, row);
  for (int64_t b = list->row_begin[block_row]; b < list->row_begin[block_row + 1]; b++) {
    int64_t left = attn->seq_kv - list->column[b] * list->block;
    if (list->tile[b] == BENCH_BLOCK_FULL) {
      count += left < list->block ? left : list->block;
      continue;
    }
    const uint64_t *bits =
        list->tiles + (list->tile[b] * list->block + row % list->block) * list->words;
    for (int64_t w = 0; w < list->words; w++) {
      count += __builtin_popcountll(bits[w]);
    }
  }
  return count;
}

/* Means of one query head over sequences and rows. */
typedef struct head_means {
  double entropy;
  double sum_p2;
  double lse_abs;
} head_means;

static head_means means_of(const oracle *at, const bench_blocklist *list, int64_t head,
                           int64_t row_stride) {
  const bench_attn *attn = &at->attn;
  const double scale = 1 / sqrt((double)attn->head_dim);
  head_means sums = {0};
  int64_t rows = 0;
  for (int64_t batch = 0; batch < attn->batch; batch++) {
    for (int64_t row = 0; row < attn->seq_q; row += row_stride) {
      if (visible_keys(attn, list, batch * attn->heads_q + head, row) < 2) {
        continue;
      }
      int64_t at_row = (batch * attn->heads_q + head) * attn->seq_q + row;
      double dot = 0;
      for (int64_t d = 0; d < attn->head_dim; d++) {
        int64_t element = at_row * attn->head_dim + d;
        dot += 0.5 * (double)at->q[element] * (double)at->o[element]; /* q was doubled */
      }
      double lse = (double)at->lse[at_row];
      sums.entropy += lse - scale * dot;
      sums.sum_p2 += exp((double)at->lse2[at_row] - 2 * lse);
      sums.lse_abs += fabs(lse);
      rows++;
    }
  }
  double n = rows > 0 ? (double)rows : NAN;
  return (head_means){sums.entropy / n, sums.sum_p2 / n, sums.lse_abs / n};
}

static bool compare_head(const head_means *means, const bench_stat_core *core, int64_t head,
                         char reason[256]) {
  if (core->rows == 0) {
    return true;
  }
  double entropy_error = fabs(means->entropy - core->entropy_nats);
  double p2_error = fabs(means->sum_p2 - core->sum_p2);
  if (entropy_error <= ENTROPY_TOLERANCE * (1 + means->lse_abs) &&
      p2_error <= SUM_P2_TOLERANCE * means->sum_p2) {
    return true;
  }
  snprintf(reason, 256,
           "statistics of head %" PRId64
           " disagree with the LSE identities: entropy %.9g against "
           "%.9g, sum_p2 %.9g against %.9g",
           head, core->entropy_nats, means->entropy, core->sum_p2, means->sum_p2);
  return false;
}

bench_code bench_stat_lse_check(const bench_attn *attn, const bench_blocklist *list, const void *q,
                                const void *k, int64_t row_stride, const bench_stat_core *heads,
                                bool *agrees, char reason[256], bench_error *error) {
  oracle at;
  *agrees = true;
  bench_code code = oracle_open(&at, attn, error);
  if (code == BENCH_OK) {
    bench_to_float(attn->dtype, q, at.q, bench_attn_q_elements(attn));
    bench_to_float(attn->dtype, k, at.k, bench_attn_kv_elements(attn));
    code = oracle_run(&at, list, at.o, at.lse, error);
  }
  if (code == BENCH_OK) {
    for (int64_t i = 0; i < bench_attn_q_elements(attn); i++) {
      at.q[i] *= 2;
    }
    code = oracle_run(&at, list, at.o2, at.lse2, error);
  }
  for (int64_t head = 0; code == BENCH_OK && *agrees && head < attn->heads_q; head++) {
    head_means means = means_of(&at, list, head, row_stride);
    *agrees = compare_head(&means, &heads[head], head, reason);
  }
  oracle_close(&at);
  return code;
}
