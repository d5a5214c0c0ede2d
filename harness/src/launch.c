/* The timed region: every layer of the problem in turn, and nothing else. */
#include "src/work.h"

static bench_code launch_attention(const bench_work *work, const bench_layer *layer,
                                   const bench_kernel *kernel, void *workspace,
                                   bench_error *error) {
  bench_error told;
  told.message[0] = '\0'; /* alone: this is within the timed region */
  const bench_launch launch = {.attn = &layer->segment->attn,
                               .blocks = layer->segment->launch_list,
                               .q = layer->q,
                               .k = layer->k,
                               .v = layer->v,
                               .o = layer->o,
                               .lse = layer->lse,
                               .workspace = workspace,
                               .stream = work->backend->stream(work->context),
                               .threads = work->backend->device(work->context)->threads,
                               .device = work->backend->device(work->context),
                               .error = &told};
  const bench_code code = kernel->launch(&launch);
  if (code != BENCH_OK && told.message[0] != '\0') {
    bench_fail(error, code, "%s", told.message);
  } else if (code != BENCH_OK) {
    bench_fail(error, code, "the kernel refused to launch");
    /* A backend that enqueues says what went wrong when it is next waited for. */
    work->backend->sync(work->context, error);
  }
  return code;
}

bench_code bench_work_launch(const bench_work *work, const bench_kernel *kernel, void *workspace,
                             int stages, bench_error *error) {
  const bool projects =
      work->attn.scope == BENCH_SCOPE_BLOCK && (stages & BENCH_STAGE_PROJECTIONS) != 0;
  bench_code code = BENCH_OK;
  for (int64_t l = 0; code == BENCH_OK && l < work->attn.layers; l++) {
    const bench_layer *layer = bench_work_layer(work, l);
    if (projects) {
      code = bench_block_project_in(work, layer, error);
    }
    if (code == BENCH_OK && (stages & BENCH_STAGE_ATTENTION) != 0) {
      code = launch_attention(work, layer, kernel, workspace, error);
    }
    if (code == BENCH_OK && projects) {
      code = bench_block_project_out(work, layer, error);
    }
  }
  return code;
}
