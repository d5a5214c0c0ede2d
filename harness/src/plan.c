/* The ordered plan of a sweep: every combination of the config's axes, resolved to a problem. */
#include "bench/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "src/plan_builder.h"

/* An axis that is not given counts as one value: `missing`. */
static size_t axis_count(const bench_axis *axis) {
  return axis->count == 0 ? 1 : axis->count;
}

static int64_t axis_value(const bench_axis *axis, size_t index, int64_t missing) {
  return axis->count == 0 ? missing : axis->values[index];
}

/* One combination of a grid's axes, indexed by position in each list. */
enum {
  AXIS_INPUT,
  AXIS_MODEL,
  AXIS_SCOPE,
  AXIS_DIRECTION,
  AXIS_DTYPE,
  AXIS_LAYERS,
  AXIS_PARAMS,
  AXIS_HEADS,
  AXIS_KV_HEADS,
  AXIS_HEAD_DIM,
  AXIS_SEQ_Q,
  AXIS_SEQ_KV,
  AXIS_BATCH,
  AXIS_MASK,
  AXIS_COUNT
};

static void grid_counts(const bench_grid *grid, size_t counts[AXIS_COUNT]) {
  counts[AXIS_INPUT] = grid->input_count;
  counts[AXIS_MODEL] = grid->model_count == 0 ? 1 : grid->model_count;
  counts[AXIS_SCOPE] = grid->scope_count;
  counts[AXIS_DIRECTION] = grid->direction_count;
  counts[AXIS_DTYPE] = grid->dtype_count;
  counts[AXIS_LAYERS] = axis_count(&grid->layers);
  counts[AXIS_PARAMS] = axis_count(&grid->params);
  counts[AXIS_HEADS] = axis_count(&grid->heads);
  counts[AXIS_KV_HEADS] = axis_count(&grid->kv_heads);
  counts[AXIS_HEAD_DIM] = axis_count(&grid->head_dim);
  counts[AXIS_SEQ_Q] = grid->seq.count > 0 ? grid->seq.count : axis_count(&grid->seq_q);
  counts[AXIS_SEQ_KV] = grid->seq.count > 0 ? 1 : axis_count(&grid->seq_kv);
  counts[AXIS_BATCH] = grid->tokens.count > 0 ? grid->tokens.count : axis_count(&grid->batch);
  counts[AXIS_MASK] = grid->mask_count;
}

/* Reads a checkpoint, whole, and its text; the last one read is kept, since the combinations of
 * one source stand together. */
static bench_code read_checkpoint(bench_plan_builder *b, const char *path) {
  if (b->checkpoint != NULL && strcmp(b->checkpoint, path) == 0) {
    return BENCH_OK;
  }
  bench_code code = bench_model_probe(path, &b->checkpoint_info, b->error);
  if (code != BENCH_OK) {
    return code;
  }
  char text_path[4096];
  bench_model_text_path(path, b->config->input_text, text_path);
  bench_tokens tokens;
  code = bench_tokens_load(text_path, false, b->checkpoint_info.vocab, &tokens, b->error);
  if (code != BENCH_OK) {
    return code;
  }
  b->checkpoint = path;
  b->text_tokens = tokens.count;
  b->text_hash = tokens.hash;
  bench_tokens_free(&tokens);
  return BENCH_OK;
}

/* What a model input fixes: the checkpoint's shape and content, and how long its text is. */
static bench_code apply_checkpoint(bench_plan_builder *b, const bench_source *source,
                                   bench_attn *attn, const char **why_not) {
  bench_code code = read_checkpoint(b, source->path);
  if (code != BENCH_OK) {
    return code;
  }
  const bench_model_info *info = &b->checkpoint_info;
  bench_text_copy(attn->model, sizeof attn->model, info->name);
  attn->params = info->params;
  attn->layers = info->layers;
  attn->heads_q = info->heads_q;
  attn->heads_kv = info->heads_kv;
  attn->head_dim = info->head_dim;
  attn->input_hash = bench_hash64(info->hash, b->text_hash, 0);
  if (attn->seq_q != attn->seq_kv) {
    *why_not = "a model's input has as many query rows as keys";
  } else if (attn->seq_q > b->text_tokens / attn->batch) {
    *why_not = bench_plan_keep_text(
        b->plan, "the text has %" PRId64 " tokens, fewer than batch x seq", b->text_tokens);
    return *why_not == NULL ? bench_plan_no_memory(b) : BENCH_OK;
  }
  return BENCH_OK;
}

/* The masks in the order given, but `full` first: it is what the others' fraction_of_ideal is
 * measured by. */
