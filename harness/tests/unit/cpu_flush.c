/* The cpu backend's flush: another buffer of twice the last-level cache is written, all of it, and
 * then read, all of it. Seen by memory that faults at each page: of all pages only the one that was
 * touched last can be touched again without being noted. */
#include <omp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/cpu.h"

#define CACHE_BYTES (160 << 10) /* no power of two */
#define FLUSH_BYTES (2 * (size_t)CACHE_BYTES)

enum { TOUCHES_MAX = 1000, WRITE_FAULT = 2 /* of x86's error code */ };

static char *watched;
static size_t page_bytes;
static char *open_page;
static int touches;
static size_t touched[TOUCHES_MAX];
static bool wrote[TOUCHES_MAX];

static void note(int signal, siginfo_t *info, void *context) {
  char *at = info->si_addr;
  (void)signal;
  if (at < watched || at >= watched + FLUSH_BYTES || touches == TOUCHES_MAX) {
    _exit(1);
  }
  touched[touches] = (size_t)(at - watched) / page_bytes;
#if defined(__x86_64__)
  wrote[touches] = (((const ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & WRITE_FAULT) != 0;
#else
  (void)context;
#endif
  if (open_page != NULL) {
    mprotect(open_page, page_bytes, PROT_NONE);
  }
  open_page = watched + touched[touches] * page_bytes;
  mprotect(open_page, page_bytes, PROT_READ | PROT_WRITE);
  touches++;
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes) {
  if (bytes != FLUSH_BYTES) {
    return __real_malloc(bytes);
  }
  watched = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return watched == MAP_FAILED ? NULL : watched;
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
  const struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_NODEFER};
  page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  assert_int_equal(backend->open(0, 1, &context, &error), BENCH_OK);
  ((bench_device *)backend->device(context))->llc_bytes = CACHE_BYTES;
  struct sigaction before;
  sigaction(SIGSEGV, &action, &before);
  omp_set_num_threads(1);
  assert_int_equal(backend->flush_cache(context, &error), BENCH_OK);
  sigaction(SIGSEGV, &before, NULL);
  const size_t pages = FLUSH_BYTES / page_bytes;
  assert_true(pages > 0);
  assert_non_null(watched);
  assert_int_equal(touches, 2 * pages);
  for (size_t i = 0; i < 2 * pages; i++) {
    assert_int_equal(touched[i], i % pages);
#if defined(__x86_64__)
    assert_int_equal(wrote[i], i < pages);
#endif
  }
  backend->close(context);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(writes_and_reads_twice_the_cache)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
