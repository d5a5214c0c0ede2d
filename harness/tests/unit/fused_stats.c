/* The statistics that a kernel of flash or sparse makes in its own pass (CUDA kernels are executed
 * on the host): each row against the definitions in double, their means against harness/stats, and
 * O and LSE against the same launch without them, bit by bit. */
#include "cuda_host.h"
#include "stats_reference.h"

extern const bench_kernel TESTED_KERNEL; /* one program for each variant */
static const bench_kernel *const kernel = &TESTED_KERNEL;
static bench_device device = {.cc = 90, .threads = 2};
static int checked; /* problems so far, of those that the kernel takes */

/* A problem's Q and K, and what launches made of them. */
typedef struct fused {
  reference_layer layer;
  tensors plain; /* without statistics */
  tensors with;
  float *stats;
} fused;

static void launch(const fused *f, tensors *t, float *stats) {
  const size_t bytes =
      kernel->workspace_bytes == NULL ? 0 : kernel->workspace_bytes(&f->layer.attn, &device);
  void *workspace = allocate((int64_t)bytes, 1);
  bench_blocklist list = {0};
  const bench_blocklist *blocks = f->layer.list.row_begin != NULL ? &f->layer.list : NULL;
  if (blocks == NULL && kernel->wants_blocks) {
    assert_int_equal(
        bench_blocklist_build(&f->layer.attn, kernel->block, f->layer.q, f->layer.k, &list, NULL),
        BENCH_OK);
    blocks = &list;
  }
  const bench_launch made = {.attn = &f->layer.attn,
                             .blocks = blocks,
                             .q = f->layer.q,
                             .k = f->layer.k,
                             .v = t->v,
                             .o = t->o,
                             .lse = t->lse,
                             .stats = stats,
                             .workspace = workspace,
                             .threads = device.threads,
                             .device = &device};
  assert_int_equal(kernel->launch(&made), BENCH_OK);
  bench_blocklist_free(&list);
  free(workspace);
}

/* `sink`: key 0 is so many times as long. */
static fused fused_make(const bench_attn *attn, float sink) {
  fused f = {.layer = reference_make(attn)};
  for (int64_t h = 0; h < attn->batch * attn->heads_kv; h++) {
    for (int64_t c = 0; c < attn->head_dim; c++) {
      f.layer.k_float[h * attn->seq_kv * attn->head_dim + c] *= sink;
    }
  }
  reference_store(&f.layer);
  f.plain = make_tensors(attn);
  f.with = make_tensors(attn);
  const int64_t values = bench_attn_rows(attn) * BENCH_FUSED_STATS;
  f.stats = allocate(values, sizeof *f.stats);
  launch(&f, &f.plain, NULL);
  launch(&f, &f.with, f.stats);
  return f;
}

static void fused_free(fused *f) {
  free_tensors(&f->plain);
  free_tensors(&f->with);
  free(f->stats);
  reference_free(&f->layer);
}

static void assert_same_output(const fused *f) {
  const bench_attn *attn = &f->layer.attn;
  const size_t bytes = (size_t)bench_attn_q_elements(attn) * bench_dtype_bytes(f->layer.attn.dtype);
  assert_memory_equal(f->plain.o, f->with.o, bytes);
  assert_memory_equal(f->plain.lse, f->with.lse, (size_t)bench_attn_rows(attn) * sizeof(float));
}

/* Masses are shares of one; a distance feels an error of the weights times its own reach. */
static void assert_row_stats(const float *got, const bench_stat_core *row, int64_t nosink_rows) {
  const struct {
    const char *name;
    double wanted;
    double floor;
  } values[BENCH_FUSED_STATS] = {
      [BENCH_FUSED_LSE] = {"lse", row->lse, 1},
      [BENCH_FUSED_MAX_LOGIT] = {"max_logit", row->max_logit, 1},
      [BENCH_FUSED_ENTROPY] = {"entropy", row->entropy_nats, 1},
      [BENCH_FUSED_SUM_P2] = {"sum_p2", row->sum_p2, 0},
      [BENCH_FUSED_P_MAX] = {"p_max", row->p_max, 0},
      [BENCH_FUSED_DISTANCE] = {"distance", row->distance_tokens, 0.1},
      [BENCH_FUSED_DISTANCE_NOSINK] = {"distance_nosink",
                                       nosink_rows > 0 ? row->distance_nosink_tokens : NAN, 0.1},
      [BENCH_FUSED_DISTANCE_RMS] = {"distance_rms", row->distance_rms_tokens, 0.1},
      [BENCH_FUSED_WINDOW16] = {"window16", row->window16_mass, 1e-3},
      [BENCH_FUSED_WINDOW64] = {"window64", row->window64_mass, 1e-3},
      [BENCH_FUSED_WINDOW256] = {"window256", row->window256_mass, 1e-3},
      [BENCH_FUSED_WINDOW1024] = {"window1024", row->window1024_mass, 1e-3},
      [BENCH_FUSED_SINK] = {"sink", row->sink_mass, 1e-3},
      [BENCH_FUSED_SINK4] = {"sink4", row->sink4_mass, 1e-3},
  };
  for (int n = 0; n < BENCH_FUSED_STATS; n++) {
    check_value(values[n].name, (double)got[n], values[n].wanted, values[n].floor);
  }
}

