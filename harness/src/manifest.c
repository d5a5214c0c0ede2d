/* What a reader of a result must know of machine and build. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "bench/blas.h"
#include "platform/proc.h"
#include "platform/topology.h"
#include "src/sweep.h"
#include "version.h"

/* PRETTY_NAME of os-release, or "unknown". */
static void system_name(char name[128]) {
  char line[256];
  snprintf(name, 128, "unknown");
  FILE *file = fopen("/etc/os-release", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "PRETTY_NAME=\"%127[^\"]", name) == 1) {
      break;
    }
  }
  if (file != NULL) {
    fclose(file);
  }
}

json_t *bench_manifest_machine(void) {
  char host[BENCH_HOST_MAX];
  char name[128];
  struct utsname kernel = {0};
  bench_proc_host(host);
  system_name(name);
  uname(&kernel);
  double load = bench_proc_load_1min();
  bench_topology *topology = bench_topology_open();
  json_t *machine = json_pack("{s:s s:s s:s s:I s:o s:s s:o}", "host", host, "os", name, "kernel",
                              kernel.release, "mem_bytes", (json_int_t)bench_proc_mem_total_bytes(),
                              "load_1min", isfinite(load) ? json_real(load) : json_null(), "blas",
                              bench_blas_config(), "topology", bench_topology_json(topology));
  bench_topology_close(topology);
  return machine;
}

json_t *bench_manifest_build(void) {
  return json_pack("{s:s s:s s:s s:s s:s}", "version", BENCH_VERSION, "git_commit",
                   BENCH_GIT_COMMIT, "compiler", BENCH_COMPILER, "build_type", BENCH_BUILD_TYPE,
                   "cuda_toolkit", BENCH_CUDA_TOOLKIT);
}
