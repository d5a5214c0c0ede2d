/* Each row is the good tiny checkpoint with one change: a value set (or removed, NULL) in
 * config.json or in a tensor's entry of the header, given as JSON, or a function that changes
 * anything. A new fault is one row. */
#include "bad_table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NORM "model.norm.weight"
#define EMBED "model.embed_tokens.weight"
#define GATE "model.layers.0.mlp.gate_proj.weight"

const made_shape bad_base = {1, 8, 6, 4, 2, 4, 5, true, BENCH_FP32, false};

static void truncated(made_model *made) {
  made->cut = 1;
}

static void seven_bytes(made_model *made) {
  made->header_text = "  ";
  made->cut = made->data_bytes + 3;
}

static void lie(made_model *made, uint64_t header_length) {
  made->lie = true;
  made->header_length = header_length;
}

static void length_beyond_file(made_model *made) {
  lie(made, 1000000);
}

static void length_2_63(made_model *made) {
  lie(made, UINT64_C(1) << 63);
}

static void length_of_all_ones(made_model *made) {
  lie(made, UINT64_MAX);
}

static void length_zero(made_model *made) {
  lie(made, 0);
}

static void grow(made_model *made, size_t bytes) {
  made->data = realloc(made->data, made->data_bytes + bytes);
  assert(made->data != NULL);
  memset(made->data + made->data_bytes, 0, bytes);
  made->data_bytes += bytes;
}

static void header_above_limit(made_model *made) {
  grow(made, (size_t)17 << 20);
  lie(made, ((size_t)16 << 20) + 1);
}

static void header_not_json(made_model *made) {
  made->header_text = "{\"a\": tru";
}

static void header_an_array(made_model *made) {
  made->header_text = "[1, 2]";
}

static void header_nested(made_model *made) {
  static char bomb[100001];
  memset(bomb, '[', sizeof bomb - 1);
  made->header_text = bomb;
}

static void header_twice(made_model *made) {
  made->header_text = "{\"a\":{},\"a\":{}}";
}

static void header_binary(made_model *made) {
  made->header_text = "{\"a\xff\xfe\":1}";
}

static void name_too_long(made_model *made) {
  char name[301];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  json_object_set_new(made->header, name, json_object());
}

static void hole(made_model *made) {
  grow(made, 4);
  json_object_set_new(json_object_get(made->header, NORM), "data_offsets",
                      json_pack("[i,i]", 2340, 2372));
}

static void trailing_data(made_model *made) {
  grow(made, 4);
}

static void tensor_missing(made_model *made) {
  json_object_del(made->header, NORM);
  made->data_bytes = 2336;
}

static void tensor_unknown(made_model *made) {
  grow(made, 64);
  json_object_set_new(
      made->header, "model.layers.0.self_attn.q_proj.bias",
      json_pack("{s:s,s:[i],s:[i,i]}", "dtype", "F32", "shape", 16, "data_offsets", 2368, 2432));
}

static void set_value(made_model *made, const char *name, int element, float value) {
  const json_t *offsets = json_object_get(json_object_get(made->header, name), "data_offsets");
  const json_int_t begin = json_integer_value(json_array_get(offsets, 0));
  memcpy(made->data + begin + 4 * element, &value, sizeof value);
}

static void weight_nan(made_model *made) {
  set_value(made, GATE, 17, NAN);
}

static void weight_infinite(made_model *made) {
  set_value(made, EMBED, 39, -INFINITY);
}

static void config_not_json(made_model *made) {
  made->config_text = "hidden_size: 8";
}

static void config_empty(made_model *made) {
  made->config_text = "";
}

static void config_an_array(made_model *made) {
  made->config_text = "[]";
}

static void config_twice(made_model *made) {
  made->config_text = "{\"hidden_size\": 8, \"hidden_size\": 9}";
}

static void no_architecture(made_model *made) {
  json_object_del(made->config, "architectures");
  json_object_del(made->config, "model_type");
}

static void hidden_ragged(made_model *made) {
  json_object_set_new(made->config, "hidden_size", json_integer(7));
  json_object_del(made->config, "head_dim");
}

