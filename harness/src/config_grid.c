/* Checks between the keys of one [[grid]]: what excludes what, what is missing, and that every
 * combination of the lists is a problem within the limits. A fault is shown at the key that a
 * reader would change. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "src/config_draft.h"

#define COMBINATIONS_MAX (INT64_C(1) << 24)
#define HEADS_MAX (INT64_C(1) << 24) /* batch x heads */

/* Two keys that cannot stand in one grid. */
static const struct {
  int key;
  int other;
} exclusions[] = {
    {GRID_SEQ_Q, GRID_SEQ},
    {GRID_SEQ_KV, GRID_SEQ},
    {GRID_TOKENS, GRID_BATCH},
};

/* What a checkpoint fixes. */
static const int checkpoint_keys[] = {GRID_MODEL,    GRID_HEADS,  GRID_KV_HEADS,
                                      GRID_HEAD_DIM, GRID_LAYERS, GRID_PARAMS};

static const char *key_name(int key) {
  return config_grid_table.keys[key].name;
}

static bench_code missing(config_reader *reader, const config_grid_note *note, int key,
                          const char *why) {
  return config_fault(reader, note->header, "%s is missing: %s", key_name(key), why);
}

/* The node of one entry of a list; of the header if the key is not given. */
static const bench_toml *entry(const config_grid_note *note, int key, size_t index) {
  const bench_toml *node = note->given[key];
  if (node == NULL) {
    return note->header;
  }
  return node->kind == BENCH_TOML_LIST ? &node->item[index] : node;
}

static int64_t largest(const bench_axis *axis, int64_t missing_value) {
  int64_t most = axis->count == 0 ? missing_value : 0;
  for (size_t i = 0; i < axis->count; i++) {
    most = axis->values[i] > most ? axis->values[i] : most;
  }
  return most;
}

static bench_code check_exclusions(config_reader *reader, const config_grid_note *note) {
  for (size_t i = 0; i < sizeof exclusions / sizeof exclusions[0]; i++) {
    const bench_toml *node = note->given[exclusions[i].key];
    if (node != NULL && note->given[exclusions[i].other] != NULL) {
      return config_fault_key(reader, node, "%s and %s exclude each other in one grid",
                              key_name(exclusions[i].key), key_name(exclusions[i].other));
    }
  }
  return BENCH_OK;
}

/* Inputs of a checkpoint bring the shape with them; generated ones need one. */
static bench_code check_source_of_shape(config_reader *reader, const bench_grid *grid,
                                        const config_grid_note *note) {
  const bool is_checkpoint = grid->inputs[0].input == BENCH_INPUT_MODEL;
  for (size_t i = 1; i < grid->input_count; i++) {
    if ((grid->inputs[i].input == BENCH_INPUT_MODEL) != is_checkpoint) {
      return config_fault(reader, entry(note, GRID_INPUT, i),
                          "a checkpoint, which fixes the shape, and a generated input cannot "
                          "share a grid");
    }
  }
  if (is_checkpoint) {
    for (size_t i = 0; i < sizeof checkpoint_keys / sizeof checkpoint_keys[0]; i++) {
      const bench_toml *node = note->given[checkpoint_keys[i]];
      if (node != NULL) {
        return config_fault_key(reader, node,
                                "%s cannot be given where the input is a checkpoint, which fixes "
                                "it",
                                node->key);
      }
    }
    return BENCH_OK;
  }
  if (grid->model_count == 0 && grid->heads.count == 0) {
    return missing(reader, note, GRID_HEADS, "without model, a grid needs heads and head_dim");
  }
  if (grid->model_count == 0 && grid->head_dim.count == 0) {
    return missing(reader, note, GRID_HEAD_DIM, "without model, a grid needs heads and head_dim");
  }
  return BENCH_OK;
}

static bench_code check_given(config_reader *reader, const bench_grid *grid,
                              const config_grid_note *note) {
  bench_code code = check_exclusions(reader, note);
  if (code != BENCH_OK) {
    return code;
  }
  if (grid->seq.count == 0 && grid->seq_q.count == 0 && grid->seq_kv.count == 0) {
    return missing(reader, note, GRID_SEQ, "a grid needs seq, or seq_q and seq_kv");
  }
  if (grid->seq.count == 0 && grid->seq_q.count == 0) {
    return missing(reader, note, GRID_SEQ_Q, "seq_q and seq_kv are given together");
  }
  if (grid->seq.count == 0 && grid->seq_kv.count == 0) {
    return missing(reader, note, GRID_SEQ_KV, "seq_q and seq_kv are given together");
  }
  return check_source_of_shape(reader, grid, note);
}

static bench_code check_combinations(config_reader *reader, const bench_grid *grid,
                                     const config_grid_note *note) {
  const size_t counts[] = {
      grid->model_count,  grid->seq.count,      grid->seq_q.count,     grid->seq_kv.count,
      grid->batch.count,  grid->tokens.count,   grid->heads.count,     grid->kv_heads.count,
      grid->layers.count, grid->head_dim.count, grid->params.count,    grid->dtype_count,
      grid->mask_count,   grid->scope_count,    grid->direction_count, grid->input_count,
  };
  int64_t product = 1;
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    product *= counts[i] == 0 ? 1 : (int64_t)counts[i]; /* no overflow: a list has a limit too */
    if (product > COMBINATIONS_MAX) {
      return config_fault(reader, note->header,
                          "the lists of this grid have more than %" PRId64 " combinations",
                          COMBINATIONS_MAX);
    }
  }
  return BENCH_OK;
}

