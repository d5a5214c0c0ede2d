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

static const bench_kernel *kernel_of(const bench_backend *backend, const char *family) {
  for (size_t i = 0; i < backend->kernel_count; i++) {
    if (strcmp(backend->kernels[i].kernel->family, family) == 0) {
      return backend->kernels[i].kernel;
    }
  }
  fail_msg("no kernel of the family %s", family);
  return NULL;
}

/* Problems that no cuDNN takes are refused for their own sake, with or without the library; the
 * others for want of it, where it is wanting. */
static void vendor_says_what_it_cannot_do(void **state) {
  (void)state;
  bench_error error;
  const bench_kernel *vendor = kernel_of(bench_plugin_load(PLUGIN, &error), "vendor");
  const bench_attn base = {.layers = 1,
                           .batch = 1,
                           .heads_q = 4,
                           .heads_kv = 2,
                           .head_dim = 64,
                           .seq_q = 40,
                           .seq_kv = 64,
                           .dtype = BENCH_BF16};
  const bench_device device = {.backend = "cuda", .cc = 90};
  static const struct {
    bench_dtype dtype;
    int64_t head_dim;
    int64_t seq_q;
    bench_mask mask;
    const char *why_not; /* NULL: none but that there is no cuDNN */
  } cases[] = {
      {BENCH_BF16, 64, 40, {.kind = BENCH_MASK_FULL}, NULL},
      {BENCH_FP16, 128, 64, {.kind = BENCH_MASK_CAUSAL}, NULL},
      {BENCH_BF16, 64, 1, {.kind = BENCH_MASK_WINDOW, .window = 7}, NULL},
      {BENCH_BF16, 64, 70, {.kind = BENCH_MASK_FULL}, NULL},
      {BENCH_FP32, 64, 40, {.kind = BENCH_MASK_FULL}, "fp16 and bf16"},
      {BENCH_BF16, 60, 40, {.kind = BENCH_MASK_FULL}, "multiples of 8"},
      {BENCH_BF16, 64, 40, {.kind = BENCH_MASK_WINDOW, .window = 7, .both = true}, "masks full"},
      {BENCH_BF16, 64, 40, {.kind = BENCH_MASK_BLOCK, .block = 64, .density = 1}, "masks full"},
      {BENCH_BF16, 64, 70, {.kind = BENCH_MASK_CAUSAL}, "no rows that see no key"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bench_attn attn = base;
    attn.dtype = cases[i].dtype;
    attn.head_dim = cases[i].head_dim;
    attn.seq_q = cases[i].seq_q;
    attn.mask = cases[i].mask;
    const char *why_not = vendor->why_not(&attn, &device);
    const char *wanted = cases[i].why_not != NULL ? cases[i].why_not : "cuDNN";
    if (why_not == NULL ? cases[i].why_not != NULL : strstr(why_not, wanted) == NULL) {
      fail_msg("case %zu: %s", i, why_not != NULL ? why_not : "taken");
    }
    assert_true(cases[i].why_not != NULL || why_not == NULL ||
                strstr(why_not, "is not there") != NULL || strstr(why_not, "this build") != NULL);
  }
  const bench_device old = {.backend = "cuda", .cc = 75};
  assert_non_null(strstr(vendor->why_not(&base, &old), "not compiled"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_and_names_the_devices),
      cmocka_unit_test(exports_one_symbol),
      cmocka_unit_test(needs_no_cuda_library),
      cmocka_unit_test(code_runs_on_its_architectures),
      cmocka_unit_test(vendor_says_what_it_cannot_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
