/* Scope block from the inputs to its output on the CPU backend: equal to the same block in double,
 * its verdict right when it is and wrong for a fault planted in any projection, with memory apart
 * from the host's too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/input.h"
#include "bench/plan.h"
#include "src/work.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What goes wrong in a product, and in whose. */
typedef enum fault_kind {
  FAULT_NONE,
  FAULT_SCALED,  /* by 2^-6 too much */
  FAULT_SHORT,   /* the last term, or head, is left out */
  FAULT_ROW,     /* the last row is not written */
  FAULT_SHIFTED, /* the weights of the next column */
  FAULT_COUNT
} fault_kind;
enum { QUERY, KEY, VALUE, OUTPUT, PROJECTIONS };
static const char *const names[] = {"query", "key", "value", "output"};

static const bench_backend *cpu;
static fault_kind fault;
static int faulty; /* projection */

static bench_code faulty_gemm(bench_context *context, const bench_gemm *gemm, bench_error *error);

/* The cpu backend with the fault; `apart`: as if its memory were not the host's. */
static const bench_backend *backend_of(bool apart) {
  static bench_backend backends[2];
  backends[apart] = *cpu;
  backends[apart].host_memory = !apart;
  backends[apart].gemm = faulty_gemm;
  return &backends[apart];
}

static const bench_work *at_work; /* whose projections can be told by their weights */

static int projection_of(const bench_gemm *gemm) {
  for (int64_t l = 0; at_work != NULL && l < at_work->layers_distinct; l++) {
    const bench_block *block = &at_work->layers[l].block;
    const void *weights[] = {block->wq, block->wk, block->wv, block->wo};
    for (int n = 0; n < PROJECTIONS; n++) {
      if (gemm->b == weights[n]) {
        return n;
      }
    }
  }
  return -1; /* while the work is opened */
}

static bench_code faulty_gemm(bench_context *context, const bench_gemm *gemm, bench_error *error) {
  bench_gemm changed = *gemm;
  if (projection_of(gemm) == faulty) {
    if (fault == FAULT_SCALED) {
      changed.alpha *= 1.0f + 0x1p-6f;
    } else if (fault == FAULT_SHORT && gemm->pieces > 1) {
      changed.pieces--;
    } else if (fault == FAULT_SHORT) {
      changed.k--;
    } else if (fault == FAULT_ROW) {
      changed.m--;
    } else if (fault == FAULT_SHIFTED) {
      changed.n--;
      changed.b = (const char *)gemm->b + bench_dtype_bytes(gemm->dtype);
    }
  }
  return changed.m == 0 ? BENCH_OK : cpu->gemm(context, &changed, error);
}

static bench_attn problem(int64_t batch, int64_t seq_q, int64_t seq_kv, bench_dtype dtype) {
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = 3;
  attn.batch = batch;
  attn.heads_q = 6;
  attn.heads_kv = 2;
  attn.head_dim = 8;
  attn.d_model = 40;
  attn.scope = BENCH_SCOPE_BLOCK;
  attn.seq_q = seq_q;
  attn.seq_kv = seq_kv;
  attn.dtype = dtype;
  attn.seed = 3;
  attn.mask.kind = BENCH_MASK_CAUSAL;
  return attn;
}

/* Square, behind a cache, decoding, and more sequences than tokens. */
static const int64_t shapes[][3] = {{2, 9, 9}, {2, 5, 12}, {1, 1, 20}, {4, 1, 20}, {5, 3, 7}};

typedef struct session {
  const bench_backend *backend;
  bench_context *context;
  bench_work work;
  const bench_kernel *kernel;
  void *workspace;
  size_t workspace_bytes;
} session;

