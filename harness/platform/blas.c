/* The one place that opens OpenBLAS; see bench/blas.h. */
#include "bench/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "platform/blas_core.h"
#include "platform/cpu_features.h"

#define CORE_VARIABLE "OPENBLAS_CORETYPE"

static pthread_once_t opened = PTHREAD_ONCE_INIT;
static bench_sgemm_fn *sgemm;
static const char *config = "";

/* What a function of the library without parameters says; "" if it has none of that name. */
static const char *ask(void *library, const char *name) {
  char *(*answer)(void);
  void *found = dlsym(library, name);
  if (found == NULL) {
    return "";
  }
  memcpy(&answer, &found, sizeof answer);
  return answer();
}

const char *bench_blas_core_instead(const char *core, bool avx2, bool avx512) {
  if (strcmp(core, "Prescott") != 0 || !avx2) {
    return NULL;
  }
  return avx512 ? "SkylakeX" : "Haswell";
}

static const char *core_instead(const char *core) {
  bench_device device = {0};
  bench_cpu_features(&device);
  return bench_blas_core_instead(core, device.has_avx2, device.has_avx512);
}

/* OpenBLAS chooses its kernels as it is loaded. On a CPU that is younger than the library they are
 * those of a Pentium 4, a fifth as fast as what the CPU can do; then it is loaded once more, and
 * told. Who sets the variable has chosen. */
static void *load(void) {
  static const char file[] = "libopenblas.so.0";
  void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  const char *core = NULL;
  if (library != NULL && getenv(CORE_VARIABLE) == NULL) {
    core = core_instead(ask(library, "openblas_get_corename"));
  }
  if (core != NULL && dlclose(library) == 0) {
    setenv(CORE_VARIABLE, core, 1);
    library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    unsetenv(CORE_VARIABLE); /* it is not meant for processes that this one starts */
  }
  return library;
}

static void open_library(void) {
  void *library = load();
  if (library == NULL) {
    return;
  }
  void *multiply = dlsym(library, "cblas_sgemm");
  void *set_threads = dlsym(library, "openblas_set_num_threads");
  if (multiply == NULL || set_threads == NULL) {
    dlclose(library);
    return;
  }
  void (*set)(int threads);
  memcpy(&set, &set_threads, sizeof set);
  set(1);
  config = ask(library, "openblas_get_config");
  memcpy(&sgemm, &multiply, sizeof multiply);
}

bench_sgemm_fn *bench_blas_sgemm(void) {
  pthread_once(&opened, open_library);
  return sgemm;
}

const char *bench_blas_config(void) {
  pthread_once(&opened, open_library);
  return config;
}
