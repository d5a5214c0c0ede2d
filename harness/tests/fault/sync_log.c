/* How long data wait for the disk, under an otherwise unchanged `bench`: linked in place of write()
 * and fdatasync(). Each sync of a file adds a line with its age in seconds, that of the oldest data
 * it hands over, to the file SYNC_LOG. The first write to a file does not count: a header without
 * rows is nothing to lose. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/proc.h"

ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

enum { FILES = 256 };
static double unsynced_since_s[FILES]; /* 0: nothing waits */

ssize_t __wrap_write(int fd, const void *bytes, size_t count) {
  struct stat info;
  const bool counts = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
  if (counts && fd < FILES && unsynced_since_s[fd] == 0) {
    unsynced_since_s[fd] = bench_proc_monotonic_s();
  }
  return __real_write(fd, bytes, count);
}

int __wrap_fdatasync(int fd) {
  if (fd < FILES && unsynced_since_s[fd] > 0) {
    FILE *log = fopen(getenv("SYNC_LOG"), "ae");
    if (log == NULL ||
        fprintf(log, "%.3f\n", bench_proc_monotonic_s() - unsynced_since_s[fd]) < 0 ||
        fclose(log) != 0) {
      abort();
    }
    unsynced_since_s[fd] = 0;
  }
  return __real_fdatasync(fd);
}