static void assert_rows(const fused *f) {
  const bench_attn *attn = &f->layer.attn;
  double *s = allocate(attn->seq_kv, sizeof *s);
  for (int64_t index = 0; index < bench_attn_rows(attn); index++) {
    const float *got = f->stats + index * BENCH_FUSED_STATS;
    const int64_t row = index % attn->seq_q;
    const int64_t head = index / attn->seq_q % attn->heads_q;
    const int64_t visible =
        reference_logits(&f->layer, index / attn->seq_q / attn->heads_q, head, row, s);
    if (visible == 0) {
      for (int n = 0; n < BENCH_FUSED_STATS; n++) {
        assert_true(n <= BENCH_FUSED_MAX_LOGIT ? got[n] == -INFINITY : got[n] == 0);
      }
      continue;
    }
    bench_stat_core wanted = {.max_logit = -INFINITY};
    int64_t nosink_rows = 0;
    reference_row(s, attn->seq_kv, row + attn->seq_kv - attn->seq_q, visible, &wanted,
                  &nosink_rows);
    assert_row_stats(got, &wanted, nosink_rows);
  }
  free(s);
}

/* The means over rows with two visible keys or more, as the harness takes them from Q and K. */
static void assert_means(const fused *f) {
  const bench_attn *attn = &f->layer.attn;
  bench_stat_core *heads = measure(&f->layer, 1);
  double *s = allocate(attn->seq_kv, sizeof *s);
  for (int64_t h = 0; h < attn->heads_q; h++) {
    double entropy = 0;
    double distance = 0;
    double window = 0;
    int64_t rows = 0;
    for (int64_t b = 0; b < attn->batch; b++) {
      for (int64_t r = 0; r < attn->seq_q; r++) {
        if (reference_logits(&f->layer, b, h, r, s) >= 2) {
          const float *got =
              f->stats + ((b * attn->heads_q + h) * attn->seq_q + r) * BENCH_FUSED_STATS;
          entropy += (double)got[BENCH_FUSED_ENTROPY];
          distance += (double)got[BENCH_FUSED_DISTANCE];
          window += (double)got[BENCH_FUSED_WINDOW64];
          rows++;
        }
      }
    }
    assert_int_equal(heads[h].rows, rows);
    check_value("mean entropy", entropy / (double)rows, heads[h].entropy_nats, 1);
    check_value("mean distance", distance / (double)rows, heads[h].distance_tokens, 0.1);
    check_value("mean window64", window / (double)rows, heads[h].window64_mass, 1e-3);
  }
  free(s);
  free(heads);
}

static void check_fused(bench_attn attn, float sink) {
  if (kernel->why_not(&attn, &device) != NULL) {
    return;
  }
  checked++;
  fused f = fused_make(&attn, sink);
  assert_same_output(&f);
  assert_rows(&f);
  assert_means(&f);
  fused_free(&f);
}

static void every_mask(void **state) {
  (void)state;
  static const char *const masks[] = {"full",
                                      "causal",
                                      "window:30",
                                      "window:70:both",
                                      "sink:5+window:40",
                                      "block:density=0.5:size=16",
                                      "block:density=0.4:size=64",
                                      "strided:7",
                                      "topk:blocks=2:size=32",
                                      "hybrid:causal/window:24@heads=1-1"};
  for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
    check_fused(problem(masks[i], 1, 2, 1, 64, 150, 211, i % 2 == 0 ? BENCH_BF16 : BENCH_FP16), 1);
  }
}

static void every_head_dim(void **state) {
  (void)state;
  static const int64_t dims[] = {32, 40, 64, 96, 128, 192, 256};
  for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
    check_fused(problem("causal", 2, 4, 2, dims[i], 140, 200, BENCH_BF16), 1);
    check_fused(problem("full", 1, 1, 1, dims[i], 33, 97, BENCH_FP16), 1);
  }
}

/* Windows that end within a tile, beyond the widest one, and keys ahead of the row. */
static void long_rows(void **state) {
  (void)state;
  check_fused(problem("causal", 1, 1, 1, 32, 20, 1300, BENCH_BF16), 1);
  check_fused(problem("full", 1, 1, 1, 32, 150, 1250, BENCH_BF16), 1);
}

/* Rows that see nothing, or one key. */
static void rows_without_keys(void **state) {
  (void)state;
  check_fused(problem("causal", 1, 1, 1, 64, 90, 40, BENCH_BF16), 1);
  check_fused(problem("window:1", 1, 1, 1, 64, 70, 70, BENCH_BF16), 1);
}

/* A sink that takes nearly everything from half of the rows, and leaves the rest nearly nothing. */
static void a_heavy_sink(void **state) {
  (void)state;
  check_fused(problem("causal", 1, 2, 1, 64, 140, 140, BENCH_BF16), 6);
  check_fused(problem("full", 1, 1, 1, 128, 64, 200, BENCH_FP16), 8);
}

/* As in decoding, where keys may be taken in parts, and heads share them. */
static void few_rows(void **state) {
  (void)state;
  check_fused(problem("causal", 1, 4, 2, 32, 2, 5000, BENCH_BF16), 1);
  check_fused(problem("window:1200", 1, 6, 1, 32, 5, 1500, BENCH_FP16), 1);
}

/* A kernel may refuse some masks, but not so many. */
static void most_are_taken(void **state) {
  (void)state;
  assert_true(checked >= 27);
}

int main(void) {
#ifdef __x86_64__
  device.has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_mask),     cmocka_unit_test(every_head_dim),
      cmocka_unit_test(long_rows),      cmocka_unit_test(rows_without_keys),
      cmocka_unit_test(a_heavy_sink),   cmocka_unit_test(few_rows),
      cmocka_unit_test(most_are_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
