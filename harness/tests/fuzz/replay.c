/* Stands in for libFuzzer where the compiler has none: runs a fuzz target once on every file of
 * its corpus, so that what fuzzing has found stays tested in every build. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 20 };

static int replay(const char *path) {
  uint8_t *data = malloc(BYTES_MAX);
  FILE *file = fopen(path, "rb");
  if (data == NULL || file == NULL) {
    fprintf(stderr, "%s: cannot be read\n", path);
    return 1;
  }
  size_t size = fread(data, 1, BYTES_MAX, file);
  fclose(file);
  data = realloc(data, size > 0 ? size : 1); /* its true size, for AddressSanitizer to guard */
  int result = data == NULL ? 1 : LLVMFuzzerTestOneInput(data, size);
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
