#include "runner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/work.h"

const bench_backend *bench_backend_plugin(void); /* linked in, not loaded */

runner runner_open(void) {
  runner made = {.backend = bench_backend_plugin()};
  bench_error error;
  if (made.backend->open(0, 0, &made.context, &error) != BENCH_OK) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
  }
  made.device = made.backend->device(made.context);
  return made;
}

bool runner_is_named(const bench_kernel *kernel, const char *name) {
  char whole[128];
  snprintf(whole, sizeof whole, "%s/%s", kernel->family, kernel->variant);
  return strcmp(name, whole) == 0 || strcmp(name, kernel->family) == 0;
}

/* Verifies with the kernel's own lists and scratch around it. */
static bench_code verify(bench_work *work, const bench_kernel *kernel, bench_verdict *verdict,
                         bench_error *error) {
  const bench_backend *backend = work->backend;
  const size_t bytes =
      bench_kernel_workspace_bytes(kernel, &work->attn, backend->device(work->context));
  void *workspace = NULL;
  bench_code code = bench_work_blocks(work, kernel, error);
  if (code == BENCH_OK && bytes > 0) {
    code = bench_guarded_alloc(backend, work->context, bytes, &workspace, error);
  }
  if (code == BENCH_OK && bytes > 0) {
    code = backend->fill(work->context, workspace, 0xff, bytes, error);
  }
  if (code == BENCH_OK) {
    code = bench_verify(work, kernel, workspace, bytes, true, verdict, error);
  }
  bench_guarded_free(backend, work->context, workspace);
  return code;
}

/* False: `reason` says what is wrong. */
static bool run_one(const runner *on, const bench_kernel *kernel, const bench_attn *attn,
                    char *reason, size_t bytes) {
  const bench_work_request request = {
      .id = bench_attn_id(attn), .attn = *attn, .layers_distinct = attn->layers};
  bench_work work;
  bench_verdict verdict = {.right = false};
  bench_error error = {.message = ""};
  emu_forget_fault();
  bench_code code = bench_work_open(on->backend, on->context, &request, &work, &error);
  if (code == BENCH_OK) {
    code = verify(&work, kernel, &verdict, &error);
    bench_work_close(&work);
  }
  snprintf(reason, bytes, "%s", code == BENCH_OK ? verdict.reason : error.message);
  return code == BENCH_OK && verdict.right;
}

static void describe(const bench_kernel *kernel, const bench_attn *attn, const char *reason,
                     char *text, size_t bytes) {
  char mask[BENCH_MASK_TEXT_MAX];
  bench_mask_format(&attn->mask, attn->part, mask);
  snprintf(text, bytes,
           "%s/%s %s batch=%" PRId64 " heads=%" PRId64 "/%" PRId64 " head_dim=%" PRId64
           " seq=%" PRId64 "/%" PRId64 " %s: %s",
           kernel->family, kernel->variant, bench_dtype_name(attn->dtype), attn->batch,
           attn->heads_q, attn->heads_kv, attn->head_dim, attn->seq_q, attn->seq_kv, mask, reason);
}

outcome runner_run(const runner *on, const bench_kernel *kernel, case_set set, bool stops,
                   bool told) {
  outcome all = {0};
  for (size_t i = 0; i < case_count(set) && !(stops && all.failed > 0); i++) {
    bench_attn attn;
    char reason[2100];
    if (case_problem(set, i, kernel, on->device, &attn) != NULL) {
      all.skipped++;
      continue;
    }
    if (run_one(on, kernel, &attn, reason, sizeof reason)) {
      all.ok++;
      continue;
    }
    char text[sizeof all.first];
    describe(kernel, &attn, reason, text, sizeof text);
    if (all.failed++ == 0) {
      memcpy(all.first, text, sizeof text);
    }
    if (told) {
      printf("FAILED %s\n", text);
    }
  }
  return all;
}
