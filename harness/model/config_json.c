/* The keys of config.json; see config_json.h. Two tables hold them: the integers with their
 * limits and defaults, and the features that must be absent. */
#include "model/config_json.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "model/json_read.h"

#define REQUIRED (-1)

typedef struct integer_key {
  const char *name;
  size_t offset;  /* of the int64_t in bench_model_info */
  int64_t limit;  /* the value is 1 .. limit */
  int64_t absent; /* what an absent or null key means; 0: derived from others, or REQUIRED */
} integer_key;

#define FIELD(member) offsetof(bench_model_info, member)
static const integer_key integer_keys[] = {
    {"hidden_size", FIELD(hidden), INT64_C(1) << 20, REQUIRED},
    {"intermediate_size", FIELD(intermediate), INT64_C(1) << 24, REQUIRED},
    {"num_hidden_layers", FIELD(layers), INT64_C(1) << 16, REQUIRED},
    {"num_attention_heads", FIELD(heads_q), INT64_C(1) << 16, REQUIRED},
    {"num_key_value_heads", FIELD(heads_kv), INT64_C(1) << 16, 0},
    {"head_dim", FIELD(head_dim), 512, 0},
    {"vocab_size", FIELD(vocab), INT64_C(1) << 24, REQUIRED},
    {"max_position_embeddings", FIELD(context), INT64_C(1) << 24, REQUIRED},
};

typedef struct real_key {
  const char *name;
  size_t offset; /* of the double in bench_model_info */
  double low;
  double high;
  double absent;
} real_key;

/* The defaults are those of Hugging Face's LlamaConfig. */
static const real_key real_keys[] = {
    {"rms_norm_eps", FIELD(rms_eps), 0.0, 1.0, 1e-6},
    {"rope_theta", FIELD(rope_theta), 1.0, 1e12, 1e4},
};

/* Absent, null or false, or the feature is not one we compute. */
static const char *const refused_keys[] = {
    "rope_scaling",          "rope_parameters",    "attention_bias", "mlp_bias",
    "sliding_window",        "use_sliding_window", "layer_types",    "quantization_config",
    "partial_rotary_factor", "num_local_experts",
};

/* NULL where the key is absent or null, which mean the same here. */
static const json_t *get(const json_t *root, const char *name) {
  const json_t *value = json_object_get(root, name);
  return json_is_null(value) ? NULL : value;
}

static bench_code read_integer(const char *label, const json_t *root, const integer_key *key,
                               bench_model_info *out, bench_error *error) {
  int64_t *field = (int64_t *)(void *)((char *)out + key->offset);
  const json_t *value = get(root, key->name);
  if (value == NULL) {
    if (key->absent == REQUIRED) {
      return bench_fail(error, BENCH_ERR_USAGE, "%s: %s is missing", label, key->name);
    }
    *field = key->absent;
    return BENCH_OK;
  }
  if (!json_is_integer(value) || json_integer_value(value) < 1 ||
      json_integer_value(value) > key->limit) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: %s must be an integer from 1 to %" PRId64 ", not %s", label, key->name,
                      key->limit, bench_json_quote(value).text);
  }
  *field = json_integer_value(value);
  return BENCH_OK;
}

static bench_code read_real(const char *label, const json_t *root, const real_key *key,
                            bench_model_info *out, bench_error *error) {
  double *field = (double *)(void *)((char *)out + key->offset);
  const json_t *value = get(root, key->name);
  *field = value != NULL ? json_number_value(value) : key->absent;
  if ((value != NULL && !json_is_number(value)) || *field < key->low || *field > key->high) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: %s must be a number from %g to %g, not %s",
                      label, key->name, key->low, key->high, bench_json_quote(value).text);
  }
  return BENCH_OK;
}

