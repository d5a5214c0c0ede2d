/* The cpu backend's flush: another buffer of twice the last-level cache is written, all of it, and
 * then read, all of it. */
#include <omp.h>
#include <stdlib.h>

#include "backends/cpu.h"
#include "watched_pages.h"

#define CACHE_BYTES (160 << 10) /* no power of two */
#define FLUSH_BYTES (2 * (size_t)CACHE_BYTES)

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes) {
  return bytes == FLUSH_BYTES ? watched_map(bytes) : __real_malloc(bytes);
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory) {
  if (memory != NULL && memory == watched) {
    munmap(memory, FLUSH_BYTES);
  } else {
    __real_free(memory);
  }
}

static void writes_and_reads_twice_the_cache(void **state) {
  (void)state;
  bench_error error;
  bench_context *context;
  const bench_backend *backend = bench_backend_cpu();
  assert_int_equal(backend->open(0, 1, &context, &error), BENCH_OK);
  ((bench_device *)backend->device(context))->llc_bytes = CACHE_BYTES;
  omp_set_num_threads(1);
  watch_begin();
  assert_int_equal(backend->flush_cache(context, &error), BENCH_OK);
  assert_non_null(watched);
  watch_end();
  const size_t pages = FLUSH_BYTES / page_bytes;
  assert_int_equal(touches, 2 * pages);
  for (size_t i = 0; i < 2 * pages; i++) {
    assert_int_equal(touched[i], i < pages ? i : i - pages);
    assert_int_equal(wrote[i], WATCH_TELLS_WRITES && i < pages);
  }
  backend->close(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(writes_and_reads_twice_the_cache)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
