/* The inputs of a problem while it is timed: copies stand apart and give the same result, another
 * seed gives other values, and the problem's own come back bit by bit. On host memory, and on a
 * backend that says its memory is not the host's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu.h"
#include "src/watch.h"

enum { SETS = 5, LAYERS = 2 };

static bench_backend backend;

typedef struct session {
  bench_context *context;
  bench_work work;
  const bench_kernel *kernel;
  void *workspace;
  size_t workspace_bytes;
} session;

static bench_attn problem(bench_scope scope) {
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = 3;
  attn.batch = 2;
  attn.heads_q = attn.heads_kv = 2;
  attn.head_dim = 16;
  attn.seq_q = attn.seq_kv = 19;
  attn.dtype = BENCH_FP32;
  attn.scope = scope;
  attn.d_model = scope == BENCH_SCOPE_BLOCK ? 32 : 0;
  attn.seed = 5;
  attn.mask.kind = BENCH_MASK_CAUSAL;
  return attn;
}

static void open_session(session *s, const bench_attn *attn, bool apart) {
  bench_error error = {.message = ""};
  const char *why_not = NULL;
  backend = *bench_backend_cpu();
  backend.host_memory = !apart;
  assert_int_equal(backend.open(0, 2, &s->context, &error), BENCH_OK);
  const bench_work_request request = {
      .id = bench_attn_id(attn), .attn = *attn, .layers_distinct = LAYERS};
  assert_int_equal(bench_work_open(&backend, s->context, &request, &s->work, &error), BENCH_OK);
  const bench_device *device = backend.device(s->context);
  s->kernel = bench_backend_kernel(&backend, "naive", attn, device, &why_not)->kernel;
  s->workspace_bytes = bench_kernel_workspace_bytes(s->kernel, attn, device);
  assert_int_equal(
      bench_guarded_alloc(&backend, s->context, s->workspace_bytes, &s->workspace, &error),
      BENCH_OK);
  assert_int_equal(bench_work_blocks(&s->work, s->kernel, &error), BENCH_OK);
}

static void close_session(session *s) {
  bench_guarded_free(&backend, s->context, s->workspace);
  bench_work_close(&s->work);
  backend.close(s->context);
}

static size_t q_bytes(const session *s) {
  return (size_t)bench_attn_q_elements(&s->work.attn) * sizeof(float);
}

static void launch(session *s) {
  bench_error error;
  assert_int_equal(bench_work_launch(&s->work, s->kernel, s->workspace, BENCH_STAGE_ALL, &error),
                   BENCH_OK);
}

static void copies_stand_apart(void **state) {
  (void)state;
  for (int apart = 0; apart < 2; apart++) {
    session s;
    bench_error error;
    const bench_attn attn = problem(BENCH_SCOPE_ATTENTION);
    open_session(&s, &attn, apart == 1);
    launch(&s);
    const size_t bytes = q_bytes(&s);
    void *expected = malloc(bytes);
    memcpy(expected, s.work.layers[1].o, bytes);
    assert_int_equal(bench_work_add_sets(&s.work, SETS, &error), BENCH_OK);
    assert_int_equal(s.work.sets, SETS);
    memset(s.work.layers[1].o, 0, bytes);
    for (s.work.set = 1; s.work.set < SETS; s.work.set++) {
      const bench_layer *layer = bench_work_layer(&s.work, 1);
      assert_ptr_not_equal(layer->q, s.work.layers[1].q);
      assert_ptr_equal(layer, bench_work_layer(&s.work, 1 + LAYERS));
      launch(&s);
      assert_memory_equal(layer->o, expected, bytes);
      memset(layer->o, 0, bytes); /* so that no other set's launch can have written it */
    }
    for (size_t i = 0; i < bytes / sizeof(float); i++) {
      assert_true(((const float *)s.work.layers[1].o)[i] == 0);
    }
    bench_work_drop_sets(&s.work);
    assert_true(s.work.sets == 1 && s.work.set == 0 && s.work.copies == NULL);
    launch(&s);
    assert_memory_equal(s.work.layers[1].o, expected, bytes);
    free(expected);
    close_session(&s);
  }
}

