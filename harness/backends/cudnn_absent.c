/* cudnn.h in a build without the headers of cuDNN and its frontend. */
#include "bench/cudnn.h"

const char *bench_cudnn_why_not(void) {
  return "this build has no cuDNN: its headers were not found (README: building with cuDNN)";
}

bench_code bench_cudnn_attention(const bench_launch *launch) {
  return bench_fail(launch->error, BENCH_ERR_UNSUPPORTED, "%s", bench_cudnn_why_not());
}
