/* A disk that fails, under an otherwise unchanged `bench`: linked in place of write(). Only regular
 * files are concerned, and only in the process that has BAD_DISK in its environment:
 *   BAD_DISK=short     a write takes at most seven bytes, and every third one is interrupted first
 *   BAD_DISK=full:N    after N bytes there is no space left
 *   BAD_DISK=kill:N    after N bytes the process is killed */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static ssize_t write_short(int fd, const void *bytes, size_t count) {
  static int calls;
  if (++calls % 3 == 0) {
    errno = EINTR;
    return -1;
  }
  return __real_write(fd, bytes, smaller(count, 7));
}

/* Writes what still fits. */
static ssize_t write_until(int fd, const void *bytes, size_t count, size_t limit, bool kills) {
  static size_t total;
  const size_t room = smaller(count, limit - total);
  ssize_t written = room > 0 ? __real_write(fd, bytes, room) : 0;
  total += written > 0 ? (size_t)written : 0;
  if (total == limit && kills) {
    kill(getpid(), SIGKILL);
  }
  if (room == 0 && count > 0) {
    errno = ENOSPC;
    return -1;
  }
  return written;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t count) {
  const char *fault = getenv("BAD_DISK");
  struct stat info;
  if (fault == NULL || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return __real_write(fd, bytes, count);
  }
  if (strcmp(fault, "short") == 0) {
    return write_short(fd, bytes, count);
  }
  const bool kills = strncmp(fault, "kill:", 5) == 0;
  return write_until(fd, bytes, count, strtoull(fault + 5, NULL, 10), kills);
}