static void open_work(session *s, const bench_attn *attn, bool apart) {
  bench_error error = {.message = ""};
  const char *why_not = NULL;
  fault = FAULT_NONE;
  *s = (session){.backend = backend_of(apart)};
  assert_int_equal(s->backend->open(0, 2, &s->context, &error), BENCH_OK);
  const bench_work_request request = {
      .id = bench_attn_id(attn), .attn = *attn, .layers_distinct = 2};
  if (bench_work_open(s->backend, s->context, &request, &s->work, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  const bench_device *device = s->backend->device(s->context);
  /* In double, so that what is found is the projections': in float, with Q, K and V as each BLAS
   * rounds them, one in some hundred of so small problems is beyond the bound of its few rows. */
  s->kernel = bench_backend_kernel(s->backend, "reference", attn, device, &why_not)->kernel;
  s->workspace_bytes = bench_kernel_workspace_bytes(s->kernel, attn, device);
  assert_int_equal(bench_work_blocks(&s->work, s->kernel, &error), BENCH_OK);
  assert_int_equal(
      bench_guarded_alloc(s->backend, s->context, s->workspace_bytes, &s->workspace, &error),
      BENCH_OK);
  at_work = &s->work;
}

static void close_work(session *s) {
  at_work = NULL;
  bench_guarded_free(s->backend, s->context, s->workspace);
  bench_work_close(&s->work);
  s->backend->close(s->context);
}

static bench_verdict verdict_of(session *s) {
  bench_verdict verdict;
  bench_error error = {.message = ""};
  if (bench_verify(&s->work, s->kernel, s->workspace, s->workspace_bytes, true, &verdict, &error) !=
      BENCH_OK) {
    fail_msg("%s", error.message);
  }
  return verdict;
}

/* Element of a generated tensor, as it is stored. */
static double stored(const bench_attn *attn, int64_t layer, bench_tensor tensor, double scale,
                     int64_t element) {
  const float value = bench_input_element(BENCH_INPUT_NORMAL, attn->seed, layer, tensor, element);
  return (double)bench_round_to(attn->dtype, value * (float)scale);
}

/* Q, K or V of one token and head in double, rounded to the dtype as it is when it is stored. */
static void project(const bench_attn *attn, int64_t layer, bench_tensor weights, int64_t heads,
                    int64_t token, int64_t head, double *to) {
  const double scale = 1 / sqrt((double)attn->d_model);
  for (int64_t e = 0; e < attn->head_dim; e++) {
    double sum = 0;
    for (int64_t c = 0; c < attn->d_model; c++) {
      sum += stored(attn, layer, BENCH_TENSOR_X, 1, token * attn->d_model + c) *
             stored(attn, layer, weights, scale, (c * heads + head) * attn->head_dim + e);
    }
    to[e] = (double)bench_round_to(attn->dtype, (float)sum);
  }
}

/* A row of K or V: from X, or what a cache held. */
static void key_row(const bench_attn *attn, int64_t layer, bool value, int64_t b, int64_t head,
                    int64_t key, double *to) {
  const int64_t cached = attn->seq_kv - attn->seq_q;
  if (key >= cached) {
    project(attn, layer, value ? BENCH_TENSOR_WV : BENCH_TENSOR_WK, attn->heads_kv,
            b * attn->seq_q + key - cached, head, to);
    return;
  }
  for (int64_t e = 0; e < attn->head_dim; e++) {
    const int64_t row = (b * attn->heads_kv + head) * attn->seq_kv + key;
    to[e] =
        stored(attn, layer, value ? BENCH_TENSOR_V : BENCH_TENSOR_K, 1, row * attn->head_dim + e);
  }
}

/* O of one head and token under the causal mask. */
static void attend(const bench_attn *attn, int64_t layer, int64_t b, int64_t head, int64_t row,
                   double *o) {
  double q[8] = {0};
  double kv[8] = {0};
  double sum = 0;
  const int64_t kv_head = head / (attn->heads_q / attn->heads_kv);
  project(attn, layer, BENCH_TENSOR_WQ, attn->heads_q, b * attn->seq_q + row, head, q);
  memset(o, 0, 8 * sizeof *o);
  for (int64_t key = 0; key <= row + attn->seq_kv - attn->seq_q; key++) {
    double score = 0;
    key_row(attn, layer, false, b, kv_head, key, kv);
    for (int64_t e = 0; e < 8; e++) {
      score += q[e] * kv[e] / sqrt(8.0);
    }
    const double weight = exp(score);
    sum += weight;
    key_row(attn, layer, true, b, kv_head, key, kv);
    for (int64_t e = 0; e < 8; e++) {
      o[e] += weight * kv[e];
    }
  }
  for (int64_t e = 0; e < 8; e++) {
    o[e] /= sum;
  }
}

/* Y of the last token of every sequence. */
static void check_output(const session *s, int64_t layer) {
  const bench_attn *attn = &s->work.attn;
  const double scale = 1 / sqrt((double)(attn->heads_q * attn->head_dim));
  const int64_t row = attn->seq_q - 1;
  /* An O of size 1 is rounded to the dtype, and so is every Q, K, V that it comes from. */
  const double off = attn->dtype == BENCH_FP32 ? 1e-5 : attn->dtype == BENCH_FP16 ? 4e-3 : 3e-2;
  for (int64_t b = 0; b < attn->batch; b++) {
    double o[6][8] = {{0}};
    for (int64_t h = 0; h < attn->heads_q; h++) {
      attend(attn, layer, b, h, row, o[h]);
    }
    for (int64_t c = 0; c < attn->d_model; c++) {
      double sum = 0;
      for (int64_t k = 0; k < attn->heads_q * attn->head_dim; k++) {
        sum += o[k / 8][k % 8] * stored(attn, layer, BENCH_TENSOR_WO, scale, k * attn->d_model + c);
      }
      const float *y = s->work.layers[layer].block.y;
      const double got = (double)y[(b * attn->seq_q + row) * attn->d_model + c];
      if (!(fabs(got - sum) <= off)) {
        fail_msg("%s, sequence %d, column %d: %.9g, not %.9g", bench_dtype_name(attn->dtype),
                 (int)b, (int)c, got, sum);
      }
    }
  }
}

static void output_equals_the_block_in_double(void **state) {
  (void)state;
  for (size_t n = 0; n < COUNT(shapes); n++) {
    for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
      session s;
      const bench_attn attn = problem(shapes[n][0], shapes[n][1], shapes[n][2], (bench_dtype)dtype);
      open_work(&s, &attn, false);
      const bench_verdict verdict = verdict_of(&s);
      assert_string_equal(verdict.reason, "");
      assert_true(verdict.right);
      check_output(&s, 0);
      check_output(&s, 1);
      close_work(&s);
    }
  }
}

/* A row of Q, K or V that is not written keeps what an earlier launch left, which is right. */
static bool can_show(fault_kind kind, int projection) {
  return kind != FAULT_ROW || projection == OUTPUT;
}

static void faults_are_found(void **state) {
  (void)state;
  for (size_t n = 0; n < COUNT(shapes); n++) {
    for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
      session s;
      const bench_attn attn = problem(shapes[n][0], shapes[n][1], shapes[n][2], (bench_dtype)dtype);
      open_work(&s, &attn, n % 2 == 1);
      for (int i = 0; i < PROJECTIONS * FAULT_COUNT; i++) {
        fault = (fault_kind)(i / PROJECTIONS);
        faulty = i % PROJECTIONS;
        if (!can_show(fault, faulty)) {
          continue;
        }
        bench_verdict verdict = {.right = true};
        bench_error error = {.message = ""};
        assert_int_equal(bench_work_poison(&s.work, &error), BENCH_OK);
        assert_int_equal(bench_work_launch(&s.work, s.kernel, s.workspace, BENCH_STAGE_ALL, &error),
                         BENCH_OK);
        assert_int_equal(bench_block_verify(&s.work, &verdict, &error), BENCH_OK);
        if (verdict.right != (fault == FAULT_NONE)) {
          fail_msg("fault %d in the %s projection, %s: %s", (int)fault, names[faulty],
                   bench_dtype_name(attn.dtype), verdict.reason);
        }
        assert_true(verdict.right || strstr(verdict.reason, names[faulty]) != NULL);
      }
      fault = FAULT_NONE;
      assert_true(verdict_of(&s).right); /* a launch without it mends all */
      close_work(&s);
    }
  }
}

