/* A problem of the plan and its cases: exact counts, predictions, and the reason of each skip.
 * Predictions come from the config, the device and the rate table (rates.c), never from the run
 * itself, so that a plan is the same before and after. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/block.h"
#include "src/hash.h"
#include "src/plan_builder.h"

/* Blocks of a mask, kept or not: some ten seconds of drawing. */
#define BLOCKS_MAX 1e9

bench_code bench_plan_no_memory(const bench_plan_builder *b) {
  return bench_fail(b->error, BENCH_ERR_NOMEM, "no memory for a plan of %zu cases",
                    b->plan->case_count);
}

const char *bench_plan_keep_text(bench_plan *plan, const char *format, ...) {
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

static uint64_t case_id(uint64_t problem_id, const char *name) {
  return bench_hash_text(problem_id ^ BENCH_HASH_START, name);
}

/* Memory of a worker that holds no problem yet: a device's has nothing of it. */
static int64_t process_bytes(const bench_target *target) {
  return strcmp(target->device.backend, "cpu") == 0 ? BENCH_PROCESS_BYTES : 0;
}

/* The buffer that flushing the cache reads and writes. It has to fit too, but it is the harness's
 * own and no part of what a case needs. */
static int64_t flush_bytes(const bench_device *device) {
  return 2 * bench_llc_bytes(device);
}

/* Seconds of one execution; the projections are matrix products whatever the kernel. */
static double predict_time(const bench_problem *problem, const bench_device *device,
                           const char *name) {
  const double attention = (double)problem->flops - problem->projection_flops;
  const bench_dtype dtype = problem->attn.dtype;
  return attention / bench_rate_presumed(device, name, dtype) +
         problem->projection_flops / bench_rate_presumed(device, "blas", dtype);
}

static bench_code judge_budget(bench_plan_builder *b, const bench_problem *problem,
                               bench_case *planned) {
  const bench_config *config = b->config;
  const bench_device *device = &b->target->device;
  const double fits = config->budget_memory_fraction * (double)device->mem_bytes;
  const double needed = (double)planned->mem_predicted_bytes + (double)flush_bytes(device);
  if (device->mem_bytes > 0 && needed > fits) {
    planned->why_not = bench_plan_keep_text(
        b->plan, "predicted memory %.2f GB exceeds %.0f %% of the device's %.2f GB", needed / 1e9,
        100 * config->budget_memory_fraction, (double)device->mem_bytes / 1e9);
    return planned->why_not == NULL ? bench_plan_no_memory(b) : BENCH_OK;
  }
  if (problem->flops == BENCH_MISSING_INT || planned->time_predicted_s > config->budget_case_s) {
    planned->why_not =
        bench_plan_keep_text(b->plan, "predicted time %.3g s exceeds the case budget of %.3g s",
                             planned->time_predicted_s, config->budget_case_s);
    return planned->why_not == NULL ? bench_plan_no_memory(b) : BENCH_OK;
  }
  return BENCH_OK;
}

/* Whatever a peer can do besides, it is asked for this alone. */
static const char *peer_why_not(const bench_attn *attn) {
  if (attn->scope != BENCH_SCOPE_ATTENTION) {
    return "a peer computes the attention alone, without projections";
  }
  return attn->direction != BENCH_FWD ? "a peer computes the forward pass only" : NULL;
}

/* The family whose rate a peer is presumed to have. */
#define PEER_FAMILY "flash"

/* `peer`: as in bench_case. */
static bench_code add_case(bench_plan_builder *b, size_t problem_index, const char *name,
                           size_t peer) {
  bench_plan *plan = b->plan;
  if (!grow((void **)&plan->cases, plan->case_count, &b->case_capacity, sizeof *plan->cases)) {
    return bench_plan_no_memory(b);
  }
  const bench_problem *problem = &plan->problems[problem_index];
  bench_case *planned = &plan->cases[plan->case_count++];
  *planned = (bench_case){.problem = problem_index,
                          .peer = peer,
                          .name = name,
                          .id = case_id(problem->id, name),
                          .number = (int64_t)plan->case_count,
                          .modes = (1u << plan->mode_count) - 1,
                          .why_not = problem->why_not};
  planned->mem_predicted_bytes =
      bench_tensor_bytes(&problem->attn, problem->layers_distinct) + process_bytes(b->target);
  planned->time_predicted_s =
      predict_time(problem, &b->target->device, peer > 0 ? PEER_FAMILY : name);
  if (planned->why_not == NULL && b->target->absent[0] != '\0') {
    planned->why_not = b->target->absent;
  }
  if (planned->why_not != NULL) {
    return BENCH_OK;
  }
  if (peer > 0) {
    planned->why_not = peer_why_not(&problem->attn);
    return planned->why_not != NULL ? BENCH_OK : judge_budget(b, problem, planned);
  }
  const bench_kernel_entry *entry = bench_backend_kernel(b->target->backend, name, &problem->attn,
                                                         &b->target->device, &planned->why_not);
  if (entry == NULL) {
    return BENCH_OK;
  }
  planned->workspace_bytes =
      (int64_t)bench_kernel_workspace_bytes(entry->kernel, &problem->attn, &b->target->device);
  planned->mem_predicted_bytes += planned->workspace_bytes;
  bench_code code = judge_budget(b, problem, planned);
  planned->kernel = planned->why_not == NULL ? entry : NULL;
  return code;
}

/* Blocks that resolving the mask looks at, of all patterns; 0 for a mask that looks at none. */
static double blocks_to_see(const bench_attn *attn) {
  const int64_t block = bench_mask_block(attn);
  if (attn->mask.kind == BENCH_MASK_HYBRID) {
    bench_attn part = *attn;
    double blocks = 0;
    for (int i = 0; i < 2; i++) {
      part.mask = attn->part[i];
      blocks += blocks_to_see(&part);
    }
    return blocks;
  }
  if (block == 0) {
    return 0;
  }
  return ceil((double)attn->seq_q / (double)block) * ceil((double)attn->seq_kv / (double)block) *
         (double)bench_mask_patterns(attn);
}

/* FLOP and bytes. A drawn or chosen mask looks at every causal block: one with too many is not
 * resolved. */
static bench_code count_work(bench_plan_builder *b, bench_problem *problem) {
  bench_work_count count;
  const double blocks = blocks_to_see(&problem->attn);
  if (blocks > BLOCKS_MAX) {
    problem->why_not = bench_plan_keep_text(
        b->plan, "the mask has %.3g blocks, more than %.3g can be drawn", blocks, BLOCKS_MAX);
    problem->density = NAN;
    problem->flops = BENCH_MISSING_INT;
    problem->bytes_min = BENCH_MISSING_INT;
    return problem->why_not == NULL ? bench_plan_no_memory(b) : BENCH_OK;
  }
  bench_code code = bench_count_work(&problem->attn, &count, b->error);
  if (code == BENCH_OK) {
    problem->density = count.density;
    problem->flops = count.flops;
    problem->bytes_min = count.bytes_min;
    problem->projection_flops = count.projection_flops;
  }
  return code;
}

bench_code bench_plan_add_problem(bench_plan_builder *b, const bench_attn *attn,
                                  const bench_source *source, const char *why_not) {
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
    return bench_plan_no_memory(b);
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
  if (problem->why_not == NULL && attn->scope == BENCH_SCOPE_BLOCK && b->target->backend != NULL) {
    problem->why_not = bench_block_why_not(attn, b->target->backend);
  }
  code = count_work(b, problem);
  if (code != BENCH_OK) {
    return code;
  }
  size_t index = plan->problem_count++;
  for (size_t i = 0; code == BENCH_OK && i < b->config->kernel_count; i++) {
    code = add_case(b, index, b->config->kernels[i], 0);
  }
  for (size_t i = 0; code == BENCH_OK && i < b->target->peer_kernel_count; i++) {
    code = add_case(b, index, b->target->peer_kernels[i], i + 1);
  }
  return code;
}
