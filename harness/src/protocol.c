/* Problems, devices and rows as JSON. Each struct's members stand once, in a table. */
#include "src/protocol.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct member {
  const char *name;
  size_t offset;
  enum { INT64_MEMBER, INT_MEMBER, TEXT_MEMBER } type;
  size_t capacity;
} member;

#define WIDE(type, name) \
  { #name, offsetof(type, name), INT64_MEMBER, 0 }
#define NARROW(type, name) \
  { #name, offsetof(type, name), INT_MEMBER, 0 }
#define TEXT(type, name) \
  { #name, offsetof(type, name), TEXT_MEMBER, sizeof((type *)0)->name }
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const member attn_members[] = {
    TEXT(bench_attn, model),    WIDE(bench_attn, params),  WIDE(bench_attn, layers),
    WIDE(bench_attn, batch),    WIDE(bench_attn, heads_q), WIDE(bench_attn, heads_kv),
    WIDE(bench_attn, head_dim), WIDE(bench_attn, d_model), WIDE(bench_attn, seq_q),
    WIDE(bench_attn, seq_kv),
};

static const member device_members[] = {
    TEXT(bench_device, backend),        TEXT(bench_device, name),
    TEXT(bench_device, uuid),           TEXT(bench_device, driver),
    TEXT(bench_device, toolkit),        TEXT(bench_device, pci_bus_id),
    NARROW(bench_device, index),        NARROW(bench_device, numa_node),
    NARROW(bench_device, threads),      NARROW(bench_device, cc),
    NARROW(bench_device, sm_count),     NARROW(bench_device, has_avx2),
    NARROW(bench_device, has_avx512),   NARROW(bench_device, has_avx512_bf16),
    NARROW(bench_device, has_amx_bf16), WIDE(bench_device, smem_bytes),
    WIDE(bench_device, mem_bytes),      WIDE(bench_device, llc_bytes),
};

static json_t *members_to_json(const member *members, size_t count, const void *from) {
  json_t *json = json_object();
  for (size_t i = 0; i < count; i++) {
    const void *field = (const char *)from + members[i].offset;
    json_t *value;
    if (members[i].type == TEXT_MEMBER) {
      value = json_string(field);
    } else if (members[i].type == INT64_MEMBER) {
      value = json_integer(*(const int64_t *)field);
    } else {
      value = json_integer(*(const int *)field);
    }
    json_object_set_new(json, members[i].name, value);
  }
  return json;
}

static bench_code members_from_json(const member *members, size_t count, const json_t *json,
                                    void *to, bench_error *error) {
  for (size_t i = 0; i < count; i++) {
    const json_t *value = json_object_get(json, members[i].name);
    void *field = (char *)to + members[i].offset;
    bool is_text = members[i].type == TEXT_MEMBER;
    if (is_text ? !json_is_string(value) : !json_is_integer(value)) {
      return bench_fail(error, BENCH_ERR_USAGE, "member \"%s\" is not %s", members[i].name,
                        is_text ? "a string" : "an integer");
    }
    if (is_text) {
      bench_text_copy(field, members[i].capacity, json_string_value(value));
    } else if (members[i].type == INT64_MEMBER) {
      *(int64_t *)field = json_integer_value(value);
    } else {
      *(int *)field = (int)json_integer_value(value);
    }
  }
  return BENCH_OK;
}

json_t *bench_device_to_json(const bench_device *device) {
  return members_to_json(device_members, COUNT(device_members), device);
}

bench_code bench_device_from_json(const json_t *json, bench_device *out, bench_error *error) {
  memset(out, 0, sizeof *out);
  return members_from_json(device_members, COUNT(device_members), json, out, error);
}

json_t *bench_attn_to_json(const bench_attn *attn) {
  json_t *json = members_to_json(attn_members, COUNT(attn_members), attn);
  char mask[BENCH_MASK_TEXT_MAX];
  char hash[20];
  char seed[24];
  bench_mask_format(&attn->mask, attn->part, mask);
  snprintf(hash, sizeof hash, "%016" PRIx64, attn->input_hash);
  snprintf(seed, sizeof seed, "%" PRIu64, attn->seed);
  json_object_set_new(json, "dtype", json_string(bench_dtype_name(attn->dtype)));
  json_object_set_new(json, "scope", json_string(bench_scope_name(attn->scope)));
  json_object_set_new(json, "direction", json_string(bench_direction_name(attn->direction)));
  json_object_set_new(json, "input", json_string(bench_input_name(attn->input)));
  json_object_set_new(json, "input_hash", json_string(hash));
  json_object_set_new(json, "seed", json_string(seed));
  json_object_set_new(json, "mask", json_string(mask));
  return json;
}

static const char *text_member(const json_t *json, const char *name) {
  const char *text = json_string_value(json_object_get(json, name));
  return text == NULL ? "" : text;
}

bench_code bench_attn_from_json(const json_t *json, bench_attn *out, bench_error *error) {
  memset(out, 0, sizeof *out);
  bench_code code = members_from_json(attn_members, COUNT(attn_members), json, out, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (!bench_dtype_parse(text_member(json, "dtype"), &out->dtype) ||
      !bench_scope_parse(text_member(json, "scope"), &out->scope) ||
      !bench_direction_parse(text_member(json, "direction"), &out->direction) ||
      !bench_input_parse(text_member(json, "input"), &out->input)) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "a name in dtype, scope, direction or input is not known");
  }
  out->input_hash = strtoull(text_member(json, "input_hash"), NULL, 16);
  out->seed = strtoull(text_member(json, "seed"), NULL, 10);
  bench_mask_choice choice;
  code = bench_mask_parse(text_member(json, "mask"), &choice, error);
  if (code == BENCH_OK) {
    bench_attn_set_mask(out, &choice);
  }
  return code == BENCH_OK ? bench_attn_check(out, error) : code;
}

json_t *bench_fields_to_json(const bench_table *table, const void *row) {
  json_t *json = json_object();
  for (size_t i = 0; i < table->count; i++) {
    const bench_column *column = &table->columns[i];
    const void *field = (const char *)row + column->offset;
    if (column->type == BENCH_TEXT) {
      if (*(const char *)field != '\0') {
        json_object_set_new(json, column->name, json_string(field));
      }
    } else if (column->type == BENCH_INT) {
      if (*(const int64_t *)field != BENCH_MISSING_INT) {
        json_object_set_new(json, column->name, json_integer(*(const int64_t *)field));
      }
    } else if (isfinite(*(const double *)field)) {
      json_object_set_new(json, column->name, json_real(*(const double *)field));
    }
  }
  return json;
}

void bench_fields_from_json(const bench_table *table, const json_t *json, void *row) {
  for (size_t i = 0; i < table->count; i++) {
    const bench_column *column = &table->columns[i];
    const json_t *value = json_object_get(json, column->name);
    void *field = (char *)row + column->offset;
    if (column->type == BENCH_TEXT && json_is_string(value)) {
      bench_field_set_text(column, row, json_string_value(value));
    } else if (column->type == BENCH_INT && json_is_integer(value)) {
      *(int64_t *)field = json_integer_value(value);
    } else if (column->type == BENCH_REAL && json_is_number(value)) {
      *(double *)field = json_number_value(value);
    }
  }
}
