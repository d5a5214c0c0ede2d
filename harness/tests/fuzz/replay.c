/* Stands in for libFuzzer where the compiler has none: runs a fuzz target once on every file of
 * its corpus, so that what fuzzing has found stays tested in every build. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 20 };

static uint8_t buffer[BYTES_MAX];

static int replay(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    fprintf(stderr, "%s: cannot be read\n", path);
    return 1;
  }
  size_t size = fread(buffer, 1, sizeof buffer, file);
  fclose(file);
  uint8_t *data = malloc(size > 0 ? size : 1); /* its true size, for AddressSanitizer to guard */
  if (data == NULL) {
    return 1;
  }
  memcpy(data, buffer, size);
  int result = LLVMFuzzerTestOneInput(data, size);
  free(data);
  return result;
}

int main(int argc, char **argv) {
  if (argc != 2 || chdir(argv[1]) != 0) {
    fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  DIR *folder = opendir(".");
  if (folder == NULL) {
    return 2;
  }
  int count = 0;
  int failed = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (entry->d_name[0] != '.') {
      failed |= replay(entry->d_name);
      count++;
    }
  }
  closedir(folder);
  printf("%d inputs\n", count);
  return failed != 0 || count == 0;
}
