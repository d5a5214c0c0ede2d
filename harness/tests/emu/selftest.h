/* What the self-tests of emulated operations share: small kernels run in every schedule. */
#ifndef BENCH_TEST_EMU_SELFTEST_H
#define BENCH_TEST_EMU_SELFTEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cuda/device.h"
#include "emu/emu.h"

extern "C" {
#include <cmocka.h>
}

static inline void set_options(const char *text) {
  emu_options options = emu_options_default;
  bench_error error;
  if (emu_options_parse(text, &options, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  emu_set_options(&options);
  emu_forget_fault();
}

/* The launch went well. */
static inline void assert_runs(bench_code code) {
  if (code != BENCH_OK) {
    fail_msg("%s", emu_fault() == nullptr ? "no fault is told" : emu_fault());
  }
}

/* Calls test() in each of the schedules. */
template <typename Test>
static void in_every_schedule(Test test) {
  static const char *const schedules[] = {"schedule=fifo", "schedule=lifo", "schedule=random:1",
                                          "schedule=random:2,misalign=1"};
  for (const char *schedule : schedules) {
    set_options(schedule);
    test();
  }
}

#endif
