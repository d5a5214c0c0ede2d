/* test_emu_mutants NAME: the kernel with this planted fault has to be found wrong. */
#include "mutants.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "attempt.h"

int main(int argc, char **argv) {
  omp_set_num_threads(1); /* a child has no threads of its parent */
  const runner on = runner_open();
  for (size_t i = 0; argc == 2 && i < emu_mutant_count; i++) {
    if (strcmp(emu_mutants[i].name, argv[1]) == 0) {
      attempt_finding found;
      if (!attempt_all(&on, *emu_mutants[i].kernel, NULL, &found)) {
        printf("%s: no one found it out\n", argv[1]);
        return 1;
      }
      printf("%s (%s): %s\n", argv[1], found.options, found.what);
      return 0;
    }
  }
  fprintf(stderr, "usage: test_emu_mutants NAME, one of\n");
  for (size_t i = 0; i < emu_mutant_count; i++) {
    fprintf(stderr, "  %s\n", emu_mutants[i].name);
  }
  return 2;
}