/* An element that the check does not draw is looked at all the same; an earlier finding stays. */
static void output_is_scanned(void **state) {
  (void)state;
  session s;
  const bench_attn attn = problem(2, 64, 64, BENCH_BF16);
  bench_error error = {.message = ""};
  open_work(&s, &attn, false);
  assert_true(verdict_of(&s).right);
  for (int64_t at = 1; at < 2 * 64 * 40; at += 1277) {
    float *y = s.work.layers[1].block.y + at;
    const float kept = *y;
    *y = INFINITY;
    bench_verdict verdict = {.right = true};
    assert_int_equal(bench_block_verify(&s.work, &verdict, &error), BENCH_OK);
    assert_false(verdict.right);
    bench_verdict earlier = {.right = false, .reason = "earlier"};
    assert_int_equal(bench_block_verify(&s.work, &earlier, &error), BENCH_OK);
    assert_string_equal(earlier.reason, "earlier");
    *y = kept;
  }
  bool intact;
  assert_int_equal(bench_work_canaries(&s.work, &intact, &error), BENCH_OK);
  assert_true(intact);
  s.work.layers[1].block.y[2 * 64 * 40] = 0;
  assert_int_equal(bench_work_canaries(&s.work, &intact, &error), BENCH_OK);
  assert_false(intact);
  close_work(&s);
}

