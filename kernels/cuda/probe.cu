/* The kernels of probe.h.
 *
 * hold. A launch takes the host some microseconds, and not always the same. So that they stay out
 * of a timed region, its stream is first held by one thread that waits for a word in the host's
 * memory; the host enqueues everything and then writes the word. Some calls of the host wait for
 * the device (the first use of a module, an allocation): with the stream held both would wait for
 * ever, so the hold ends by itself after a limit, and says so.
 *
 * stamp. A multiprocessor's cycle counter means nothing on another one, so every multiprocessor
 * gets a block and only number 0 writes. */
#include "cuda/probe.h"

#include "cuda/device_clock.h"

#define READ_THREADS 256
#define READ_BLOCKS_PER_SM 8
#define READ_SHIFT 37 /* blocks; no multiple of a multiprocessor count */

BENCH_KERNEL_FN(1) void hold_stream(cuda_probe_page *page, uint64_t limit_ns) {
  const uint64_t start = clock_global_ns();
  while (page->release == 0) {
    if (clock_global_ns() - start > limit_ns) {
      page->expired = 1;
      return;
    }
  }
}

BENCH_KERNEL_FN(1) void write_stamp(cuda_probe_page *page, int which) {
  if (multiprocessor() == 0) {
    page->cycles[which] = clock_cycles();
    page->time_ns[which] = clock_global_ns();
  }
}

BENCH_KERNEL_FN(1) void pass_time(uint64_t time_ns) {
  const uint64_t start = clock_global_ns();
  while (clock_global_ns() - start < time_ns) {
  }
}

/* With each pass a block reads what another one read before, so that nothing comes out of its
 * multiprocessor's own cache. */
BENCH_KERNEL_FN(READ_THREADS)
void read_words(const uint64_t *from, int64_t words, int passes, uint64_t *sink) {
  const int64_t step = grid_x() * block_dim_x();
  uint64_t sum = 0;
  for (int pass = 0; pass < passes; pass++) {
    const int64_t block = (block_x() + (int64_t)pass * READ_SHIFT) % grid_x();
    for (int64_t i = block * block_dim_x() + thread_x(); i < words / 2; i += step) {
      const ulonglong2 pair = reinterpret_cast<const ulonglong2 *>(from)[i];
      sum += pair.x ^ pair.y;
    }
  }
  if (sum == 0x9e3779b97f4a7c15u) { /* hardly ever, but no compiler knows */
    *sink = sum;
  }
}

bench_code cuda_probe_hold(void *stream, cuda_probe_page *page, uint64_t limit_ns) {
  return BENCH_LAUNCH(hold_stream, 1, 1, 0, stream, page, limit_ns);
}

bench_code cuda_probe_stamp(void *stream, int sm_count, cuda_probe_page *page, int which) {
  return BENCH_LAUNCH(write_stamp, sm_count, 1, 0, stream, page, which);
}

bench_code cuda_probe_delay(void *stream, uint64_t time_ns) {
  return BENCH_LAUNCH(pass_time, 1, 1, 0, stream, time_ns);
}

bench_code cuda_probe_read(void *stream, int sm_count, const void *from, size_t bytes, int passes,
                           void *sink) {
  return BENCH_LAUNCH(read_words, sm_count * READ_BLOCKS_PER_SM, READ_THREADS, 0, stream,
                      static_cast<const uint64_t *>(from), static_cast<int64_t>(bytes / 8), passes,
                      static_cast<uint64_t *>(sink));
}
