/* The weights of the architecture: their names and shapes, and their way from the file to float.
 * The table `roles` is the architecture. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/checkpoint.h"

/* The weights that stand outside the layers. */
enum { EMBEDDING, FINAL_NORM, HEAD, OUTER_WEIGHTS };

typedef enum width { ONE, HIDDEN, QUERY, KEY, INTERMEDIATE, VOCAB } width;

typedef struct role {
  const char *name; /* in the file; of a layer's weight, after "model.layers.N." */
  width rows;       /* ONE: a vector */
  width cols;
} role;

static const role outer_roles[OUTER_WEIGHTS] = {
    [EMBEDDING] = {"model.embed_tokens.weight", VOCAB, HIDDEN},
    [FINAL_NORM] = {"model.norm.weight", ONE, HIDDEN},
    [HEAD] = {"lm_head.weight", VOCAB, HIDDEN},
};

static const role layer_roles[BENCH_LAYER_WEIGHTS] = {
    [BENCH_WEIGHT_ATTN_NORM] = {"input_layernorm.weight", ONE, HIDDEN},
    [BENCH_WEIGHT_Q] = {"self_attn.q_proj.weight", QUERY, HIDDEN},
    [BENCH_WEIGHT_K] = {"self_attn.k_proj.weight", KEY, HIDDEN},
    [BENCH_WEIGHT_V] = {"self_attn.v_proj.weight", KEY, HIDDEN},
    [BENCH_WEIGHT_O] = {"self_attn.o_proj.weight", HIDDEN, QUERY},
    [BENCH_WEIGHT_MLP_NORM] = {"post_attention_layernorm.weight", ONE, HIDDEN},
    [BENCH_WEIGHT_GATE] = {"mlp.gate_proj.weight", INTERMEDIATE, HIDDEN},
    [BENCH_WEIGHT_UP] = {"mlp.up_proj.weight", INTERMEDIATE, HIDDEN},
    [BENCH_WEIGHT_DOWN] = {"mlp.down_proj.weight", HIDDEN, INTERMEDIATE},
};

/* Tensors that some exporters add and that change nothing: RoPE is computed from the config. */
static const char *const ignored_endings[] = {".rotary_emb.inv_freq"};

const bench_weight *bench_model_embedding(const bench_model *model) {
  return &model->weights[EMBEDDING];
}

const bench_weight *bench_model_final_norm(const bench_model *model) {
  return &model->weights[FINAL_NORM];
}

const bench_weight *bench_model_head(const bench_model *model) {
  return &model->weights[HEAD];
}

const bench_weight *bench_model_layer(const bench_model *model, int64_t layer,
                                      bench_layer_weight which) {
  return &model->weights[OUTER_WEIGHTS + layer * BENCH_LAYER_WEIGHTS + which];
}

const float *bench_weight_rows(const bench_weight *weight, int64_t first, int64_t rows,
                               float *scratch) {
  if (weight->values != NULL) {
    return weight->values + first * weight->cols;
  }
  bench_safetensor_read(weight->tensor, first * weight->cols, rows * weight->cols, scratch);
  return scratch;
}

static int64_t size_of(width which, const bench_model_info *info) {
  switch (which) {
    case HIDDEN:
      return info->hidden;
    case QUERY:
      return info->heads_q * info->head_dim;
    case KEY:
      return info->heads_kv * info->head_dim;
    case INTERMEDIATE:
      return info->intermediate;
    case VOCAB:
      return info->vocab;
    default:
      return 1;
  }
}

/* "[3, 4]" */
static void format_shape(int rank, const int64_t *shape, char text[128]) {
  int at = snprintf(text, 128, "[");
  for (int i = 0; i < rank; i++) {
    at += snprintf(text + at, 128 - (size_t)at, "%s%" PRId64, i > 0 ? ", " : "", shape[i]);
  }
  snprintf(text + at, 128 - (size_t)at, "]");
}

static bench_code bind(const char *label, const bench_model *model, const char *name,
                       const role *as, bench_weight *out, bench_error *error) {
  const bench_safetensor *tensor = bench_safetensors_find(&model->tensors, name);
  if (tensor == NULL) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: tensor %s is missing", label, name);
  }
  const int64_t shape[2] = {size_of(as->rows, &model->info), size_of(as->cols, &model->info)};
  const int64_t *wanted = as->rows == ONE ? shape + 1 : shape;
  const int rank = as->rows == ONE ? 1 : 2;
  if (tensor->rank != rank || memcmp(tensor->shape, wanted, (size_t)rank * sizeof *wanted) != 0) {
    char have[128];
    char want[128];
    format_shape(tensor->rank, tensor->shape, have);
    format_shape(rank, wanted, want);
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: tensor %s has the shape %s, config.json asks "
                      "for %s",
                      label, name, have, want);
  }
  *out = (bench_weight){.tensor = tensor, .rows = shape[0], .cols = shape[1]};
  return BENCH_OK;
}

