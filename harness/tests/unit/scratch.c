/* A folder for one test program. */
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>

static char folder[64];

static void remove_scratch(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0) {
    fprintf(stderr, "cannot remove %s\n", folder);
  }
}

const char *scratch_folder(void) {
  if (folder[0] == '\0') {
    snprintf(folder, sizeof folder, "/tmp/bench-test-XXXXXX");
    if (mkdtemp(folder) == NULL) {
      abort();
    }
    atexit(remove_scratch);
  }
  return folder;
}

const char *scratch_file(const char *name, const char *text) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  FILE *file = fopen(path, "w");
  if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
    abort();
  }
  return path;
}