const bad_checkpoint bad_checkpoints[] = {
    {"truncated file", .mutate = truncated,
     .message = IN_FILE "tensor model.norm.weight: data_offsets end at 2368, the file holds 2367 "
                        "bytes of data: is it truncated?"},
    {"seven bytes", .mutate = seven_bytes,
     .message = IN_FILE "7 bytes are too few for a safetensors file"},
    {"header length beyond the file", .mutate = length_beyond_file,
     .message = IN_FILE "a header length of 1000000 goes beyond the file's 3434 bytes"},
    {"header length 2^63", .mutate = length_2_63,
     .message = IN_FILE "a header length of 9223372036854775808 goes beyond the file's 3434 bytes"},
    {"header length of all ones", .mutate = length_of_all_ones,
     .message =
         IN_FILE "a header length of 18446744073709551615 goes beyond the file's 3434 bytes"},
    {"header length zero", .mutate = length_zero,
     .message =
         IN_FILE "the header is not valid JSON: '[' or '{' expected near end of file (byte 0)"},
    {"header above the limit", .mutate = header_above_limit,
     .message = IN_FILE "a header length of 16777217 exceeds the limit of 16777216"},
    {"header not JSON", .mutate = header_not_json,
     .message = IN_FILE "the header is not valid JSON: invalid token near 'tru' (byte 9)"},
    {"header an array", .mutate = header_an_array,
     .message = IN_FILE "the header is not a JSON object"},
    {"header nested too deep", .mutate = header_nested,
     .message = IN_FILE
     "the header is not valid JSON: maximum parsing depth reached near '[' (byte 2049)"},
    {"header with a key twice", .mutate = header_twice,
     .message =
         IN_FILE "the header is not valid JSON: duplicate object key near '\"a\"' (byte 11)"},
    {"header not UTF-8", .mutate = header_binary,
     .message =
         IN_FILE "the header is not valid JSON: unable to decode byte 0xff near '\"a' (byte 3)"},
    {"name with a newline", HEADER, "a\nb", "{}",
     .message = IN_FILE "the tensor name 'a?b' is not of printable ASCII characters"},
    {"name empty", HEADER, "", "{}", .message = IN_FILE "the tensor name '' is empty"},
    {"name with an escape", HEADER, "\x1b[31mred", "{}",
     .message = IN_FILE "the tensor name '?[31mred' is not of printable ASCII characters"},
    {"name too long", .mutate = name_too_long,
     .message =
         IN_FILE "the tensor name "
                 "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...' is too long"},
    {"entry not an object", HEADER, NORM, "3",
     .message = IN_FILE "tensor model.norm.weight: its entry is not an object"},
    {"dtype missing", NORM, "dtype", NULL,
     .message = IN_FILE "tensor model.norm.weight: dtype is missing or not a string"},
    {"dtype unknown", NORM, "dtype", "\"F7\"",
     .message = IN_FILE "tensor model.norm.weight: dtype F7 is not supported (F32, F16, BF16)"},
    {"dtype not supported", NORM, "dtype", "\"I64\"",
     .message = IN_FILE "tensor model.norm.weight: dtype I64 is not supported (F32, F16, BF16)"},
    {"dtype narrower", NORM, "dtype", "\"F16\"",
     .message = IN_FILE "tensor model.norm.weight: 32 bytes of data for 8 elements of 2 bytes"},
    {"shape missing", NORM, "shape", NULL,
     .message = IN_FILE "tensor model.norm.weight: shape is missing or not an array"},
    {"shape negative", NORM, "shape", "[-4, -2]",
     .message = IN_FILE "tensor model.norm.weight: dimension 0 of the shape is -4, not a count"},
    {"shape of text", NORM, "shape", "[\"8\"]",
     .message = IN_FILE "tensor model.norm.weight: dimension 0 of the shape is \"8\", not a count"},
    {"shape of five dimensions", NORM, "shape", "[8, 1, 1, 1, 1]",
     .message = IN_FILE "tensor model.norm.weight: 5 dimensions, at most 4 are supported"},
    {"shape product overflows", NORM, "shape", "[4294967296, 4294967296]",
     .message = IN_FILE "tensor model.norm.weight: the product of the shape exceeds 2^63"},
    {"byte count overflows", NORM, "shape", "[2147483648, 2147483648]",
     .message = IN_FILE
     "tensor model.norm.weight: 32 bytes of data for 4611686018427387904 elements of 4 bytes"},
    {"wrong shape", GATE, "shape", "[8, 6]",
     .message = IN_FILE "tensor model.layers.0.mlp.gate_proj.weight has the shape [8, 6], "
                        "config.json asks for [6, 8]"},
    {"shape of other rank", GATE, "shape", "[48]",
     .message = IN_FILE
     "tensor model.layers.0.mlp.gate_proj.weight has the shape [48], config.json asks for [6, 8]"},
    {"offsets missing", NORM, "data_offsets", NULL,
     .message = IN_FILE "tensor model.norm.weight: data_offsets is missing or not two integers"},
    {"offsets not integers", NORM, "data_offsets", "[0.0, 32.0]",
     .message = IN_FILE "tensor model.norm.weight: data_offsets is missing or not two integers"},
    {"offsets negative", NORM, "data_offsets", "[-32, 0]",
     .message = IN_FILE "tensor model.norm.weight: data_offsets [-32, 0] are not a range"},
    {"offsets reversed", NORM, "data_offsets", "[2368, 2336]",
     .message = IN_FILE "tensor model.norm.weight: data_offsets [2368, 2336] are not a range"},
    {"offsets out of range", NORM, "data_offsets", "[0, 9223372036854775807]",
     .message = IN_FILE "tensor model.norm.weight: data_offsets end at 9223372036854775807, the "
                        "file holds 2368 bytes of data: is it truncated?"},
    {"offsets overlap", NORM, "data_offsets", "[0, 32]",
     .message =
         IN_FILE "the data of tensors model.norm.weight and model.embed_tokens.weight overlap"},
    {"byte count mismatch", NORM, "data_offsets", "[2340, 2368]",
     .message = IN_FILE "tensor model.norm.weight: 28 bytes of data for 8 elements of 4 bytes"},
    {"hole in the data", .mutate = hole,
     .message = IN_FILE "bytes 2336 to 2340 of the data belong to no tensor"},
    {"data after the last tensor", .mutate = trailing_data,
     .message = IN_FILE "bytes 2368 to 2372 of the data belong to no tensor"},
    {"missing tensor", .mutate = tensor_missing,
     .message = IN_FILE "tensor model.norm.weight is missing"},
    {"unknown tensor", .mutate = tensor_unknown,
     .message =
         IN_FILE "tensor model.layers.0.self_attn.q_proj.bias is not one of this architecture's"},
    {"NaN weight", .mutate = weight_nan,
     .message = IN_FILE "tensor model.layers.0.mlp.gate_proj.weight is NaN at element 17"},
    {"infinite weight", .mutate = weight_infinite,
     .message = IN_FILE "tensor model.embed_tokens.weight is infinite at element 39"},
    {"untied without a head", CONFIG, "tie_word_embeddings", "false",
     .message = IN_FILE "tensor lm_head.weight is missing"},
    {"config not JSON", .mutate = config_not_json,
     .message = IN_CONFIG "the file is not valid JSON: '[' or '{' expected near 'hidden' (byte 6)"},
    {"config empty", .mutate = config_empty,
     .message =
         IN_CONFIG "the file is not valid JSON: '[' or '{' expected near end of file (byte 0)"},
    {"config an array", .mutate = config_an_array,
     .message = IN_CONFIG "the file is not a JSON object"},
    {"config with a key twice", .mutate = config_twice,
     .message = IN_CONFIG
     "the file is not valid JSON: duplicate object key near '\"hidden_size\"' (byte 32)"},
    {"missing key", CONFIG, "intermediate_size", NULL,
     .message = IN_CONFIG "intermediate_size is missing"},
    {"wrong type", CONFIG, "hidden_size", "\"8\\u001b[31m\"",
     .message = IN_CONFIG "hidden_size must be an integer from 1 to 1048576, not \"8\\u001B[31m\""},
    {"real for integer", CONFIG, "hidden_size", "8.0",
     .message = IN_CONFIG "hidden_size must be an integer from 1 to 1048576, not 8.0"},
    {"vocabulary of 2^63-1", CONFIG, "vocab_size", "9223372036854775807",
     .message =
         IN_CONFIG "vocab_size must be an integer from 1 to 16777216, not 9223372036854775807"},
    {"negative context", CONFIG, "max_position_embeddings", "-1",
     .message = IN_CONFIG "max_position_embeddings must be an integer from 1 to 16777216, not -1"},
    {"zero layers", CONFIG, "num_hidden_layers", "0",
     .message = IN_CONFIG "num_hidden_layers must be an integer from 1 to 65536, not 0"},
    {"more layers than tensors", CONFIG, "num_hidden_layers", "2",
     .message = IN_FILE "tensor model.layers.1.input_layernorm.weight is missing"},
    {"heads not a multiple of kv heads", CONFIG, "num_key_value_heads", "3",
     .message = IN_CONFIG "num_attention_heads = 4 is not a multiple of num_key_value_heads = 3"},
    {"zero kv heads", CONFIG, "num_key_value_heads", "0",
     .message = IN_CONFIG "num_key_value_heads must be an integer from 1 to 65536, not 0"},
    {"head_dim left out", CONFIG, "head_dim", NULL,
     .message = IN_FILE "tensor model.layers.0.self_attn.q_proj.weight has the shape [16, 8], "
                        "config.json asks for [8, 8]"},
    {"hidden size not a multiple of heads", .mutate = hidden_ragged,
     .message = IN_CONFIG "without head_dim, hidden_size / num_attention_heads = 7 / 4 must be an "
                          "integer from 1 to 512"},
    {"odd head_dim", CONFIG, "head_dim", "3",
     .message = IN_CONFIG "head_dim = 3 is odd, rotary embeddings need pairs"},
    {"head_dim too large", CONFIG, "head_dim", "1024",
     .message = IN_CONFIG "head_dim must be an integer from 1 to 512, not 1024"},
    {"negative epsilon", CONFIG, "rms_norm_eps", "-1.0",
     .message = IN_CONFIG "rms_norm_eps must be a number from 0 to 1, not -1.0"},
    {"theta as text", CONFIG, "rope_theta", "\"1e4\"",
     .message = IN_CONFIG "rope_theta must be a number from 1 to 1e+12, not \"1e4\""},
    {"tie as text", CONFIG, "tie_word_embeddings", "\"yes\"",
     .message = IN_CONFIG "tie_word_embeddings must be true or false, not \"yes\""},
    {"unknown architecture", CONFIG, "architectures", "[\"GPT2LMHeadModel\"]",
     .message =
         IN_CONFIG "architecture \"GPT2LMHeadModel\" is not supported, only \"LlamaForCausalLM\""},
    {"two architectures", CONFIG, "architectures", "[\"LlamaForCausalLM\", \"X\"]",
     .message = IN_CONFIG "architectures must be an array of one name"},
    {"architecture not a list", CONFIG, "architectures", "\"LlamaForCausalLM\"",
     .message = IN_CONFIG "architectures must be an array of one name"},
    {"other model_type", CONFIG, "model_type", "\"mistral\"",
     .message = IN_CONFIG "model_type \"mistral\" is not supported, only \"llama\""},
    {"rope_scaling", CONFIG, "rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8.0}",
     .message = IN_CONFIG "rope_scaling = an object is not supported"},
    {"sliding_window", CONFIG, "sliding_window", "4096",
     .message = IN_CONFIG "sliding_window = 4096 is not supported"},
    {"attention_bias", CONFIG, "attention_bias", "true",
     .message = IN_CONFIG "attention_bias = true is not supported"},
    {"other activation", CONFIG, "hidden_act", "\"gelu\"",
     .message = IN_CONFIG "hidden_act \"gelu\" is not supported, only \"silu\""},
    {"no architecture", .mutate = no_architecture,
     .message = IN_CONFIG "architectures and model_type are missing"},
};
const size_t bad_checkpoint_count = sizeof bad_checkpoints / sizeof bad_checkpoints[0];