static bench_code bind_known(const char *label, bench_model *model, bench_error *error) {
  bench_code code = BENCH_OK;
  for (int i = 0; i < OUTER_WEIGHTS && code == BENCH_OK; i++) {
    const role *as = &outer_roles[i == HEAD && model->info.tied ? EMBEDDING : i];
    code = bind(label, model, as->name, as, &model->weights[i], error);
  }
  for (int64_t layer = 0; layer < model->info.layers; layer++) {
    for (int i = 0; i < BENCH_LAYER_WEIGHTS && code == BENCH_OK; i++) {
      char name[BENCH_SAFETENSORS_NAME_MAX];
      snprintf(name, sizeof name, "model.layers.%" PRId64 ".%s", layer, layer_roles[i].name);
      code = bind(label, model, name, &layer_roles[i],
                  &model->weights[OUTER_WEIGHTS + layer * BENCH_LAYER_WEIGHTS + i], error);
    }
  }
  return code;
}

static bool is_ignored(const char *name, const bench_model_info *info) {
  for (size_t i = 0; i < sizeof ignored_endings / sizeof ignored_endings[0]; i++) {
    size_t length = strlen(name);
    size_t ending = strlen(ignored_endings[i]);
    if (length > ending && strcmp(name + length - ending, ignored_endings[i]) == 0) {
      return true;
    }
  }
  return info->tied && strcmp(name, outer_roles[HEAD].name) == 0;
}

/* A tensor we do not know (a bias, an expert) would change the result: refuse it. */
static bench_code refuse_unknown(const char *label, bench_model *model, bench_error *error) {
  bool *known = calloc(model->tensors.count + 1, sizeof *known);
  if (known == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "%s: no memory for the list of tensors", label);
  }
  bench_code code = BENCH_OK;
  for (size_t i = 0; i < model->weight_count; i++) {
    const bench_safetensor *tensor = model->weights[i].tensor;
    bool *seen = &known[tensor - model->tensors.tensors];
    model->info.params += *seen ? 0 : tensor->elements;
    *seen = true;
  }
  for (size_t i = 0; i < model->tensors.count && code == BENCH_OK; i++) {
    const char *name = model->tensors.tensors[i].name;
    if (!known[i] && !is_ignored(name, &model->info)) {
      code = bench_fail(error, BENCH_ERR_USAGE, "%s: tensor %s is not one of this architecture's",
                        label, name);
    }
  }
  free(known);
  return code;
}

bench_code bench_weights_bind(const char *label, bench_model *model, bench_error *error) {
  model->weight_count = (size_t)(OUTER_WEIGHTS + model->info.layers * BENCH_LAYER_WEIGHTS);
  model->weights = calloc(model->weight_count, sizeof model->weights[0]);
  if (model->weights == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "%s: no memory for the list of weights", label);
  }
  bench_code code = bind_known(label, model, error);
  if (code == BENCH_OK) {
    model->info.dtype = model->weights[EMBEDDING].tensor->dtype;
    code = refuse_unknown(label, model, error);
  }
  return code;
}

/* Converts a tensor into `values`, or only looks at it if that is NULL. Returns the index of the
 * first element that is not finite, or -1. */
static int64_t convert(const bench_safetensor *tensor, float *values) {
  float chunk[4096];
  for (int64_t first = 0; first < tensor->elements; first += 4096) {
    int64_t count = tensor->elements - first < 4096 ? tensor->elements - first : 4096;
    float *to = values != NULL ? values + first : chunk;
    bench_safetensor_read(tensor, first, count, to);
    for (int64_t i = 0; i < count; i++) {
      if (!isfinite(to[i])) {
        return first + i;
      }
    }
  }
  return -1;
}

bench_code bench_weights_load(const char *label, bench_model *model, int64_t float_bytes_max,
                              bench_error *error) {
  const int64_t count = (int64_t)model->weight_count;
  int64_t *faults = malloc((size_t)count * sizeof *faults);
  if (model->info.params <= float_bytes_max / (int64_t)sizeof(float)) {
    model->floats = malloc((size_t)model->info.params * sizeof(float));
  }
  float *next = model->floats;
  for (int64_t i = 0; next != NULL && i < count; i++) {
    bench_weight *weight = &model->weights[i];
    if (i == HEAD && model->info.tied) {
      weight->values = model->weights[EMBEDDING].values;
      continue;
    }
    weight->values = next;
    next += weight->tensor->elements;
  }
  if (faults == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "%s: no memory for the list of weights", label);
  }
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < count; i++) {
    const bench_weight *weight = &model->weights[i];
    const bool twin = i == HEAD && model->info.tied;
    faults[i] = twin ? -1 : convert(weight->tensor, (float *)(uintptr_t)weight->values);
  }
  bench_code code = BENCH_OK;
  for (int64_t i = 0; i < count && code == BENCH_OK; i++) {
    if (faults[i] >= 0) {
      float value;
      bench_safetensor_read(model->weights[i].tensor, faults[i], 1, &value);
      code =
          bench_fail(error, BENCH_ERR_USAGE, "%s: tensor %s is %s at element %" PRId64, label,
                     model->weights[i].tensor->name, isnan(value) ? "NaN" : "infinite", faults[i]);
    }
  }
  free(faults);
  return code;
}
