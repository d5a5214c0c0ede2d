/* Texts of times, memory figures of this process, cgroup files of both versions, and folders. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/proc.h"
#include "scratch.h"

static const char *folder; /* scratch_folder() */

static void write_file(const char *name, const char *text) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  char *slash = strrchr(path, '/');
  *slash = '\0';
  assert_int_equal(bench_proc_mkdirs(path, NULL), BENCH_OK);
  *slash = '/';
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static void texts_of_times(void **state) {
  (void)state;
  char text[BENCH_TIME_MAX];
  bench_proc_time_iso(1709210096, text); /* a leap day */
  assert_string_equal(text, "2024-02-29T12:34:56Z");
  bench_proc_time_compact(1709210096, text);
  assert_string_equal(text, "20240229-123456");
  bench_proc_time_iso(0, text);
  assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void clock_goes_forward(void **state) {
  (void)state;
  int64_t before = bench_proc_monotonic_ns();
  usleep(2000);
  int64_t after = bench_proc_monotonic_ns();
  assert_true(after - before >= 2000000);
  assert_true(bench_proc_monotonic_s() >= (double)after * 1e-9);
}

static void own_memory(void **state) {
  (void)state;
  const size_t bytes = (size_t)64 << 20;
  int64_t before = bench_proc_mem_resident_bytes();
  assert_true(before > 0);
  char *memory = malloc(bytes);
  assert_non_null(memory);
  memset(memory, 1, bytes);
  assert_true(bench_proc_mem_resident_bytes() >= before + (int64_t)bytes * 9 / 10);
  free(memory);
  int64_t peak = bench_proc_mem_peak_bytes();
  assert_true(peak >= before + (int64_t)bytes * 9 / 10);
  int64_t total = bench_proc_mem_total_bytes();
  int64_t available = bench_proc_mem_available_bytes();
  assert_true(available > 0 && available <= total);
  if (bench_proc_mem_resident_bytes() < peak && bench_proc_mem_peak_reset()) {
    assert_true(bench_proc_mem_peak_bytes() < peak);
  }
}

static void cgroup_v2_takes_the_tightest_ancestor(void **state) {
  (void)state;
  write_file("v2/memory.max", "max\n");
  write_file("v2/memory.events", "oom 9\noom_kill 9\n");
  write_file("v2/job/memory.max", "8000\n");
  write_file("v2/job/memory.current", "7000\n");
  write_file("v2/job/memory.stat", "anon 6000\ninactive_file 500\n");
  write_file("v2/job/step/memory.max", "9000\n");
  write_file("v2/job/step/memory.current", "10\n");
  write_file("v2/job/step/memory.events", "low 0\noom 4\noom_kill 3\noom_group_kill 0\n");
  char mount[PATH_MAX];
  snprintf(mount, sizeof mount, "%s/v2", folder);
  bench_cgroup_memory memory = bench_proc_cgroup_memory("0::/job/step\n", mount);
  assert_int_equal(memory.limit_bytes, 8000);
  assert_int_equal(memory.available_bytes, 1500);
  assert_int_equal(memory.oom_kills, 3);

  /* In a container, the path named by /proc is not below the mount. */
  memory = bench_proc_cgroup_memory("0::/elsewhere\n", mount);
  assert_int_equal(memory.limit_bytes, -1);
  assert_int_equal(memory.available_bytes, -1);
  assert_int_equal(memory.oom_kills, 9);
  write_file("v2/memory.max", "5000\n");
  write_file("v2/memory.current", "6000\n"); /* over the limit for a moment */
  memory = bench_proc_cgroup_memory("0::/elsewhere\n", mount);
  assert_int_equal(memory.limit_bytes, 5000);
  assert_int_equal(memory.available_bytes, 0);
}

static void cgroup_v1_and_none(void **state) {
  (void)state;
  write_file("v1/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write_file("v1/memory/a/memory.limit_in_bytes", "4096000\n");
  write_file("v1/memory/a/memory.usage_in_bytes", "1000000\n");
  write_file("v1/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 200000\n");
  write_file("v1/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
  char mount[PATH_MAX];
  snprintf(mount, sizeof mount, "%s/v1", folder);
  bench_cgroup_memory memory =
      bench_proc_cgroup_memory("12:cpuset:/a\n4:memory:/a\n0::/init\n", mount);
  assert_int_equal(memory.limit_bytes, 4096000);
  assert_int_equal(memory.available_bytes, 3296000);
  assert_int_equal(memory.oom_kills, 7);

  memory = bench_proc_cgroup_memory("4:memory:/\n", mount);
  assert_int_equal(memory.limit_bytes, -1);
  memory = bench_proc_cgroup_memory("", mount);
  assert_int_equal(memory.limit_bytes, -1);
  assert_int_equal(memory.available_bytes, -1);
}

static void names(void **state) {
  (void)state;
  char host[BENCH_HOST_MAX];
  bench_proc_host(host);
  assert_true(strlen(host) > 0);
  char path[PATH_MAX];
  assert_true(bench_proc_executable(path, sizeof path));
  assert_string_equal(strrchr(path, '/'), "/test_proc");
  assert_false(bench_proc_executable(path, 5));
  assert_true(bench_proc_load_1min() >= 0);
}

static void folders(void **state) {
  (void)state;
  char path[PATH_MAX];
  bench_error error;
  struct stat found;
  snprintf(path, sizeof path, "%s/a/b//c/", folder);
  assert_int_equal(bench_proc_mkdirs(path, &error), BENCH_OK);
  assert_int_equal(stat(path, &found), 0);
  assert_true(S_ISDIR(found.st_mode));
  assert_int_equal(bench_proc_mkdirs(path, &error), BENCH_OK);

  write_file("file", "");
  snprintf(path, sizeof path, "%s/file/x", folder);
  assert_int_equal(bench_proc_mkdirs(path, &error), BENCH_ERR_ENV);
  assert_non_null(strstr(error.message, "not a folder"));
  assert_int_equal(bench_proc_mkdirs("/proc/no/such", &error), BENCH_ERR_ENV);
  assert_non_null(strstr(error.message, "/proc/no: cannot make the folder"));
  assert_int_equal(bench_proc_mkdirs("", &error), BENCH_ERR_USAGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(texts_of_times),
      cmocka_unit_test(clock_goes_forward),
      cmocka_unit_test(own_memory),
      cmocka_unit_test(cgroup_v2_takes_the_tightest_ancestor),
      cmocka_unit_test(cgroup_v1_and_none),
      cmocka_unit_test(names),
      cmocka_unit_test(folders),
  };
  folder = scratch_folder();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
