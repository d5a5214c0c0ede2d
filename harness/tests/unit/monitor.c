/* The state of the device around samples: what a driver or the kernel tells, on stand-ins of both,
 * and what follows from it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/proc.h"
#include "scratch.h"
#include "src/energy.h"
#include "src/monitor.h"

static bool lacking; /* run where no NVML is installed */

static void nvml_of_a_driver(void **state) {
  (void)state;
  bench_nvml *nvml = NULL;
  bench_error error = {.message = ""};
  if (lacking) {
    assert_int_equal(bench_nvml_open("GPU-fake", &nvml, &error), BENCH_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "libnvidia-ml.so.1"));
    return;
  }
  assert_int_equal(bench_nvml_open("GPU-other", &nvml, &error), BENCH_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.message, "Not Found"));
  assert_int_equal(bench_nvml_open("GPU-fake", &nvml, &error), BENCH_OK);
  bench_nvml_state told;
  bench_nvml_read(nvml, &told);
  assert_true(told.sm_mhz == 1755 && told.temp_c == 61 && isnan(told.power_w));
  const double energy_j = told.energy_j;
  bench_nvml_read(nvml, &told);
  assert_true(told.energy_j == energy_j + 500);
  assert_int_equal(told.throttle, 0x44);
  bench_nvml_close(nvml);
}

static void monitor_of_a_gpu(void **state) {
  (void)state;
  const bench_device device = {.backend = "cuda", .uuid = "GPU-fake"};
  bench_monitor monitor;
  bench_monitor_mark from;
  bench_monitor_mark to;
  bench_monitor_report report;
  bench_monitor_open(&device, &monitor);
  bench_monitor_take(&monitor, &from);
  bench_monitor_take(&monitor, &to);
  bench_monitor_report_state(&from, &to, &report);
  if (lacking) {
    assert_non_null(strstr(monitor.no_energy, "not installed"));
    assert_true(isnan(report.temp_c) && report.throttle[0] == '\0' && report.fault[0] == '\0');
  } else {
    assert_string_equal(report.throttle, "sw_power_cap|hw_thermal");
    assert_non_null(strstr(report.fault, "hw_thermal"));
    assert_true(report.temp_c == 61 && to.energy_j - from.energy_j == 500);
    assert_true(isnan(report.steal_pct) && isnan(report.load_1min));
  }
  bench_monitor_close(&monitor);
}

static void throttle_reasons(void **state) {
  (void)state;
  char text[64];
  bench_throttle_format(0x1, text, sizeof text); /* idle is no reason */
  assert_string_equal(text, "");
  bench_throttle_format(0xff, text, sizeof text);
  assert_true(strlen(text) == sizeof text - 1 || strstr(text, "hw_power_brake") != NULL);
  assert_false(bench_throttle_is_fault(0x1 | 0x2 | 0x4 | 0x10));
  for (uint64_t bit = 1; bit <= 0x80; bit *= 2) {
    assert_int_equal(bench_throttle_is_fault(bit), (bit & (0x8 | 0x20 | 0x40 | 0x80)) != 0);
  }
}

static void cpu_accounts(void **state) {
  (void)state;
  const bench_cpu_times times =
      bench_cpu_times_parse("cpu  100 1 50 800 9 3 7 30 5 0\ncpu0 1 2 3\n");
  assert_true(times.total == 1000 && times.steal == 30);
  assert_true(bench_cpu_times_parse("cpu 1 2 3").total == -1);
  assert_true(bench_cpu_times_parse("").total == -1);
  bench_monitor_mark from = {.cpu = {1000, 30}, .load_1min = 2.5};
  bench_monitor_mark to = {.cpu = {1200, 40}};
  bench_monitor_report report;
  bench_monitor_report_state(&from, &to, &report);
  assert_true(fabs(report.steal_pct - 5) < 1e-12 && report.load_1min == 2.5);
  assert_string_equal(report.fault, "");
  to.cpu.steal = 60;
  bench_monitor_report_state(&from, &to, &report);
  assert_non_null(strstr(report.fault, "15 %"));
  to.cpu.total = -1;
  bench_monitor_report_state(&from, &to, &report);
  assert_true(isnan(report.steal_pct) && report.fault[0] == '\0');
}

static void put(const char *folder, const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void rapl_counters(void **state) {
  (void)state;
  char folders[3][256];
  static const char *const names[] = {"package-0\n", "package-1\n", "psys\n"};
  bench_error error;
  bench_rapl rapl;
  assert_int_equal(bench_rapl_open(scratch_folder(), &rapl, &error), BENCH_ERR_UNSUPPORTED);
  for (int i = 0; i < 3; i++) {
    snprintf(folders[i], sizeof folders[i], "%s/intel-rapl:%d", scratch_folder(), i);
    assert_int_equal(bench_proc_mkdirs(folders[i], &error), BENCH_OK);
    put(folders[i], "name", names[i]);
    put(folders[i], "energy_uj", "900000\n");
    put(folders[i], "max_energy_range_uj", "1000000\n");
  }
  assert_int_equal(bench_rapl_open(scratch_folder(), &rapl, &error), BENCH_OK);
  assert_int_equal(rapl.packages, 2);
  assert_true(bench_rapl_read(&rapl) == 0);
  put(folders[0], "energy_uj", "950000\n");
  put(folders[1], "energy_uj", "100000\n"); /* gone round */
  assert_true(fabs(bench_rapl_read(&rapl) - 0.25) < 1e-12);
  put(folders[1], "energy_uj", "\n");
  assert_true(isnan(bench_rapl_read(&rapl)));
  assert_int_equal(bench_rapl_open(scratch_folder(), &rapl, &error), BENCH_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.message, "cannot be read"));
}

