/* Any bytes as a line of the worker protocol: what is taken for a problem is one, within its
 * limits, and says the same when it is sent on; columns and devices go into their structs. */
#include <stdint.h>
#include <string.h>

#include "src/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void try_attn(const json_t *json) {
  bench_attn attn;
  bench_attn again;
  bench_error error;
  if (bench_attn_from_json(json, &attn, &error) != BENCH_OK) {
    return;
  }
  json_t *sent = bench_attn_to_json(&attn);
  if (bench_attn_check(&attn, &error) != BENCH_OK ||
      bench_attn_from_json(sent, &again, &error) != BENCH_OK ||
      bench_attn_id(&attn) != bench_attn_id(&again)) {
    __builtin_trap();
  }
  json_decref(sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  json_t *json = json_loadb((const char *)bytes, size, 0, NULL);
  bench_device device;
  bench_error error;
  bench_row row;
  bench_head_row head;
  try_attn(json);
  try_attn(json_object_get(json, "attn"));
  if (bench_device_from_json(json_object_get(json, "device"), &device, &error) == BENCH_OK) {
    json_decref(bench_device_to_json(&device));
  }
  bench_table_clear(&bench_sweep_table, &row);
  bench_fields_from_json(&bench_sweep_table, json_object_get(json, "columns"), &row);
  json_decref(bench_fields_to_json(&bench_sweep_table, &row));
  bench_table_clear(&bench_head_table, &head);
  bench_fields_from_json(&bench_head_table, json_object_get(json, "values"), &head);
  json_decref(json);
  return 0;
}
