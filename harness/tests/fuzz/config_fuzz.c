/* Fuzzes bench_config_parse: the input is a config and, behind each byte 0x01, one --set. Nothing
 * is asked of the answer but that a refusal has a message and that nothing leaks. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/config.h"

enum { SETS_MAX = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *mark = memchr(data, 1, size);
  const size_t bytes = mark == NULL ? size : (size_t)(mark - data);
  /* Copies of their own, so that reading one byte too far is seen. */
  char *text = malloc(bytes > 0 ? bytes : 1);
  char *sets_text = malloc(size - bytes + 1);
  if (text == NULL || sets_text == NULL) {
    abort();
  }
  memcpy(text, data, bytes);
  memcpy(sets_text, data + bytes, size - bytes);
  sets_text[size - bytes] = '\0';
  const char *sets[SETS_MAX];
  size_t count = 0;
  char *rest = NULL;
  for (char *set = strtok_r(sets_text, "\x01", &rest); set != NULL && count < SETS_MAX;
       set = strtok_r(NULL, "\x01", &rest)) {
    sets[count++] = set;
  }
  bench_config config;
  bench_error error = {0};
  if (bench_config_parse("fuzz.toml", "folder", text, bytes, sets, count, &config, &error) ==
      BENCH_OK) {
    bench_config_free(&config);
  } else if (error.message[0] == '\0') {
    abort();
  }
  free(sets_text);
  free(text);
  return 0;
}