static void own_inputs_come_back(void **state) {
  (void)state;
  static const bench_scope scopes[] = {BENCH_SCOPE_ATTENTION, BENCH_SCOPE_BLOCK};
  for (int n = 0; n < 4; n++) {
    session s;
    bench_error error = {.message = ""};
    const bench_attn attn = problem(scopes[n / 2]);
    if (attn.scope == BENCH_SCOPE_BLOCK && bench_backend_cpu()->gemm_why_not() != NULL) {
      continue;
    }
    open_session(&s, &attn, n % 2 == 1);
    const size_t bytes = q_bytes(&s);
    void *own[2] = {malloc(bytes), malloc(bytes)};
    memcpy(own[0], s.work.layers[1].q, bytes);
    memcpy(own[1], s.work.layers[1].k, bytes);
    assert_int_equal(bench_work_fill(&s.work, 6, &error), BENCH_OK);
    assert_memory_not_equal(own[0], s.work.layers[1].q, bytes);
    assert_memory_not_equal(own[1], s.work.layers[1].host_k, bytes);
    assert_memory_equal(s.work.layers[1].q, s.work.layers[1].host_q, bytes);
    assert_int_equal(bench_work_fill(&s.work, attn.seed, &error), BENCH_OK);
    assert_memory_equal(own[0], s.work.layers[1].q, bytes);
    assert_memory_equal(own[0], s.work.layers[1].host_q, bytes);
    assert_memory_equal(own[1], s.work.layers[1].k, bytes);
    free(own[0]);
    free(own[1]);
    close_session(&s);
  }
}

/* Part by part the inputs become what filling them at once makes them, on the host and beside it;
 * a part is less than a tensor. */
static void parts_make_the_whole(void **state) {
  (void)state;
  static const bench_scope scopes[] = {BENCH_SCOPE_ATTENTION, BENCH_SCOPE_BLOCK};
  enum { SEED = 6, TENSORS = 3 };
  for (int n = 0; n < 4; n++) {
    session s;
    bench_error error = {.message = ""};
    bench_attn attn = problem(scopes[n / 2]);
    attn.seq_q = attn.seq_kv = 600;
    attn.d_model *= 2;
    if (attn.scope == BENCH_SCOPE_BLOCK && bench_backend_cpu()->gemm_why_not() != NULL) {
      continue;
    }
    open_session(&s, &attn, n % 2 == 1);
    const bench_layer *layer = &s.work.layers[1];
    const size_t bytes = q_bytes(&s);
    const void *device[TENSORS] = {layer->q, layer->k, layer->v};
    const void *host[TENSORS] = {layer->host_q, layer->host_k, layer->host_v};
    void *whole[TENSORS];
    assert_int_equal(bench_work_fill(&s.work, SEED, &error), BENCH_OK);
    for (int i = 0; i < TENSORS; i++) {
      whole[i] = malloc(bytes);
      memcpy(whole[i], device[i], bytes);
    }
    assert_int_equal(bench_work_fill(&s.work, attn.seed, &error), BENCH_OK);
    const int64_t parts = bench_work_parts(&s.work);
    assert_in_range(parts, 2 * LAYERS * (attn.scope == BENCH_SCOPE_BLOCK ? 1 : TENSORS), 100);
    for (int64_t part = 0; part < parts; part++) {
      assert_int_equal(bench_work_fill_part(&s.work, SEED, part, &error), BENCH_OK);
      assert_true(s.work.input_touched);
    }
    launch(&s); /* projects what a block's X has become */
    assert_int_equal(bench_work_fetch_projected(&s.work, &error), BENCH_OK);
    for (int i = 0; i < TENSORS; i++) {
      assert_memory_equal(device[i], whole[i], bytes);
      assert_memory_equal(host[i], whole[i], bytes);
      free(whole[i]);
    }
    close_session(&s);
  }
}

