/* Small questions to the operating system: see proc.h. */
#include "platform/proc.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void bench_proc_host(char out[BENCH_HOST_MAX]) {
  if (gethostname(out, BENCH_HOST_MAX) != 0 || out[0] == '\0') {
    snprintf(out, BENCH_HOST_MAX, "unknown");
  }
  out[BENCH_HOST_MAX - 1] = '\0';
}

static void format_time(time_t when, const char *format, char out[BENCH_TIME_MAX]) {
  struct tm utc;
  if (gmtime_r(&when, &utc) == NULL || strftime(out, BENCH_TIME_MAX, format, &utc) == 0) {
    out[0] = '\0';
  }
}

void bench_proc_time_iso(time_t when, char out[BENCH_TIME_MAX]) {
  format_time(when, "%Y-%m-%dT%H:%M:%SZ", out);
}

void bench_proc_time_compact(time_t when, char out[BENCH_TIME_MAX]) {
  format_time(when, "%Y%m%d-%H%M%S", out);
}

int64_t bench_proc_monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double bench_proc_monotonic_s(void) {
  return (double)bench_proc_monotonic_ns() * 1e-9;
}

double bench_proc_cpu_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The number after `key` at the start of a line of a small text file, -1 if it is not there. With
 * an empty key: the file's first word. */
static int64_t file_number(const char *path, const char *key) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    return -1;
  }
  char line[256];
  int64_t value = -1;
  size_t length = strlen(key);
  while (value < 0 && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, key, length) == 0) {
      char *end;
      long long number = strtoll(line + length, &end, 10);
      if (end != line + length && number >= 0) {
        value = number;
      }
    }
  }
  fclose(file);
  return value;
}

/* /proc writes kB and means KiB. */
static int64_t proc_kib(const char *path, const char *key) {
  int64_t kib = file_number(path, key);
  return kib >= 0 ? kib * 1024 : -1;
}

int64_t bench_proc_mem_resident_bytes(void) {
  return proc_kib("/proc/self/status", "VmRSS:");
}

int64_t bench_proc_mem_peak_bytes(void) {
  return proc_kib("/proc/self/status", "VmHWM:");
}

bool bench_proc_mem_peak_reset(void) {
  FILE *file = fopen("/proc/self/clear_refs", "we");
  if (file == NULL) {
    return false;
  }
  bool written = fputs("5", file) >= 0;
  return fclose(file) == 0 && written;
}

enum { FILE_NAME_MAX = 64 }; /* of the cgroup files below */

/* One cgroup version keeps its memory figures in these files. */
typedef struct cgroup_files {
  const char *prefix; /* of the line in /proc/self/cgroup, up to the path */
  const char *folder; /* below the mount */
  const char *limit;
  const char *usage;
  const char *cache;  /* key in memory.stat of the pages that can be dropped */
  const char *events; /* with the line "oom_kill N" */
} cgroup_files;

static const cgroup_files cgroup_v2 = {
    "0::", "", "memory.max", "memory.current", "inactive_file ", "memory.events"};
static const cgroup_files cgroup_v1 = {":memory:",
                                       "/memory",
                                       "memory.limit_in_bytes",
                                       "memory.usage_in_bytes",
                                       "total_inactive_file ",
                                       "memory.oom_control"};

/* Version 1 writes "no limit" as a number near 2^63. */
static const int64_t no_limit_bytes = INT64_C(1) << 60;

static int64_t smaller_known(int64_t a, int64_t b) {
  if (a < 0 || b < 0) {
    return a < 0 ? b : a;
  }
  return a < b ? a : b;
}

/* Limit and room of one cgroup folder; its ancestors' may be tighter. */
static void add_cgroup(const cgroup_files *files, const char *folder, bench_cgroup_memory *out) {
  char path[PATH_MAX + FILE_NAME_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, files->limit);
  int64_t limit = file_number(path, "");
  if (limit < 0 || limit >= no_limit_bytes) {
    return;
  }
  snprintf(path, sizeof path, "%s/%s", folder, files->usage);
  int64_t usage = file_number(path, "");
  snprintf(path, sizeof path, "%s/memory.stat", folder);
  int64_t cache = file_number(path, files->cache);
  int64_t held = usage < 0 ? 0 : usage - (cache > 0 ? cache : 0);
  int64_t available = held < 0 ? limit : limit - held;
  out->limit_bytes = smaller_known(out->limit_bytes, limit);
  out->available_bytes = smaller_known(out->available_bytes, available < 0 ? 0 : available);
}

