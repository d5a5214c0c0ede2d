/* The kernel `memory`, in all its variants that this CPU has: every page of Q, K and V is read and
 * every page of O and LSE written, once and not otherwise. */
#include <string.h>

#include "backends/cpu.h"
#include "watched_pages.h"

extern const bench_kernel bench_kernel_cpu_memory_generic;
#if defined(__x86_64__)
extern const bench_kernel bench_kernel_cpu_memory_avx2;
extern const bench_kernel bench_kernel_cpu_memory_avx512;
#endif

static const bench_kernel *const kernels[] = {
    &bench_kernel_cpu_memory_generic,
#if defined(__x86_64__)
    &bench_kernel_cpu_memory_avx2,
    &bench_kernel_cpu_memory_avx512,
#endif
};

enum { TENSORS = 5, BACK = 3 /* rows that make the last page of each tensor a short one */ };

static void moves_each_page_once(void **state) {
  (void)state;
  bench_error error;
  bench_context *context;
  const bench_backend *backend = bench_backend_cpu();
  assert_int_equal(backend->open(0, 1, &context, &error), BENCH_OK);
  const bench_device *device = backend->device(context);
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = attn.batch = 1;
  attn.heads_q = 2;
  attn.heads_kv = 1;
  attn.head_dim = 33;
  attn.seq_q = 1000 - BACK;
  attn.seq_kv = 3000 - BACK;
  attn.dtype = BENCH_FP32;
  const size_t q = (size_t)bench_attn_q_elements(&attn) * sizeof(float);
  const size_t kv = (size_t)bench_attn_kv_elements(&attn) * sizeof(float);
  const size_t bytes[TENSORS] = {q, kv, kv, q, (size_t)bench_attn_rows(&attn) * sizeof(float)};
  for (size_t n = 0; n < sizeof kernels / sizeof kernels[0]; n++) {
    char *at[TENSORS];
    size_t pages[TENSORS];
    size_t all = 0;
    if (kernels[n]->why_not(&attn, device) != NULL) {
      continue;
    }
    char *memory = watched_map((q + kv) * 4);
    assert_non_null(memory);
    for (int t = 0; t < TENSORS; t++) {
      pages[t] = (bytes[t] + page_bytes - 1) / page_bytes;
      at[t] = memory + all * page_bytes;
      all += pages[t];
    }
    const bench_launch launch = {.attn = &attn,
                                 .q = at[0],
                                 .k = at[1],
                                 .v = at[2],
                                 .o = at[3],
                                 .lse = (float *)(void *)at[4],
                                 .threads = 1,
                                 .device = device};
    watch_begin();
    assert_int_equal(kernels[n]->launch(&launch), BENCH_OK);
    watch_end();
    assert_int_equal(touches, all);
    for (size_t i = 0; i < all; i++) {
      assert_int_equal(touched[i], i);
      assert_int_equal(wrote[i], WATCH_TELLS_WRITES && i >= pages[0] + pages[1] + pages[2]);
    }
    munmap(memory, watched_bytes);
  }
  backend->close(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(moves_each_page_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