/* A counter of our own, and windows of which the clock's share is made up. */
typedef struct meter {
  bench_monitor monitor;
  bench_energy energy;
  char folder[256];
  int64_t regions;
  double busy_s;
  double joules;
} meter;

static void begin(meter *m) {
  bench_error error;
  *m = (meter){.monitor = {.idle_w = 100}};
  snprintf(m->folder, sizeof m->folder, "%s/one/intel-rapl:0", scratch_folder());
  assert_int_equal(bench_proc_mkdirs(m->folder, &error), BENCH_OK);
  put(m->folder, "name", "package-0\n");
  put(m->folder, "energy_uj", "0\n");
  put(m->folder, "max_energy_range_uj", "900000000000\n");
  char root[256];
  snprintf(root, sizeof root, "%s/one", scratch_folder());
  assert_int_equal(bench_rapl_open(root, &m->monitor.rapl, &error), BENCH_OK);
  bench_energy_begin(&m->monitor, &m->energy);
}

/* `seconds` go by, in which 100 regions take `joules`, and keep the device busy for `busy_s`. */
static void go_by(meter *m, double seconds, double joules, double busy_s) {
  char text[32];
  m->joules += joules;
  m->regions += 100;
  m->busy_s += busy_s;
  snprintf(text, sizeof text, "%.0f\n", 1e6 * m->joules);
  put(m->folder, "energy_uj", text);
  m->energy.from.time_s -= seconds;
  m->energy.to.time_s -= seconds;
  bench_energy_follow(&m->monitor, &m->energy, m->regions, m->busy_s);
}

static bench_monitor_report report_of(const meter *m) {
  bench_monitor_report report = {.energy_j = NAN, .power_w = NAN};
  bench_energy_report(&m->monitor, &m->energy, &report);
  return report;
}

static void energy_above_rest(void **state) {
  (void)state;
  static const struct {
    double joules[3]; /* of each window of 2 s, of which rest takes 200 */
    double busy_s;
    double each_j; /* of a region */
    const char *valid;
  } cases[] = {
      {{600, 600, 600}, 1.95, 4, "yes"},
      {{600, 610, 590}, 1.95, 4, "yes"},
      {{500, 600, 600}, 1.95, 11.0 / 3, "windows differ by 27 %"},
      {{600, 600, 600}, 1.0, 4, "busy 50 % of the time"},
      {{190, 190, 190}, 1.95, -0.1, "no more than at rest"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    meter m;
    begin(&m);
    for (int w = 0; w < 3; w++) {
      go_by(&m, 2.0, cases[i].joules[w], cases[i].busy_s);
    }
    bench_monitor_report report = report_of(&m);
    assert_string_equal(report.energy_valid, cases[i].valid);
    assert_true(fabs(report.energy_j - cases[i].each_j) < 0.02);
    assert_true(fabs(report.power_w - m.joules / 6) < 2);
  }
}

static void energy_of_windows_alone(void **state) {
  (void)state;
  meter m;
  begin(&m);
  assert_true(bench_energy_span_s(&m.monitor) > 6);
  assert_string_equal(report_of(&m).energy_valid, "0 of 3 windows of 2 s");
  assert_true(isnan(report_of(&m).energy_j));
  go_by(&m, 1.9, 500, 1.8); /* goes into the first window, which is not full */
  assert_int_equal(m.energy.windows, 0);
  go_by(&m, 0.2, 100, 0.2);
  assert_int_equal(m.energy.windows, 1);
  assert_int_equal(m.energy.regions, 200);
  go_by(&m, 1.0, 900, 1.0); /* no window is closed over it: it does not count */
  assert_true(fabs(report_of(&m).energy_j - (600 - 210) / 200.0) < 0.02);
  assert_string_equal(report_of(&m).energy_valid, "1 of 3 windows of 2 s");
  put(m.folder, "energy_uj", "\n");
  m.energy.to.time_s -= 2;
  bench_energy_follow(&m.monitor, &m.energy, m.regions + 1, m.busy_s);
  assert_string_equal(report_of(&m).energy_valid, "the counter was not read");
  assert_true(isnan(report_of(&m).energy_j));
  snprintf(m.monitor.no_energy, sizeof m.monitor.no_energy, "no RAPL counter");
  assert_string_equal(report_of(&m).energy_valid, "no RAPL counter");
  assert_true(bench_energy_span_s(&m.monitor) == 0);
}

int main(int argc, char **argv) {
  (void)argv;
  lacking = argc > 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nvml_of_a_driver),  cmocka_unit_test(monitor_of_a_gpu),
      cmocka_unit_test(throttle_reasons),  cmocka_unit_test(cpu_accounts),
      cmocka_unit_test(energy_above_rest), cmocka_unit_test(energy_of_windows_alone),
      cmocka_unit_test(rapl_counters),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