static bench_code check_tokens(config_reader *reader, const bench_grid *grid,
                               const config_grid_note *note) {
  const bool apart = grid->seq.count == 0;
  const bench_axis *seq = apart ? &grid->seq_q : &grid->seq;
  for (size_t i = 0; i < grid->tokens.count; i++) {
    for (size_t j = 0; j < seq->count; j++) {
      if (grid->tokens.values[i] % seq->values[j] != 0) {
        return config_fault(reader, entry(note, GRID_TOKENS, i),
                            "tokens = %" PRId64 " is not a multiple of %s = %" PRId64,
                            grid->tokens.values[i], apart ? "seq_q" : "seq", seq->values[j]);
      }
    }
  }
  return BENCH_OK;
}

/* Where kv_heads comes from when the grid does not say: from the model, but from heads where the
 * grid overrides those, or where nothing else says. */
static int64_t default_kv_heads(const bench_grid *grid, const bench_model_shape *model,
                                int64_t heads) {
  return grid->heads.count > 0 || model->kv_heads == 0 ? heads : model->kv_heads;
}

static bench_code check_heads(config_reader *reader, const bench_grid *grid,
                              const config_grid_note *note, const bench_model_shape *model) {
  const size_t heads_count = grid->heads.count == 0 ? 1 : grid->heads.count;
  const size_t kv_count = grid->kv_heads.count == 0 ? 1 : grid->kv_heads.count;
  for (size_t i = 0; i < heads_count; i++) {
    int64_t heads = grid->heads.count == 0 ? model->heads : grid->heads.values[i];
    for (size_t j = 0; j < kv_count; j++) {
      int64_t kv_heads = grid->kv_heads.count == 0 ? default_kv_heads(grid, model, heads)
                                                   : grid->kv_heads.values[j];
      if (heads % kv_heads != 0) {
        return config_fault(reader, entry(note, GRID_KV_HEADS, j),
                            "heads = %" PRId64 "%s%s is not a multiple of kv_heads = %" PRId64,
                            heads, grid->heads.count == 0 ? " of " : "",
                            grid->heads.count == 0 ? model->name : "", kv_heads);
      }
    }
  }
  return BENCH_OK;
}

/* The largest combination stands for all: every limit grows with every axis. */
static bench_code check_size(config_reader *reader, const bench_grid *grid,
                             const config_grid_note *note, const bench_model_shape *model) {
  const bool apart = grid->seq.count == 0;
  const bench_axis *seq = apart ? &grid->seq_q : &grid->seq;
  const bool by_tokens = grid->tokens.count > 0;
  int64_t batch = largest(&grid->batch, 1);
  for (size_t i = 0; by_tokens && i < seq->count; i++) {
    int64_t fits = largest(&grid->tokens, 0) / seq->values[i];
    batch = fits > batch ? fits : batch;
  }
  int64_t heads = largest(&grid->heads, model->heads);
  assert(heads > 0 && "check_source_of_shape asks for heads, and they have a least value");
  if (batch > HEADS_MAX / heads) {
    const bench_toml *node = note->given[by_tokens ? GRID_TOKENS : GRID_BATCH];
    return config_fault(reader, node == NULL ? note->header : node,
                        "batch x heads = %" PRId64 " x %" PRId64 " is above 2^24", batch, heads);
  }
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.batch = batch;
  attn.heads_q = heads;
  attn.heads_kv = heads;
  attn.layers = largest(&grid->layers, model->layers);
  attn.head_dim = largest(&grid->head_dim, model->head_dim);
  attn.seq_q = largest(seq, 1);
  attn.seq_kv = largest(apart ? &grid->seq_kv : &grid->seq, 1);
  bench_error wrong;
  if (bench_attn_check(&attn, &wrong) != BENCH_OK) {
    const bench_toml *node = note->given[GRID_LAYERS];
    return config_fault(reader, node == NULL ? note->header : node, "%s", wrong.message);
  }
  return BENCH_OK;
}

bench_code config_check_grid(config_reader *reader, const bench_grid *grid,
                             const config_grid_note *note) {
  bench_code code = check_given(reader, grid, note);
  if (code == BENCH_OK) {
    code = check_combinations(reader, grid, note);
  }
  if (code == BENCH_OK) {
    code = check_tokens(reader, grid, note);
  }
  if (code != BENCH_OK || grid->inputs[0].input == BENCH_INPUT_MODEL) {
    return code;
  }
  const bench_model_shape none = {.layers = 1};
  const size_t models = grid->model_count == 0 ? 1 : grid->model_count;
  for (size_t i = 0; code == BENCH_OK && i < models; i++) {
    const bench_model_shape *model = grid->model_count == 0 ? &none : &grid->models[i];
    code = check_heads(reader, grid, note, model);
    if (code == BENCH_OK) {
      code = check_size(reader, grid, note, model);
    }
  }
  return code;
}