static bench_code check_text(const char *label, const char *key, const json_t *value,
                             const char *expected, bench_error *error) {
  if (value == NULL || (json_is_string(value) && strcmp(json_string_value(value), expected) == 0)) {
    return BENCH_OK;
  }
  return bench_fail(error, BENCH_ERR_USAGE, "%s: %s %s is not supported, only \"%s\"", label, key,
                    bench_json_quote(value).text, expected);
}

static bench_code check_architecture(const char *label, const json_t *root, bench_error *error) {
  const json_t *architectures = get(root, "architectures");
  const json_t *type = get(root, "model_type");
  if (architectures == NULL && type == NULL) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: architectures and model_type are missing",
                      label);
  }
  if (architectures != NULL && json_array_size(architectures) != 1) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: architectures must be an array of one name",
                      label);
  }
  bench_code code = check_text(label, "architecture", json_array_get(architectures, 0),
                               "LlamaForCausalLM", error);
  return code != BENCH_OK ? code : check_text(label, "model_type", type, "llama", error);
}

static bench_code check_refused(const char *label, const json_t *root, bench_error *error) {
  for (size_t i = 0; i < sizeof refused_keys / sizeof refused_keys[0]; i++) {
    const json_t *value = get(root, refused_keys[i]);
    if (value != NULL && !json_is_false(value)) {
      return bench_fail(error, BENCH_ERR_USAGE, "%s: %s = %s is not supported", label,
                        refused_keys[i], bench_json_quote(value).text);
    }
  }
  return check_text(label, "hidden_act", get(root, "hidden_act"), "silu", error);
}

/* Fills what is derived and checks what depends on two keys. */
static bench_code derive(const char *label, bench_model_info *out, bench_error *error) {
  if (out->heads_kv == 0) {
    out->heads_kv = out->heads_q;
  }
  if (out->heads_q % out->heads_kv != 0) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: num_attention_heads = %" PRId64
                      " is not a multiple of num_key_value_heads = %" PRId64,
                      label, out->heads_q, out->heads_kv);
  }
  if (out->head_dim == 0) {
    out->head_dim = out->hidden / out->heads_q;
    if (out->hidden % out->heads_q != 0 || out->head_dim > 512) {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "%s: without head_dim, hidden_size / num_attention_heads = %" PRId64
                        " / %" PRId64 " must be an integer from 1 to 512",
                        label, out->hidden, out->heads_q);
    }
  }
  if (out->head_dim % 2 != 0) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: head_dim = %" PRId64 " is odd, rotary embeddings need pairs", label,
                      out->head_dim);
  }
  return BENCH_OK;
}

static bench_code read_keys(const char *label, const json_t *root, bench_model_info *out,
                            bench_error *error) {
  bench_code code = check_architecture(label, root, error);
  for (size_t i = 0; code == BENCH_OK && i < sizeof integer_keys / sizeof integer_keys[0]; i++) {
    code = read_integer(label, root, &integer_keys[i], out, error);
  }
  for (size_t i = 0; code == BENCH_OK && i < sizeof real_keys / sizeof real_keys[0]; i++) {
    code = read_real(label, root, &real_keys[i], out, error);
  }
  const json_t *tied = get(root, "tie_word_embeddings");
  if (code == BENCH_OK && tied != NULL && !json_is_boolean(tied)) {
    code =
        bench_fail(error, BENCH_ERR_USAGE, "%s: tie_word_embeddings must be true or false, not %s",
                   label, bench_json_quote(tied).text);
  }
  out->tied = json_is_true(tied);
  if (code == BENCH_OK) {
    code = check_refused(label, root, error);
  }
  return code != BENCH_OK ? code : derive(label, out, error);
}

bench_code bench_config_json_parse(const char *label, const void *bytes, size_t size,
                                   bench_model_info *out, bench_error *error) {
  json_t *root;
  bench_code code = bench_json_object(label, "the file", bytes, size, &root, error);
  if (code == BENCH_OK) {
    code = read_keys(label, root, out, error);
    json_decref(root);
  }
  return code;
}
