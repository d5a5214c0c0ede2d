/* Loads a backend's plug-in. The program itself links nothing of CUDA, so one and the same `bench`
 * starts on a machine with or without a driver, and what is missing becomes a sentence. */
#include "backends/plugin.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "platform/proc.h"

static bench_code check_kernel(const bench_backend *backend, size_t index, bench_error *error) {
  const bench_kernel *kernel = backend->kernels[index].kernel;
  if (kernel == NULL || kernel->abi != BENCH_KERNEL_ABI) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED,
                      "kernel %zu of the %s backend has kernel ABI %u, this program has %u", index,
                      backend->name, kernel == NULL ? 0 : kernel->abi, BENCH_KERNEL_ABI);
  }
  if (kernel->family == NULL || kernel->variant == NULL || kernel->summary == NULL ||
      kernel->why_not == NULL || kernel->launch == NULL ||
      backend->kernels[index].code_hash == NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED,
                      "kernel %zu of the %s backend lacks a name, why_not, launch or code hash",
                      index, backend->name);
  }
  return BENCH_OK;
}

static bool has_graphs(const bench_backend *backend) {
  return backend->graph_begin != NULL && backend->graph_end != NULL &&
         backend->graph_launch != NULL && backend->graph_free != NULL;
}

bench_code bench_backend_check(const bench_backend *backend, bench_error *error) {
  /* First, and alone: nothing behind it can be read in a struct of another layout. */
  if (backend->abi != BENCH_BACKEND_ABI) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "it has backend ABI %u, this program has %u",
                      backend->abi, BENCH_BACKEND_ABI);
  }
  const struct {
    const char *name;
    bool present;
  } required[] = {
      {"a name", backend->name != NULL},
      {"a kernel table", backend->kernels != NULL},
      {"device_count", backend->device_count != NULL},
      {"open", backend->open != NULL},
      {"close", backend->close != NULL},
      {"device", backend->device != NULL},
      {"alloc", backend->alloc != NULL},
      {"free", backend->free != NULL},
      {"upload", backend->upload != NULL},
      {"download", backend->download != NULL},
      {"fill", backend->fill != NULL},
      {"memory_free", backend->memory_free != NULL},
      {"stream", backend->stream != NULL},
      {"sync", backend->sync != NULL},
      {"flush_cache", backend->flush_cache != NULL},
      {"gemm_why_not", backend->gemm_why_not != NULL},
      {"gemm", backend->gemm != NULL},
      {"timer_start", backend->timer_start != NULL},
      {"timer_stop", backend->timer_stop != NULL},
      {"a part of its holding", (backend->hold == NULL) == (backend->hold_expired == NULL)},
      {"a part of its graphs", has_graphs(backend) || backend->graph_begin == NULL},
  };
  for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
    if (!required[i].present) {
      return bench_fail(error, BENCH_ERR_UNSUPPORTED, "its backend lacks %s", required[i].name);
    }
  }
  for (size_t i = 0; i < backend->kernel_count; i++) {
    bench_code code = check_kernel(backend, i, error);
    if (code != BENCH_OK) {
      return code;
    }
  }
  return BENCH_OK;
}

const bench_backend *bench_plugin_load(const char *path, bench_error *why_not) {
  if (access(path, F_OK) != 0) {
    bench_fail(why_not, BENCH_ERR_UNSUPPORTED, "%s: not there", path);
    return NULL;
  }
  /* Lazy: a C++ library within may name functions that nothing calls and an older glibc lacks. */
  void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  if (library == NULL) {
    bench_fail(why_not, BENCH_ERR_UNSUPPORTED, "%s", dlerror());
    return NULL;
  }
  bench_backend_plugin_fn *entry;
  *(void **)&entry = dlsym(library, BENCH_BACKEND_PLUGIN_SYMBOL);
  const bench_backend *backend = entry == NULL ? NULL : entry();
  if (backend == NULL) {
    bench_fail(why_not, BENCH_ERR_UNSUPPORTED, "%s: it does not give a backend through %s", path,
               BENCH_BACKEND_PLUGIN_SYMBOL);
    dlclose(library);
    return NULL;
  }
  bench_error fault;
  if (bench_backend_check(backend, &fault) != BENCH_OK) {
    bench_fail(why_not, BENCH_ERR_UNSUPPORTED, "%s: %.1000s", path, fault.message);
    dlclose(library);
    return NULL;
  }
  return backend;
}

const bench_backend *bench_plugin_beside(const char *file, const char *what, bench_error *why_not) {
  char program[PATH_MAX];
  if (!bench_proc_executable(program, sizeof program)) {
    bench_fail(why_not, BENCH_ERR_UNSUPPORTED,
               "/proc/self/exe cannot be read, so %s beside the program cannot be found", file);
    return NULL;
  }
  const char *folder = dirname(program);
  static const char *const places[] = {"", "lib/"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s%.50s", folder, places[i], file);
    if (access(path, F_OK) == 0) {
      return bench_plugin_load(path, why_not);
    }
  }
  bench_fail(why_not, BENCH_ERR_UNSUPPORTED,
             "the %s plug-in %s is not beside the program (%s): built without it?", what, file,
             folder);
  return NULL;
}
