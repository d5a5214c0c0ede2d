/* What the plug-in loader accepts and what it refuses, each with its sentence; and how a kernel is
 * chosen from a backend's table. The plug-ins are those of plugin_fake.c, one per fault. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backends/plugin.h"

static const bench_backend *load(const char *fault, bench_error *why_not) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libplugin_fake_%s.so", BENCH_FAKE_DIR, fault);
  memset(why_not, 0, sizeof *why_not);
  return bench_plugin_load(path, why_not);
}

static void assert_refused(const char *fault, const char *sentence) {
  bench_error why_not;
  assert_null(load(fault, &why_not));
  assert_int_equal(why_not.code, BENCH_ERR_UNSUPPORTED);
  assert_non_null(strstr(why_not.message, fault)); /* the file is named */
  if (strstr(why_not.message, sentence) == NULL) {
    fail_msg("\"%s\" does not say \"%s\"", why_not.message, sentence);
  }
}

static void complete_one_is_accepted(void **state) {
  (void)state;
  bench_error why_not;
  const bench_backend *backend = load("NONE", &why_not);
  assert_non_null(backend);
  assert_string_equal(backend->name, "fake");
  assert_string_equal(why_not.message, "");
}

static void faulty_ones_are_refused(void **state) {
  (void)state;
  assert_refused("absent", "not there");
  char both[64];
  snprintf(both, sizeof both, "it has backend ABI 99, this program has %u", BENCH_BACKEND_ABI);
  assert_refused("ABI", both);
  assert_refused("FUNCTION", "its backend lacks flush_cache");
  assert_refused("SYMBOL", "does not give a backend through bench_backend_plugin");
  assert_refused("KERNEL_ABI", "kernel 0 of the fake backend has kernel ABI 99");
  assert_refused("KERNEL_LAUNCH", "kernel 0 of the fake backend lacks a name, why_not, launch");
}

static void a_text_file_is_refused(void **state) {
  (void)state;
  bench_error why_not;
  assert_null(bench_plugin_load(BENCH_SOURCE_DIR "/CMakeLists.txt", &why_not));
  assert_non_null(strstr(why_not.message, "invalid ELF header"));
}

/* Every required function, one after the other: a struct of our own with one of them missing. The
 * functions stand between device_count and timer_stop, pointers all. */
static void each_function_is_required(void **state) {
  (void)state;
  bench_error why_not;
  const bench_backend *whole = load("NONE", &why_not);
  assert_non_null(whole);
  const size_t first = offsetof(bench_backend, device_count);
  const size_t end = offsetof(bench_backend, timer_stop) + sizeof whole->timer_stop;
  for (size_t at = first; at < end; at += sizeof whole->timer_stop) {
    bench_backend copy = *whole;
    memset((char *)&copy + at, 0, sizeof whole->timer_stop);
    assert_int_equal(bench_backend_check(&copy, &why_not), BENCH_ERR_UNSUPPORTED);
    assert_non_null(strstr(why_not.message, "its backend lacks "));
  }
  assert_int_equal(bench_backend_check(whole, &why_not), BENCH_OK);
}

/* Graphs may be left out, but not in part. */
static void graphs_are_whole(void **state) {
  (void)state;
  bench_error why_not;
  bench_backend copy = *load("NONE", &why_not);
  assert_null(copy.graph_begin);
  copy.graph_begin = copy.timer_start;
  assert_int_equal(bench_backend_check(&copy, &why_not), BENCH_ERR_UNSUPPORTED);
  assert_non_null(strstr(why_not.message, "a part of its graphs"));
}

static void names_are_found_or_refused(void **state) {
  (void)state;
  bench_error why_not;
  const bench_backend *cpu = bench_backend_find("cpu", NULL);
  assert_non_null(cpu);
  assert_ptr_equal(bench_backend_at(0), cpu);
  assert_null(bench_backend_at(bench_backend_count()));
  assert_null(bench_backend_find("tpu", &why_not));
  assert_int_equal(why_not.code, BENCH_ERR_USAGE);
  assert_string_equal(why_not.message, "backend \"tpu\" is unknown: there are cpu and cuda");
  /* This program is built into a folder of its own, where no plug-in is. */
  assert_null(bench_backend_find("cuda", &why_not));
  assert_non_null(strstr(why_not.message, "libbench_cuda.so is not beside the program"));
  assert_null(bench_backend_find("emu", &why_not));
  assert_int_equal(why_not.code, BENCH_ERR_UNSUPPORTED);
  assert_non_null(strstr(why_not.message, "libbench_emu.so is not beside the program"));
  /* A user may miss cuda, but not what is for tests. */
  assert_string_equal(bench_backend_name_at(0), "cpu");
  assert_string_equal(bench_backend_name_at(1), "cuda");
  assert_null(bench_backend_name_at(2));
}

static const char *yes(const bench_attn *attn, const bench_device *device) {
  (void)attn;
  (void)device;
  return NULL;
}
static const char *no_first(const bench_attn *attn, const bench_device *device) {
  (void)attn;
  (void)device;
  return "the first says no";
}
static const char *no_last(const bench_attn *attn, const bench_device *device) {
  (void)attn;
  (void)device;
  return "the last says no";
}

/* The last entry of a family that can run is taken; a refusal is that of the last of the family. */
static void last_able_kernel_is_taken(void **state) {
  (void)state;
  bench_kernel kernels[] = {
      {.family = "flash", .variant = "a", .why_not = yes},
      {.family = "flash", .variant = "b", .why_not = yes},
      {.family = "flash", .variant = "c", .why_not = no_last},
      {.family = "naive", .variant = "a", .why_not = no_first},
      {.family = "naive", .variant = "b", .why_not = no_last},
  };
  bench_kernel_entry entries[sizeof kernels / sizeof kernels[0]];
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
    entries[i] = (bench_kernel_entry){&kernels[i], ""};
  }
  const bench_backend backend = {.kernels = entries, .kernel_count = 5};
  const bench_attn attn = {.layers = 1};
  const bench_device device = {.index = 0};
  const char *why_not = NULL;
  assert_ptr_equal(bench_backend_kernel(&backend, "flash", &attn, &device, &why_not), &entries[1]);
  assert_null(bench_backend_kernel(&backend, "naive", &attn, &device, &why_not));
  assert_string_equal(why_not, "the last says no");
  assert_null(bench_backend_kernel(&backend, "blas", &attn, &device, &why_not));
  assert_non_null(strstr(why_not, "no kernel of the family"));
  /* One variant alone, where the name says so. */
  assert_ptr_equal(bench_backend_kernel(&backend, "flash/a", &attn, &device, &why_not),
                   &entries[0]);
  assert_null(bench_backend_kernel(&backend, "naive/a", &attn, &device, &why_not));
  assert_string_equal(why_not, "the first says no");
  assert_null(bench_backend_kernel(&backend, "naive/aa", &attn, &device, &why_not));
  assert_non_null(strstr(why_not, "family and variant"));
  assert_null(bench_backend_kernel(&backend, "flas", &attn, &device, &why_not));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(complete_one_is_accepted),  cmocka_unit_test(faulty_ones_are_refused),
      cmocka_unit_test(a_text_file_is_refused),    cmocka_unit_test(each_function_is_required),
      cmocka_unit_test(graphs_are_whole),          cmocka_unit_test(names_are_found_or_refused),
      cmocka_unit_test(last_able_kernel_is_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
