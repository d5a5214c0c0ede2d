/* Mapping a file and hashing its content; see file_map.h. */
#include "model/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bench_code map_descriptor(const char *path, int file, bench_file_map *out,
                                 bench_error *error) {
  struct stat status;
  if (fstat(file, &status) != 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: %s", path, strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: %s", path,
                      S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file");
  }
  if (status.st_size == 0) { /* mmap refuses to map nothing */
    *out = (bench_file_map){(const unsigned char *)"", 0};
    return BENCH_OK;
  }
  size_t size = (size_t)status.st_size;
  void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) {
    return bench_fail(error, errno == ENOMEM ? BENCH_ERR_NOMEM : BENCH_ERR_USAGE,
                      "%s: cannot be mapped: %s", path, strerror(errno));
  }
  *out = (bench_file_map){bytes, size};
  return BENCH_OK;
}

bench_code bench_file_map_open(const char *path, bench_file_map *out, bench_error *error) {
  /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: %s", path, strerror(errno));
  }
  bench_code code = map_descriptor(path, file, out, error);
  close(file);
  return code;
}

void bench_file_map_close(bench_file_map *map) {
  if (map->size > 0) {
    munmap((void *)(uintptr_t)map->bytes, map->size);
  }
  *map = (bench_file_map){0};
}

uint64_t bench_content_hash(uint64_t hash, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  const uint64_t prime = UINT64_C(0x100000001b3);
  hash = (hash ^ size) * prime; /* so that "a" + "b" differs from "ab" + "" */
  while (size > 0) {
    uint64_t word = 0;
    size_t step = size < sizeof word ? size : sizeof word;
    memcpy(&word, at, step);
    hash = (hash ^ word) * prime;
    hash ^= hash >> 29;
    at += step;
    size -= step;
  }
  return hash;
}
