/* Executes every CUDA kernel of the build on the CPU, in one mode of the adversary, and compares
 * with attention in double precision.
 *
 *   test_emu_kernels [--kernel FAMILY[/VARIANT]] [--cases all|few|probe] [--options TEXT]
 *   test_emu_kernels --list-sites [--kernel ...]     the calls that order or wait
 *   test_emu_kernels --sites FILE [--kernel ...]     leaves out each in turn: sites.h
 *
 * --options: see emu_options_parse in kernels/emu/emu.h, as schedule=random:7,misalign=1. */
#include <getopt.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"
#include "sites.h"

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

typedef struct arguments {
  const char *kernel;
  case_set set;
  bool list_sites;
  const char *harmless; /* NULL: run, and leave nothing out */
} arguments;

static arguments parse(int argc, char **argv) {
  static const struct option names[] = {
      {"kernel", required_argument, NULL, 'k'},  {"cases", required_argument, NULL, 'c'},
      {"options", required_argument, NULL, 'o'}, {"list-sites", no_argument, NULL, 'l'},
      {"sites", required_argument, NULL, 's'},   {0}};
  arguments given = {.set = CASES_ALL};
  int letter;
  while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
    switch (letter) {
      case 'k':
        given.kernel = optarg;
        break;
      case 'c':
        given.set = parse_set(optarg);
        break;
      case 'o':
        setenv("BENCH_EMU", optarg, 1); /* what the device reads when it is opened */
        break;
      case 'l':
        given.list_sites = true;
        break;
      case 's':
        given.harmless = optarg;
        break;
      default:
        exit(2);
    }
  }
  return given;
}

int main(int argc, char **argv) {
  const arguments given = parse(argc, argv);
  omp_set_num_threads(1); /* CTest has the other cores, and a child has no threads of its parent */
  const runner on = runner_open();
  if (given.harmless != NULL) {
    return sites_check(&on, given.kernel, given.harmless) == 0 ? 0 : 1;
  }
  int64_t bad = 0;
  int kernels = 0;
  for (size_t i = 0; i < on.backend->kernel_count; i++) {
    const bench_kernel *kernel = on.backend->kernels[i].kernel;
    if (given.kernel != NULL && !runner_is_named(kernel, given.kernel)) {
      continue;
    }
    kernels++;
    if (given.list_sites) {
      sites_list(&on, kernel);
      continue;
    }
    const outcome found = runner_run(&on, kernel, given.set, false, true);
    printf("%s/%s: %" PRId64 " ok, %" PRId64 " failed, %" PRId64 " skipped\n", kernel->family,
           kernel->variant, found.ok, found.failed, found.skipped);
    bad += found.failed + (found.ok == 0);
  }
  on.backend->close(on.context);
  return bad == 0 && kernels > 0 ? 0 : 1;
}