/* Walks from our cgroup up to the mount. In a container the path named by /proc may not exist
 * below the mount, whose root is then our own cgroup; both are covered. */
static bool walk_cgroup(const cgroup_files *files, const char *self_cgroup, const char *mount,
                        bench_cgroup_memory *out) {
  const char *line = strstr(self_cgroup, files->prefix);
  if (line == NULL) {
    return false;
  }
  line += strlen(files->prefix);
  char folder[PATH_MAX];
  int root = snprintf(folder, sizeof folder, "%s%s", mount, files->folder);
  int length = snprintf(folder, sizeof folder, "%s%s%.*s", mount, files->folder,
                        (int)strcspn(line, "\n"), line);
  if (length >= (int)sizeof folder) {
    return false;
  }
  char path[PATH_MAX + FILE_NAME_MAX];
  while (true) {
    add_cgroup(files, folder, out);
    snprintf(path, sizeof path, "%s/%s", folder, files->events);
    if (out->oom_kills < 0) {
      out->oom_kills = file_number(path, "oom_kill ");
    }
    char *slash = strrchr(folder + root, '/');
    if (slash == NULL) {
      break;
    }
    *slash = '\0';
  }
  return true;
}

bench_cgroup_memory bench_proc_cgroup_memory(const char *self_cgroup, const char *mount) {
  bench_cgroup_memory memory = {.limit_bytes = -1, .available_bytes = -1, .oom_kills = -1};
  walk_cgroup(&cgroup_v2, self_cgroup, mount, &memory);
  walk_cgroup(&cgroup_v1, self_cgroup, mount, &memory);
  return memory;
}

static bench_cgroup_memory own_cgroup(void) {
  char text[4096];
  size_t length = 0;
  FILE *file = fopen("/proc/self/cgroup", "re");
  if (file != NULL) {
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
  }
  text[length] = '\0';
  return bench_proc_cgroup_memory(text, "/sys/fs/cgroup");
}

int64_t bench_proc_mem_total_bytes(void) {
  return smaller_known(proc_kib("/proc/meminfo", "MemTotal:"), own_cgroup().limit_bytes);
}

int64_t bench_proc_mem_available_bytes(void) {
  return smaller_known(proc_kib("/proc/meminfo", "MemAvailable:"), own_cgroup().available_bytes);
}

int64_t bench_proc_mem_limit_bytes(void) {
  return own_cgroup().limit_bytes;
}

int64_t bench_proc_oom_kills(void) {
  int64_t kills = own_cgroup().oom_kills;
  return kills >= 0 ? kills : file_number("/proc/vmstat", "oom_kill ");
}

bool bench_proc_oom_first(void) {
  FILE *file = fopen("/proc/self/oom_score_adj", "we");
  if (file == NULL) {
    return false;
  }
  bool written = fputs("1000", file) >= 0;
  return fclose(file) == 0 && written;
}

double bench_proc_load_1min(void) {
  double load;
  return getloadavg(&load, 1) == 1 ? load : NAN;
}

bool bench_proc_executable(char *out, size_t bytes) {
  ssize_t length = readlink("/proc/self/exe", out, bytes);
  if (length < 0 || (size_t)length >= bytes) {
    return false;
  }
  out[length] = '\0';
  return true;
}

bench_code bench_proc_mkdirs(const char *path, bench_error *error) {
  char part[PATH_MAX];
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof part) {
    return bench_fail(error, BENCH_ERR_USAGE, "a folder's path is empty or too long");
  }
  memcpy(part, path, length + 1);
  for (size_t i = 1; i <= length; i++) {
    if (path[i] != '/' && path[i] != '\0') {
      continue;
    }
    part[i] = '\0';
    struct stat found;
    if (mkdir(part, 0777) != 0) {
      int reason = errno;
      if (stat(part, &found) != 0) {
        return bench_fail(error, BENCH_ERR_ENV, "%s: cannot make the folder: %s", part,
                          strerror(reason));
      }
      if (!S_ISDIR(found.st_mode)) {
        return bench_fail(error, BENCH_ERR_ENV, "%s: is in the way: not a folder", part);
      }
    }
    part[i] = path[i];
  }
  return BENCH_OK;
}