/* A cache's rows of K and V are left as they were. */
static void cached_rows_stay(void **state) {
  (void)state;
  session s;
  const bench_attn attn = problem(2, 5, 12, BENCH_FP32);
  open_work(&s, &attn, false);
  assert_true(verdict_of(&s).right);
  for (int64_t i = 0; i < 2 * 2 * 12 * 8; i++) {
    const bool cached = i / 8 % 12 < 7;
    const float *k = s.work.layers[1].k;
    const float *v = s.work.layers[1].v;
    const double k_made = stored(&attn, 1, BENCH_TENSOR_K, 1, i);
    const double v_made = stored(&attn, 1, BENCH_TENSOR_V, 1, i);
    assert_true(((double)k[i] == k_made) == cached && ((double)v[i] == v_made) == cached);
  }
  close_work(&s);
}

static void shares_add_up(void **state) {
  (void)state;
  static const bench_mode modes[] = {BENCH_MODE_COLD, BENCH_MODE_WARM, BENCH_MODE_SUSTAINED};
  session s;
  const bench_attn attn = problem(2, 64, 64, BENCH_FP32);
  bench_error error = {.message = ""};
  open_work(&s, &attn, false);
  for (size_t m = 0; m < COUNT(modes); m++) {
    double projections = NAN;
    double attention = NAN;
    const bench_timing timing = {
        .kernel = s.kernel, .workspace = s.workspace, .mode = modes[m], .budget_s = 0.2};
    assert_int_equal(bench_measure_shares(&s.work, &timing, &projections, &attention, &error),
                     BENCH_OK);
    assert_true(projections > 0 && projections < 1 && attention > 0);
    assert_true(fabs(projections + attention - 1) < 1e-12);
  }
  close_work(&s);
}

static void reasons_are_given(void **state) {
  (void)state;
  const bench_attn right = problem(1, 4, 4, BENCH_FP32);
  assert_null(bench_block_why_not(&right, cpu));
  bench_attn attn = right;
  attn.seq_q = 5;
  assert_non_null(strstr(bench_block_why_not(&attn, cpu), "seq_q"));
  attn = right;
  attn.input = BENCH_INPUT_MODEL;
  assert_non_null(strstr(bench_block_why_not(&attn, cpu), "input"));
  attn = right;
  attn.direction = BENCH_BWD;
  assert_non_null(strstr(bench_block_why_not(&attn, cpu), "forward"));
}

static int find_backend(void **state) {
  (void)state;
  cpu = bench_backend_find("cpu", NULL);
  if (cpu->gemm_why_not() != NULL) {
    print_message("%s\n", cpu->gemm_why_not());
    return -1;
  }
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(output_equals_the_block_in_double),
      cmocka_unit_test(faults_are_found),
      cmocka_unit_test(output_is_scanned),
      cmocka_unit_test(cached_rows_stay),
      cmocka_unit_test(shares_add_up),
      cmocka_unit_test(reasons_are_given),
  };
  return cmocka_run_group_tests(tests, find_backend, NULL);
}
