/* The built CUDA plug-in: it loads without a driver and says so, exports one symbol, and needs no
 * CUDA library; and which architectures a kernel's code runs on. Where the plug-in is not built
 * the program exits with 77: skipped. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backends/plugin.h"
#include "cuda/common.h"

#define PLUGIN BENCH_BINARY_DIR "/bin/libbench_cuda.so"

static void output_of(const char *command, char *text, size_t capacity) {
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  text[fread(text, 1, capacity - 1, pipe)] = '\0';
  assert_int_equal(pclose(pipe), 0);
}

static void loads_and_names_the_devices(void **state) {
  (void)state;
  bench_error error = {.code = BENCH_OK};
  const bench_backend *backend = bench_plugin_load(PLUGIN, &error);
  if (backend == NULL) {
    fail_msg("%s", error.message);
    return;
  }
  assert_string_equal(backend->name, "cuda");
  assert_true(backend->kernel_count > 0);
  assert_ptr_equal(bench_backend_find("cuda", NULL), backend); /* it stands beside this program */
  const int count = backend->device_count(&error);
  assert_true(count >= 0);
  if (count > 0) {
    return; /* what a device then does is the business of the tests labelled gpu */
  }
  const bool has_driver = dlopen("libcuda.so.1", RTLD_LAZY) != NULL;
  if (!has_driver) {
    assert_string_equal(error.message, "no NVIDIA driver is installed on this machine");
  }
  bench_error again;
  bench_context *context = NULL;
  assert_int_equal(backend->open(0, 0, &context, &again), BENCH_ERR_UNSUPPORTED);
  assert_null(context);
  assert_string_equal(again.message, error.message);
}

static void exports_one_symbol(void **state) {
  (void)state;
  char text[4096];
  output_of("nm -D --defined-only " PLUGIN, text, sizeof text);
  const char *line = strchr(text, '\n');
  assert_non_null(line);
  assert_string_equal(line, "\n"); /* one line, */
  assert_non_null(strstr(text, " T " BENCH_BACKEND_PLUGIN_SYMBOL "\n"));
}

static void needs_no_cuda_library(void **state) {
  (void)state;
  char text[8192];
  output_of("ldd " PLUGIN, text, sizeof text);
  assert_non_null(strstr(text, "libc.so.6"));
  static const char *const unwanted[] = {"libcuda", "cublas", "nvidia",
                                         "stdc++",  "libgcc", "not found"};
  for (size_t i = 0; i < sizeof unwanted / sizeof unwanted[0]; i++) {
    if (strstr(text, unwanted[i]) != NULL) {
      fail_msg("%s", text);
    }
  }
}

static void code_runs_on_its_architectures(void **state) {
  (void)state;
  static const struct {
    const char *archs;
    int cc;
    bool runs;
  } cases[] = {
      {"75 80 90", 75, true},   {"75 80 90", 80, true},  {"75 80 90", 86, true},
      {"75 80 90", 90, true},   {"75 80 90", 70, false}, {"75 80 90", 100, false},
      {"75 80 90", 110, false}, {"86", 80, false},       {"86", 89, true},
      {"90a", 90, true},        {"90a", 91, false},      {"90a 100a", 100, true},
      {"90a 100a", 103, false}, {"80 90a", 89, true},    {"100", 103, true},
      {"120", 121, true},       {"", 90, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (cuda_archs_run_on(cases[i].archs, cases[i].cc) != cases[i].runs) {
      fail_msg("archs \"%s\" on %d", cases[i].archs, cases[i].cc);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_and_names_the_devices),
      cmocka_unit_test(exports_one_symbol),
      cmocka_unit_test(needs_no_cuda_library),
      cmocka_unit_test(code_runs_on_its_architectures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
