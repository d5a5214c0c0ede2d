/* Any bytes as a checkpoint's config.json: what is accepted is within the limits that the rest of
 * the code relies on. */
#include <stddef.h>
#include <stdint.h>

#include "model/config_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  bench_model_info info = {0};
  bench_error error;
  if (bench_config_json_parse("fuzz", bytes, size, &info, &error) == BENCH_OK &&
      (info.layers < 1 || info.heads_kv < 1 || info.heads_q % info.heads_kv != 0 ||
       info.head_dim < 2 || info.head_dim > 512 || info.head_dim % 2 != 0 || info.hidden < 1 ||
       info.vocab < 1 || info.intermediate < 1 || !(info.rms_eps >= 0.0))) {
    __builtin_trap();
  }
  return 0;
}
