/* Any bytes as a safetensors file: parsed or refused, and what is parsed can be read. */
#include <stddef.h>
#include <stdint.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  bench_safetensors file;
  bench_error error;
  if (bench_safetensors_parse("fuzz", bytes, size, &file, &error) != BENCH_OK) {
    return 0;
  }
  for (size_t i = 0; i < file.count; i++) {
    const bench_safetensor *tensor = &file.tensors[i];
    float last;
    if (bench_safetensors_find(&file, tensor->name) != tensor) {
      __builtin_trap();
    }
    if (tensor->elements > 0) {
      bench_safetensor_read(tensor, tensor->elements - 1, 1, &last);
    }
  }
  bench_safetensors_free(&file);
  return 0;
}
