/* The ordered plan of a sweep: every combination of the config's axes, resolved to problems,
 * kernels and reasons. Predictions come from the config, the device and the rate table (rates.c),
 * never from the run itself, so that a plan is the same before and after. */
#include "bench/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "bench/model.h"
#include "src/hash.h"
#include "src/idset.h"

/* Blocks of a mask, kept or not: some ten seconds of drawing. */
#define BLOCKS_MAX 1e9

typedef struct builder {
  const bench_config *config;
  const bench_target *target;
  bench_plan *plan;
  size_t problem_capacity;
  size_t case_capacity;
  bench_idset seen;       /* problem ids: the same problem in two grids is one */
  const char *checkpoint; /* path of the checkpoint below, NULL: none read yet */
  bench_model_info checkpoint_info;
  int64_t text_tokens;
  uint64_t text_hash;
  bench_error *error;
} builder;

static bench_code out_of_memory(builder *b) {
  return bench_fail(b->error, BENCH_ERR_NOMEM, "no memory for a plan of %zu cases",
                    b->plan->case_count);
}

/* A reason that lives as long as the plan; NULL when memory is out. */
static const char *keep_text(bench_plan *plan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *keep_text(bench_plan *plan, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  char **texts = realloc(plan->texts, (plan->text_count + 1) * sizeof *texts);
  if (texts == NULL) {
    return NULL;
  }
  plan->texts = texts;
  texts[plan->text_count] = strdup(text);
  return texts[plan->text_count] == NULL ? NULL : texts[plan->text_count++];
}

static bool grow(void **array, size_t count, size_t *capacity, size_t item) {
  if (count < *capacity) {
    return true;
  }
  size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
  void *larger = realloc(*array, wanted * item);
  if (larger == NULL) {
    return false;
  }
  *array = larger;
  *capacity = wanted;
  return true;
}

static uint64_t case_id(uint64_t problem_id, const char *family) {
  return bench_hash_text(problem_id ^ BENCH_HASH_START, family);
}

/* Memory beside the tensors: flushing reads and writes another buffer of twice the cache. */
static int64_t flush_bytes(const bench_target *target) {
  return 2 * target->device.llc_bytes;
}

static bench_code judge_budget(builder *b, const bench_problem *problem, bench_case *planned) {
  const bench_config *config = b->config;
  const bench_device *device = &b->target->device;
  double memory = config->budget_memory_fraction * (double)device->mem_bytes;
  if (device->mem_bytes > 0 && (double)planned->mem_predicted_bytes > memory) {
    planned->why_not =
        keep_text(b->plan, "predicted memory %.2f GB exceeds %.0f %% of the device's %.2f GB",
                  (double)planned->mem_predicted_bytes / 1e9, 100 * config->budget_memory_fraction,
                  (double)device->mem_bytes / 1e9);
    return planned->why_not == NULL ? out_of_memory(b) : BENCH_OK;
  }
  if (problem->flops == BENCH_MISSING_INT || planned->time_predicted_s > config->budget_case_s) {
    planned->why_not = keep_text(b->plan, "predicted time %.3g s exceeds the case budget of %.3g s",
                                 planned->time_predicted_s, config->budget_case_s);
    return planned->why_not == NULL ? out_of_memory(b) : BENCH_OK;
  }
  return BENCH_OK;
}

static bench_code add_case(builder *b, size_t problem_index, const char *family) {
  bench_plan *plan = b->plan;
  if (!grow((void **)&plan->cases, plan->case_count, &b->case_capacity, sizeof *plan->cases)) {
    return out_of_memory(b);
  }
  const bench_problem *problem = &plan->problems[problem_index];
  bench_case *planned = &plan->cases[plan->case_count++];
  *planned = (bench_case){.problem = problem_index,
                          .family = family,
                          .id = case_id(problem->id, family),
                          .modes = (1u << b->config->mode_count) - 1,
                          .why_not = problem->why_not};
  planned->mem_predicted_bytes =
      bench_tensor_bytes(&problem->attn, problem->layers_distinct) + flush_bytes(b->target);
  planned->time_predicted_s =
      (double)problem->flops / bench_rate_presumed(&b->target->device, family);
  if (planned->why_not == NULL && b->target->absent[0] != '\0') {
    planned->why_not = b->target->absent;
  }
  if (planned->why_not != NULL) {
    return BENCH_OK;
  }
  const bench_kernel_entry *entry = bench_backend_kernel(b->target->backend, family, &problem->attn,
                                                         &b->target->device, &planned->why_not);
  if (entry == NULL) {
    return BENCH_OK;
  }
  if (entry->kernel->workspace_bytes != NULL) {
    planned->workspace_bytes =
        (int64_t)entry->kernel->workspace_bytes(&problem->attn, &b->target->device);
    planned->mem_predicted_bytes += planned->workspace_bytes;
  }
  bench_code code = judge_budget(b, problem, planned);
  planned->kernel = planned->why_not == NULL ? entry : NULL;
  return code;
}

/* Pairs, FLOP and bytes. A block mask is drawn for it, which visits every causal block: one with
 * too many is not. */
static bench_code count_work(builder *b, bench_problem *problem) {
  const bench_attn *attn = &problem->attn;
  bench_blocklist list = {0};
  bench_code code = BENCH_OK;
  if (bench_mask_is_simple(&attn->mask)) {
    code = bench_mask_pairs(attn, &problem->pairs, b->error);
  } else {
    double block = (double)attn->mask.block;
    double blocks = ceil((double)attn->seq_q / block) * ceil((double)attn->seq_kv / block);
    if (blocks > BLOCKS_MAX) {
      problem->why_not = keep_text(b->plan, "the mask has %.3g blocks, more than %.3g can be drawn",
                                   blocks, BLOCKS_MAX);
      problem->density = NAN;
      problem->flops = BENCH_MISSING_INT;
      problem->bytes_min = BENCH_MISSING_INT;
      return problem->why_not == NULL ? out_of_memory(b) : BENCH_OK;
    }
    code = bench_blocklist_build(attn, attn->mask.block, &list, b->error);
    problem->pairs = list.pairs;
  }
  if (code != BENCH_OK) {
    return code;
  }
  problem->density = (double)problem->pairs / ((double)attn->seq_q * (double)attn->seq_kv);
  problem->flops = bench_flops(attn, problem->pairs);
  problem->bytes_min = bench_bytes_min(attn, list.row_begin != NULL ? &list : NULL);
  bench_blocklist_free(&list);
  return BENCH_OK;
}

static bench_code add_problem(builder *b, const bench_attn *attn, const bench_source *source,
                              const char *why_not) {
  bench_plan *plan = b->plan;
  bench_code code = bench_attn_check(attn, b->error);
  if (code != BENCH_OK) {
    return code;
  }
  uint64_t id = bench_attn_id(attn);
  bool is_new;
  if (!bench_idset_add(&b->seen, id, &is_new) ||
      !grow((void **)&plan->problems, plan->problem_count, &b->problem_capacity,
            sizeof *plan->problems)) {
    return out_of_memory(b);
  }
  if (!is_new) {
    return BENCH_OK;
  }
  bench_problem *problem = &plan->problems[plan->problem_count];
  *problem = (bench_problem){.attn = *attn, .id = id, .why_not = why_not};
  if (attn->input == BENCH_INPUT_MODEL) {
    problem->model_path = source->path;
    problem->text_path = b->config->input_text;
  }
  problem->layers_distinct = bench_layers_distinct(attn, b->target->device.llc_bytes);
  code = count_work(b, problem);
  if (code != BENCH_OK) {
    return code;
  }
  size_t index = plan->problem_count++;
  for (size_t i = 0; code == BENCH_OK && i < b->config->kernel_count; i++) {
    code = add_case(b, index, b->config->kernels[i]);
  }
  return code;
}

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
static bench_code read_checkpoint(builder *b, const char *path) {
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
static bench_code apply_checkpoint(builder *b, const bench_source *source, bench_attn *attn,
                                   const char **why_not) {
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
    *why_not = keep_text(b->plan, "the text has %" PRId64 " tokens, fewer than batch x seq",
                         b->text_tokens);
    return *why_not == NULL ? out_of_memory(b) : BENCH_OK;
  }
  return BENCH_OK;
}

/* The masks in the order given, but `full` first: it is what the others' fraction_of_ideal is
 * measured by. */
static size_t full_first(const bench_grid *grid, size_t place) {
  size_t full = 0;
  while (full < grid->mask_count && grid->masks[full].kind != BENCH_MASK_FULL) {
    full++;
  }
  if (full == grid->mask_count || place > full) {
    return place;
  }
  return place == 0 ? full : place - 1;
}

static bench_code add_combination(builder *b, const bench_grid *grid, const size_t *at) {
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
  attn.mask = grid->masks[full_first(grid, at[AXIS_MASK])];
  attn.input = source->input;
  attn.seed = b->config->seed;
  const char *why_not = NULL;
  if (attn.input == BENCH_INPUT_MODEL) {
    bench_code code = apply_checkpoint(b, source, &attn, &why_not);
    if (code != BENCH_OK) {
      return code;
    }
  }
  return add_problem(b, &attn, source, why_not);
}

static bench_code add_grid(builder *b, const bench_grid *grid) {
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

bench_code bench_plan_build(const bench_config *config, const bench_target *target, bench_plan *out,
                            bench_error *error) {
  *out = (bench_plan){.modes = config->modes, .mode_count = config->mode_count};
  builder b = {.config = config, .target = target, .plan = out, .error = error};
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
