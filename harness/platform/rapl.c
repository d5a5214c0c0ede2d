/* RAPL by sysfs: see rapl.h. */
#include "platform/rapl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool read_number(const char *path, int64_t *out) {
  FILE *file = fopen(path, "re");
  long long value = -1;
  const bool read = file != NULL && fscanf(file, "%lld", &value) == 1 && value >= 0;
  if (file != NULL) {
    fclose(file);
  }
  *out = value;
  return read;
}

static bool is_package(const char *folder) {
  char path[512];
  char name[64] = "";
  snprintf(path, sizeof path, "%s/name", folder);
  FILE *file = fopen(path, "re");
  const bool read = file != NULL && fgets(name, sizeof name, file) != NULL;
  if (file != NULL) {
    fclose(file);
  }
  return read && strncmp(name, "package", strlen("package")) == 0;
}

bench_code bench_rapl_open(const char *root, bench_rapl *out, bench_error *why_not) {
  *out = (bench_rapl){0};
  for (int n = 0; n < BENCH_RAPL_PACKAGES_MAX; n++) {
    char folder[200];
    char range[256];
    char *counter = out->paths[out->packages];
    snprintf(folder, sizeof folder, "%s/intel-rapl:%d", root, n);
    if (!is_package(folder)) {
      continue;
    }
    snprintf(counter, sizeof out->paths[0], "%s/energy_uj", folder);
    snprintf(range, sizeof range, "%s/max_energy_range_uj", folder);
    if (!read_number(counter, &out->last_uj[out->packages]) ||
        !read_number(range, &out->range_uj[out->packages])) {
      return bench_fail(why_not, BENCH_ERR_UNSUPPORTED, "%s cannot be read", counter);
    }
    out->packages++;
  }
  return out->packages > 0 ? BENCH_OK
                           : bench_fail(why_not, BENCH_ERR_UNSUPPORTED, "no RAPL counter");
}

double bench_rapl_read(bench_rapl *rapl) {
  for (int n = 0; n < rapl->packages; n++) {
    int64_t now;
    if (!read_number(rapl->paths[n], &now)) {
      return NAN;
    }
    const int64_t grown = now - rapl->last_uj[n];
    rapl->joules += 1e-6 * (double)(grown >= 0 ? grown : grown + rapl->range_uj[n]);
    rapl->last_uj[n] = now;
  }
  return rapl->joules;
}
