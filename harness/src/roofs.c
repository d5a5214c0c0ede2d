/* Roofs as JSON, and how near a row comes to them: see bench/roofs.h. */
#include "bench/roofs.h"

#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "src/roofs.h"

static const struct {
  const char *name;
  const char *unit;
  const char *help;
  size_t offset;
} fields[] = {
#define ROOF(name, unit, help) {#name, unit, help, offsetof(bench_roofs, name)},
    BENCH_ROOFS(ROOF)
#undef ROOF
};
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static double *field_of(bench_roofs *roofs, size_t index) {
  return (double *)((char *)roofs + fields[index].offset);
}

json_t *bench_roofs_to_json(const bench_roofs *roofs) {
  json_t *json = json_object();
  bench_roofs copy = *roofs;
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    const double value = *field_of(&copy, i);
    json_object_set_new(json, fields[i].name, isfinite(value) ? json_real(value) : json_null());
  }
  return json;
}

void bench_roofs_from_json(const json_t *json, bench_roofs *out) {
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    const json_t *value = json_object_get(json, fields[i].name);
    const double number = json_number_value(value);
    *field_of(out, i) = json_is_number(value) && isfinite(number) && number > 0 ? number : NAN;
  }
}

const char *bench_roof_describe(size_t index, const char **unit, const char **help) {
  if (index >= FIELD_COUNT) {
    return NULL;
  }
  *unit = fields[index].unit;
  *help = fields[index].help;
  return fields[index].name;
}

/* The text of a member, "" if it is not there. */
static const char *text_of(const json_t *json, const char *name) {
  const char *text = json_string_value(json_object_get(json, name));
  return text == NULL ? "" : text;
}

bench_code bench_roofs_load(const char *path, const bench_device *device, bench_roofs *out,
                            bench_error *error) {
  json_error_t fault;
  json_t *json = json_load_file(path, 0, &fault);
  if (json == NULL) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s:%d:%d: %s", path, fault.line, fault.column,
                      fault.text);
  }
  const json_t *roofs = json_object_get(json, "roofs");
  bench_code code = BENCH_OK;
  if (!json_is_object(roofs)) {
    code = bench_fail(error, BENCH_ERR_USAGE, "%s: it has no \"roofs\"; bench calibrate makes them",
                      path);
  } else if (strcmp(text_of(json, "backend"), device->backend) != 0 ||
             strcmp(text_of(json, "device"), device->name) != 0 ||
             strcmp(text_of(json, "uuid"), device->uuid) != 0 ||
             json_integer_value(json_object_get(json, "threads")) != device->threads) {
    code = bench_fail(error, BENCH_ERR_USAGE,
                      "%s: its roofs are of another device (%s %s, %d threads) than this (%s %s, "
                      "%d threads)",
                      path, text_of(json, "backend"), text_of(json, "device"),
                      (int)json_integer_value(json_object_get(json, "threads")), device->backend,
                      device->name, device->threads);
  } else {
    bench_roofs_from_json(roofs, out);
  }
  json_decref(json);
  return code;
}

static double gemm_tflops(const bench_roofs *roofs, bench_dtype dtype) {
  switch (dtype) {
    case BENCH_FP16:
      return roofs->gemm_fp16_tflops;
    case BENCH_BF16:
      return roofs->gemm_bf16_tflops;
    default:
      return roofs->gemm_fp32_tflops;
  }
}

double bench_roofs_pct(const bench_roofs *roofs, const bench_attn *attn, const bench_device *device,
                       const bench_row *row) {
  const bool warm = strcmp(row->mode, "warm") == 0 || strcmp(row->mode, "sustained") == 0;
  const bool cached = warm && row->bytes_min <= device->llc_bytes;
  const double gb_per_s = cached ? roofs->llc_read_gb_per_s : roofs->read_gb_per_s;
  const double compute_ns = (double)row->flops / gemm_tflops(roofs, attn->dtype) / 1e3;
  const double memory_ns = (double)row->bytes_min / gb_per_s;
  if (!isfinite(compute_ns) || !isfinite(memory_ns)) {
    return NAN;
  }
  return 100 * fmax(compute_ns, memory_ns) / row->time_ns_median;
}
