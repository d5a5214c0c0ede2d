/* Executes every CUDA kernel of the build on the CPU, in one mode of the adversary, and compares
 * with attention in double precision.
 *
 *   test_emu_kernels [--kernel FAMILY[/VARIANT]] [--cases all|few|probe] [--options TEXT]
 *
 * --options: see emu_options_parse in kernels/emu/emu.h, as schedule=random:7,misalign=1. */
#include <getopt.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static case_set parse_set(const char *text) {
  static const char *const names[] = {"all", "few", "probe"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(text, names[i]) == 0) {
      return (case_set)i;
    }
  }
  fprintf(stderr, "--cases %s: expected all, few or probe\n", text);
  exit(2);
}

int main(int argc, char **argv) {
  static const struct option names[] = {{"kernel", required_argument, NULL, 'k'},
                                        {"cases", required_argument, NULL, 'c'},
                                        {"options", required_argument, NULL, 'o'},
                                        {0}};
  const char *wanted = NULL;
  case_set set = CASES_ALL;
  omp_set_num_threads(1); /* CTest has the other cores */
  int letter;
  while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
    switch (letter) {
      case 'k':
        wanted = optarg;
        break;
      case 'c':
        set = parse_set(optarg);
        break;
      case 'o':
        setenv("BENCH_EMU", optarg, 1); /* what the device reads when it is opened */
        break;
      default:
        return 2;
    }
  }
  const runner on = runner_open();
  int64_t bad = 0;
  int kernels = 0;
  for (size_t i = 0; i < on.backend->kernel_count; i++) {
    const bench_kernel *kernel = on.backend->kernels[i].kernel;
    if (wanted != NULL && !runner_is_named(kernel, wanted)) {
      continue;
    }
    const outcome found = runner_run(&on, kernel, set, false, true);
    printf("%s/%s: %" PRId64 " ok, %" PRId64 " failed, %" PRId64 " skipped\n", kernel->family,
           kernel->variant, found.ok, found.failed, found.skipped);
    bad += found.failed + (found.ok == 0);
    kernels++;
  }
  on.backend->close(on.context);
  return bad == 0 && kernels > 0 ? 0 : 1;
}
