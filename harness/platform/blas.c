/* The one place that opens OpenBLAS; see bench/blas.h. */
#include "bench/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t opened = PTHREAD_ONCE_INIT;
static bench_sgemm_fn *sgemm;

static void open_library(void) {
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
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
  memcpy(&sgemm, &multiply, sizeof multiply);
}

bench_sgemm_fn *bench_blas_sgemm(void) {
  pthread_once(&opened, open_library);
  return sgemm;
}