/* What a launch has left is right as long as it belongs to the inputs as they are. */
static void what_a_launch_left(void **state) {
  (void)state;
  static const bench_scope scopes[] = {BENCH_SCOPE_ATTENTION, BENCH_SCOPE_BLOCK};
  for (int n = 0; n < 4; n++) {
    session s;
    bench_error error = {.message = ""};
    bench_verdict verdict;
    const bench_attn attn = problem(scopes[n / 2]);
    if (attn.scope == BENCH_SCOPE_BLOCK && bench_backend_cpu()->gemm_why_not() != NULL) {
      continue;
    }
    open_session(&s, &attn, n % 2 == 1);
    for (int last_part = 0; last_part < 2; last_part++) {
      assert_int_equal(bench_work_fill_part(&s.work, 6, 0, &error), BENCH_OK);
      launch(&s);
      if (last_part == 1) { /* of V, or of X */
        assert_int_equal(bench_work_fill_part(&s.work, 7, bench_work_parts(&s.work) - 1, &error),
                         BENCH_OK);
      }
      assert_int_equal(
          bench_verify_left(&s.work, s.kernel, s.workspace, s.workspace_bytes, 8, &verdict, &error),
          BENCH_OK);
      assert_int_equal(verdict.right, last_part == 0);
      assert_true(verdict.rows_checked >= 32);
      assert_null(s.work.reference);
    }
    close_session(&s);
  }
}

/* Of 40 watched samples each changes a row of Q, and one that is not computed is found. */
static void watched_rows(void **state) {
  (void)state;
  for (int apart = 0; apart < 2; apart++) {
    session s;
    bench_error error;
    bench_watch watch;
    bench_verdict verdict = {.right = true};
    const bench_attn attn = problem(BENCH_SCOPE_ATTENTION);
    open_session(&s, &attn, apart == 1);
    assert_int_equal(bench_watch_open(&s.work, s.kernel, &watch, &error), BENCH_OK);
    for (int i = 0; i < 40; i++) {
      assert_int_equal(bench_watch_before(&watch, &error), BENCH_OK);
      launch(&s);
      assert_int_equal(bench_watch_after(&watch, &verdict, &error), BENCH_OK);
      assert_true(verdict.right);
    }
    assert_true(s.work.input_touched);
    assert_int_equal(bench_watch_before(&watch, &error), BENCH_OK);
    assert_int_equal(bench_watch_after(&watch, &verdict, &error), BENCH_OK);
    assert_false(verdict.right);
    assert_non_null(strstr(verdict.reason, "sample 40"));
    assert_int_equal(bench_work_fill(&s.work, attn.seed, &error), BENCH_OK);
    assert_false(s.work.input_touched);
    close_session(&s);
  }
}

/* What is drawn in a run must not make an honest kernel wrong in one run of some hundred: among
 * these draws are some whose error is beyond the bound that their few rows give. */
static void honest_on_drawn_inputs(void **state) {
  (void)state;
  session s;
  bench_error error;
  bench_verdict verdict;
  bench_attn attn = problem(BENCH_SCOPE_ATTENTION);
  attn.layers = LAYERS;
  attn.batch = 1;
  attn.head_dim = 32;
  attn.seq_q = attn.seq_kv = 100;
  open_session(&s, &attn, false);
  double worst = 0;
  for (uint64_t seed = 1000; seed < 1300; seed++) {
    assert_int_equal(bench_verify_unseen(&s.work, s.kernel, s.workspace, s.workspace_bytes, seed,
                                         &verdict, &error),
                     BENCH_OK);
    assert_true(verdict.right);
    worst = fmax(worst, verdict.err_max_abs / verdict.err_tolerance);
  }
  assert_true(worst > 0.1 && worst < 0.6); /* room is left, and the bound is no formality */
  close_session(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(copies_stand_apart),   cmocka_unit_test(own_inputs_come_back),
      cmocka_unit_test(parts_make_the_whole), cmocka_unit_test(what_a_launch_left),
      cmocka_unit_test(watched_rows),         cmocka_unit_test(honest_on_drawn_inputs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
