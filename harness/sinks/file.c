/* Files that a kill, a full disk or a power cut leave whole or untouched. */
#include "sinks/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bench_code bench_file_write(int fd, const char *path, const char *bytes, size_t count,
                            bench_error *error) {
  size_t done = 0;
  while (done < count) {
    ssize_t written = write(fd, bytes + done, count - done);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return bench_fail(error, BENCH_ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    }
    done += (size_t)written;
  }
  return BENCH_OK;
}

bench_code bench_file_sync(int fd, const char *path, bench_error *error) {
  if (fdatasync(fd) != 0 && errno != EINVAL && errno != EROFS) {
    return bench_fail(error, BENCH_ERR_ENV, "%s: cannot sync: %s", path, strerror(errno));
  }
  return BENCH_OK;
}

/* A new name is durable when its folder is. A file system that cannot sync a folder has its own
 * ways, so no answer is a fault. */
static void sync_folder_of(const char *path) {
  char folder[4200];
  snprintf(folder, sizeof folder, "%s", path);
  char *slash = strrchr(folder, '/');
  if (slash == NULL) {
    snprintf(folder, sizeof folder, ".");
  } else {
    slash[slash == folder ? 1 : 0] = '\0';
  }
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
}

bench_code bench_file_rename(const char *from, const char *to, bench_error *error) {
  if (rename(from, to) != 0) {
    return bench_fail(error, BENCH_ERR_ENV, "%s: cannot be put in place: %s", to, strerror(errno));
  }
  sync_folder_of(to);
  return BENCH_OK;
}

bench_code bench_file_replace(const char *folder, const char *name, const char *bytes, size_t count,
                              bench_error *error) {
  char temporary[4200];
  char path[4200];
  snprintf(temporary, sizeof temporary, "%s/.%s.new", folder, name);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) {
    return bench_fail(error, BENCH_ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
  }
  bench_code code = bench_file_write(fd, path, bytes, count, error);
  if (code == BENCH_OK) {
    code = bench_file_sync(fd, path, error);
  }
  if (close(fd) != 0 && code == BENCH_OK) {
    code = bench_fail(error, BENCH_ERR_ENV, "%s: cannot close: %s", path, strerror(errno));
  }
  if (code == BENCH_OK) {
    code = bench_file_rename(temporary, path, error);
  }
  if (code != BENCH_OK) {
    unlink(temporary);
  }
  return code;
}

bool bench_file_is_at(int fd, const char *path) {
  struct stat open_file;
  struct stat found;
  return fstat(fd, &open_file) == 0 && stat(path, &found) == 0 &&
         open_file.st_dev == found.st_dev && open_file.st_ino == found.st_ino;
}

bool bench_file_folder_is_empty(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) {
    return true; /* what is wrong with it shows when a file is made in it */
  }
  bool empty = true;
  for (struct dirent *entry; empty && (entry = readdir(folder)) != NULL;) {
    empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
  }
  closedir(folder);
  return empty;
}
