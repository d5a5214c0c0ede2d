/* Any text as a list of planted faults: refused with a message, or read to its end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  char *text = malloc(size + 1);
  if (text == NULL) {
    abort();
  }
  memcpy(text, bytes, size);
  text[size] = '\0';
  const char *rest = text;
  bench_fault fault = {.kind = ""};
  bench_error error = {0};
  while (fault.kind != NULL) {
    const char *before = rest;
    if (bench_fault_next(&rest, &fault, &error) != BENCH_OK) {
      if (error.message[0] == '\0' || fault.kind != NULL) {
        __builtin_trap();
      }
    } else if (fault.kind != NULL &&
               (rest <= before || fault.number < 1 || bench_fault_at(text, fault.number) == NULL)) {
      __builtin_trap();
    }
  }
  free(text);
  return 0;
}
