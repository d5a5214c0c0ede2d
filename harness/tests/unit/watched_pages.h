/* Memory whose every touch is noted: a page faults when it is touched, unless it is the one that
 * was touched last. For code of one thread. */
#ifndef BENCH_TESTS_WATCHED_PAGES_H
#define BENCH_TESTS_WATCHED_PAGES_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

enum { TOUCHES_MAX = 1000, WRITE_FAULT = 2 /* of x86's error code */ };

/* Elsewhere a fault does not say what it was for. */
#if defined(__x86_64__)
#define WATCH_TELLS_WRITES true
#else
#define WATCH_TELLS_WRITES false
#endif

static char *watched;
static size_t watched_bytes;
static size_t page_bytes;
static char *open_page;
static int touches;
static size_t touched[TOUCHES_MAX]; /* pages, in the order of the touches */
static bool wrote[TOUCHES_MAX];
static struct sigaction handler_before;

static void note_touch(int signal, siginfo_t *info, void *context) {
  char *at = info->si_addr;
  (void)signal;
  if (at < watched || at >= watched + watched_bytes || touches == TOUCHES_MAX) {
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

/* Maps `bytes` to be watched; NULL if that cannot be. */
static void *watched_map(size_t bytes) {
  watched = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  watched_bytes = bytes;
  page_bytes = (size_t)sysconf(_SC_PAGESIZE);
  open_page = NULL;
  touches = 0;
  return watched == MAP_FAILED ? NULL : watched;
}

static void watch_begin(void) {
  const struct sigaction action = {.sa_sigaction = note_touch, .sa_flags = SA_SIGINFO | SA_NODEFER};
  assert_int_equal(sigaction(SIGSEGV, &action, &handler_before), 0);
}

static void watch_end(void) {
  sigaction(SIGSEGV, &handler_before, NULL);
}

#endif
