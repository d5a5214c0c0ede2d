/* The choice and the launch of the kernel that computes a model's attention. */
#include "model/attention.h"

#include <inttypes.h>
#include <string.h>

bench_attn bench_model_problem(const bench_model_info *info, int64_t seq) {
  bench_attn attn = {
      .params = info->params,
      .layers = 1,
      .batch = 1,
      .heads_q = info->heads_q,
      .heads_kv = info->heads_kv,
      .head_dim = info->head_dim,
      .seq_q = seq,
      .seq_kv = seq,
      .dtype = BENCH_FP32,
      .input = BENCH_INPUT_MODEL,
      .input_hash = info->hash,
      .mask = {.kind = BENCH_MASK_CAUSAL},
  };
  memcpy(attn.model, info->name, sizeof attn.model);
  return attn;
}

bench_code bench_model_attention_open(const bench_model_info *info, int64_t seq,
                                      bench_model_attention *out, bench_error *error) {
  static const char *const families[] = {"flash", "naive"};
  *out = (bench_model_attention){.attn = bench_model_problem(info, seq)};
  out->backend = bench_backend_find("cpu", error);
  if (out->backend == NULL) {
    return BENCH_ERR_UNSUPPORTED;
  }
  bench_code code = out->backend->open(0, 0, &out->context, error);
  if (code != BENCH_OK) {
    return code;
  }
  const bench_device *device = out->backend->device(out->context);
  const bench_kernel_entry *entry = NULL;
  const char *why_not = NULL;
  for (size_t i = 0; i < sizeof families / sizeof families[0] && entry == NULL; i++) {
    entry = bench_backend_kernel(out->backend, families[i], &out->attn, device, &why_not);
  }
  if (entry == NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED,
                      "%s: no CPU kernel for its attention (head_dim %" PRId64 "): %s", info->name,
                      info->head_dim, why_not);
  }
  out->kernel = entry->kernel;
  if (out->kernel->wants_blocks) {
    code = bench_blocklist_build(&out->attn, out->kernel->block, NULL, NULL, &out->blocks, error);
  }
  size_t bytes = 0;
  if (out->kernel->workspace_bytes != NULL) {
    bytes = out->kernel->workspace_bytes(&out->attn, device);
  }
  if (code == BENCH_OK && bytes > 0) {
    code = out->backend->alloc(out->context, bytes, &out->workspace, error);
  }
  return code;
}

void bench_model_attention_close(bench_model_attention *attention) {
  bench_blocklist_free(&attention->blocks);
  if (attention->context != NULL) {
    attention->backend->free(attention->context, attention->workspace);
    attention->backend->close(attention->context);
  }
  *attention = (bench_model_attention){0};
}

bench_code bench_model_attention_run(const bench_model_attention *attention, const float *q,
                                     const float *k, const float *v, float *o, float *lse,
                                     bench_error *error) {
  const bench_launch launch = {
      .attn = &attention->attn,
      .blocks = attention->kernel->wants_blocks ? &attention->blocks : NULL,
      .q = q,
      .k = k,
      .v = v,
      .o = o,
      .lse = lse,
      .workspace = attention->workspace,
      .threads = attention->backend->device(attention->context)->threads,
  };
  bench_code code = attention->kernel->launch(&launch);
  if (code != BENCH_OK) {
    return bench_fail(error, code, "%s: kernel %s %s failed", attention->attn.model,
                      attention->kernel->family, attention->kernel->variant);
  }
  return BENCH_OK;
}
