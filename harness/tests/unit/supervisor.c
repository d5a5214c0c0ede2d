/* The parent's side of a worker: what is due is done also while one is waited for that is slow to
 * leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <jansson.h>

#include "scratch.h"
#include "src/protocol.h"
#include "src/supervisor.h"

static const volatile int stop;

static void count(void *context) {
  ++*(int *)context;
}

/* A worker that says hello and stays for a minute after its pipe was closed. */
static const char *lingering_worker(void) {
  const bench_device device = {.backend = "cpu", .name = "test", .numa_node = -1, .threads = 1};
  json_t *hello = json_pack("{s:s s:i s:o}", "ev", "hello", "protocol", BENCH_PROTOCOL, "device",
                            bench_device_to_json(&device));
  char *text = json_dumps(hello, JSON_COMPACT);
  char script[8192];
  snprintf(script, sizeof script, "#!/bin/sh\nread hello\necho '%s'\nread nothing\nsleep 60\n",
           text);
  free(text);
  json_decref(hello);
  const char *path = scratch_file("lingering", script);
  assert_int_equal(chmod(path, 0700), 0);
  return path;
}

static void idle_while_a_worker_leaves(void **state) {
  (void)state;
  bench_supervisor *worker;
  bench_device device;
  bench_error error;
  int idled = 0;
  assert_int_equal(bench_supervisor_open(lingering_worker(), "cpu", 0, 1, &stop, &worker, &error),
                   BENCH_OK);
  assert_int_equal(bench_supervisor_device(worker, &device, &error), BENCH_OK);
  bench_supervisor_on_idle(worker, count, &idled);
  bench_supervisor_restart(worker);
  assert_true(idled > 1);
  bench_supervisor_close(worker);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(idle_while_a_worker_leaves),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
