/* Any bytes as a token file. The first byte chooses the format, the width and the vocabulary; every
 * id that is accepted must be in the vocabulary. */
#include <stddef.h>
#include <stdint.h>

#include "model/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char *const paths[] = {"t.npy", "t.bin", "t.txt", "t.npy"};
  static const int64_t vocabularies[] = {1, 256, 512, INT64_C(1) << 24};
  bench_tokens tokens;
  bench_error error;
  if (size == 0) {
    return 0;
  }
  const int64_t vocab = vocabularies[bytes[0] >> 2 & 3];
  const bool wide = (bytes[0] & 16) != 0;
  if (bench_tokens_parse(paths[bytes[0] & 3], bytes + 1, size - 1, wide, vocab, &tokens, &error) !=
      BENCH_OK) {
    return 0;
  }
  for (int64_t i = 0; i < tokens.count; i++) {
    if (tokens.ids[i] < 0 || tokens.ids[i] >= vocab) {
      __builtin_trap();
    }
  }
  bench_tokens_free(&tokens);
  return 0;
}