static size_t full_first(const bench_grid *grid, size_t place) {
  size_t full = 0;
  while (full < grid->mask_count && grid->masks[full].mask.kind != BENCH_MASK_FULL) {
    full++;
  }
  if (full == grid->mask_count || place > full) {
    return place;
  }
  return place == 0 ? full : place - 1;
}

static bench_code add_combination(bench_plan_builder *b, const bench_grid *grid, const size_t *at) {
  const bench_model_shape none = {.layers = 1};
  const bench_model_shape *model = grid->model_count == 0 ? &none : &grid->models[at[AXIS_MODEL]];
  const bench_axis *seq_q = grid->seq.count > 0 ? &grid->seq : &grid->seq_q;
  const bench_source *source = &grid->inputs[at[AXIS_INPUT]];
  bench_attn attn;
  memset(&attn, 0, sizeof attn); /* padding too: equal problems are equal bytes */
  bench_text_copy(attn.model, sizeof attn.model, model->name);
  attn.params = axis_value(&grid->params, at[AXIS_PARAMS], model->params);
  attn.layers = axis_value(&grid->layers, at[AXIS_LAYERS], model->layers);
  attn.heads_q = axis_value(&grid->heads, at[AXIS_HEADS], model->heads);
  int64_t kv_heads = grid->heads.count > 0 ? attn.heads_q : model->kv_heads;
  attn.heads_kv =
      axis_value(&grid->kv_heads, at[AXIS_KV_HEADS], kv_heads > 0 ? kv_heads : attn.heads_q);
  attn.head_dim = axis_value(&grid->head_dim, at[AXIS_HEAD_DIM], model->head_dim);
  attn.seq_q = axis_value(seq_q, at[AXIS_SEQ_Q], 1);
  attn.seq_kv = axis_value(&grid->seq_kv, at[AXIS_SEQ_KV], attn.seq_q);
  attn.batch = grid->tokens.count > 0 ? grid->tokens.values[at[AXIS_BATCH]] / attn.seq_q
                                      : axis_value(&grid->batch, at[AXIS_BATCH], 1);
  attn.dtype = grid->dtypes[at[AXIS_DTYPE]];
  attn.scope = grid->scopes[at[AXIS_SCOPE]];
  attn.direction = grid->directions[at[AXIS_DIRECTION]];
  if (attn.scope == BENCH_SCOPE_BLOCK) {
    attn.d_model = model->d_model > 0 ? model->d_model : attn.heads_q * attn.head_dim;
  }
  bench_attn_set_mask(&attn, &grid->masks[full_first(grid, at[AXIS_MASK])]);
  attn.input = source->input;
  attn.seed = b->config->seed;
  const char *why_not = NULL;
  if (attn.input == BENCH_INPUT_MODEL) {
    bench_code code = apply_checkpoint(b, source, &attn, &why_not);
    if (code != BENCH_OK) {
      return code;
    }
  }
  return bench_plan_add_problem(b, &attn, source, why_not);
}

static bench_code add_grid(bench_plan_builder *b, const bench_grid *grid) {
  size_t counts[AXIS_COUNT];
  size_t at[AXIS_COUNT] = {0};
  grid_counts(grid, counts);
  for (;;) {
    bench_code code = add_combination(b, grid, at);
    if (code != BENCH_OK) {
      return code;
    }
    int axis = AXIS_COUNT - 1;
    while (axis >= 0 && ++at[axis] == counts[axis]) {
      at[axis--] = 0;
    }
    if (axis < 0) {
      return BENCH_OK;
    }
  }
}

/* In the order given, but `sustained` last: the time with mode warm is what it is measured by. */
static void add_modes(const bench_config *config, bench_plan *plan) {
  for (int last = 0; last < 2; last++) {
    for (size_t i = 0; i < config->mode_count; i++) {
      if ((config->modes[i] == BENCH_MODE_SUSTAINED) == (last == 1)) {
        plan->modes[plan->mode_count++] = config->modes[i];
      }
    }
  }
}

bench_code bench_plan_build(const bench_config *config, const bench_target *target, bench_plan *out,
                            bench_error *error) {
  *out = (bench_plan){0};
  add_modes(config, out);
  bench_plan_builder b = {.config = config, .target = target, .plan = out, .error = error};
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && i < config->grid_count; i++) {
    code = add_grid(&b, &config->grids[i]);
  }
  bench_idset_free(&b.seen);
  if (code != BENCH_OK) {
    bench_plan_free(out);
  }
  return code;
}

void bench_plan_free(bench_plan *plan) {
  for (size_t i = 0; i < plan->text_count; i++) {
    free(plan->texts[i]);
  }
  free(plan->texts);
  free(plan->cases);
  free(plan->problems);
  *plan = (bench_plan){0};
}
