/* The ranges as a tool sees them, and the probe that later tests rely on: it must see every NVTX
 * call in a timed region. */
#include <nvtx3/nvToolsExt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvtx_probe.h"
#include "platform/nvtx.h"

static void assert_event(int index, nvtx_probe_kind kind, int depth, const char *message) {
  const nvtx_probe_event *event = nvtx_probe_event_at(index);
  assert_non_null(event);
  assert_int_equal(event->kind, kind);
  assert_int_equal(event->depth, depth);
  assert_string_equal(event->message, message);
  assert_string_equal(event->domain, "bench");
}

static int attach(void **state) {
  (void)state;
  bench_nvtx_push("first call");
  bench_nvtx_pop();
  return nvtx_probe_attached() ? 0 : -1;
}

static int forget(void **state) {
  (void)state;
  nvtx_probe_reset();
  return 0;
}

static void ranges_nest(void **state) {
  (void)state;
  static const char *const steps[] = {"prepare", "verify", "measure"};
  assert_true(bench_nvtx_available());
  bench_nvtx_push("case");
  for (int i = 0; i < 3; i++) {
    bench_nvtx_push(steps[i]);
    assert_int_equal(nvtx_probe_depth(), 2);
    bench_nvtx_pop();
  }
  bench_nvtx_pop();

  assert_int_equal(nvtx_probe_depth(), 0);
  assert_int_equal(nvtx_probe_event_count(), 8);
  assert_event(0, NVTX_PROBE_PUSH, 0, "case");
  for (int i = 0; i < 3; i++) {
    assert_event(1 + 2 * i, NVTX_PROBE_PUSH, 1, steps[i]);
    assert_event(2 + 2 * i, NVTX_PROBE_POP, 1, "");
  }
  assert_event(7, NVTX_PROBE_POP, 0, "");
  assert_int_equal(nvtx_probe_violations(), 0);
}

/* A range that was open before the clock started is fine; whatever happens inside is not. */
static void calls_while_timed_are_violations(void **state) {
  (void)state;
  bench_nvtx_push("measure");
  nvtx_probe_set_timed(1);
  nvtx_probe_set_timed(0);
  assert_int_equal(nvtx_probe_violations(), 0);

  nvtx_probe_set_timed(1);
  bench_nvtx_push("inside");
  assert_int_equal(nvtx_probe_violations(), 1);
  assert_true(nvtx_probe_event_at(1)->timed);
  bench_nvtx_pop();
  assert_int_equal(nvtx_probe_violations(), 2);
  nvtxRangeEnd(nvtxRangeStartA("elsewhere"));
  assert_int_equal(nvtx_probe_violations(), 4);
  nvtxMarkA("mark");
  assert_int_equal(nvtx_probe_violations(), 5);
  nvtxRangePushA("default domain");
  nvtxRangePop();
  assert_int_equal(nvtx_probe_violations(), 7);
  nvtx_probe_set_timed(0);
  bench_nvtx_pop();
  assert_int_equal(nvtx_probe_violations(), 7);
  assert_int_equal(nvtx_probe_depth(), 0);
}

static void a_pop_too_many_is_a_violation(void **state) {
  (void)state;
  bench_nvtx_pop();
  assert_int_equal(nvtx_probe_violations(), 1);
  assert_int_equal(nvtx_probe_depth(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(ranges_nest, forget),
      cmocka_unit_test_setup(calls_while_timed_are_violations, forget),
      cmocka_unit_test_setup(a_pop_too_many_is_a_violation, forget),
  };
  return cmocka_run_group_tests(tests, attach, NULL);
}
