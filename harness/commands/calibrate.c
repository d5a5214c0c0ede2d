/* bench calibrate: the measured roofs of this device, for bench sweep --roofs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands/commands.h"
#include "commands/probe.h"
#include "platform/proc.h"
#include "src/roofs.h"
#include "version.h"

static const char help[] =
    "usage: bench calibrate [-o FILE] [--backend cpu|cuda|auto] [--device N]\n\n"
    "Measures how fast this device multiplies matrices in each type, reads, writes and copies\n"
    "memory and reads its last-level cache, and its clock under load. The roofs go to FILE as\n"
    "JSON, else to standard output; bench sweep --roofs FILE fills pct_of_roof with them.\n\n"
    "example: bench calibrate -o roofs.json && bench sweep configs/scale.toml --roofs roofs.json\n";

#define TIMEOUT_S 300.0

static json_t *document(const bench_probe *probe) {
  const bench_device *device = &probe->target.device;
  char host[BENCH_HOST_MAX];
  char now[BENCH_TIME_MAX];
  bench_proc_host(host);
  bench_proc_time_iso(time(NULL), now);
  return json_pack("{s:s s:s s:s s:i s:s s:s s:s s:O}", "backend", device->backend, "device",
                   device->name, "uuid", device->uuid, "threads", device->threads, "host", host,
                   "timestamp_utc", now, "git_commit", BENCH_GIT_COMMIT, "roofs",
                   json_object_get(probe->answer, "roofs"));
}

static void print_table(const json_t *roofs, FILE *to) {
  const char *name;
  const char *unit;
  const char *text;
  for (size_t i = 0; (name = bench_roof_describe(i, &unit, &text)) != NULL; i++) {
    const json_t *value = json_object_get(roofs, name);
    if (json_is_number(value)) {
      fprintf(to, "%-20s %10.4g %-12s %s\n", name, json_number_value(value), unit, text);
    } else {
      fprintf(to, "%-20s %10s %-12s %s\n", name, "-", unit, text);
    }
  }
}

static int write_document(const json_t *json, const char *path) {
  FILE *to = path != NULL ? fopen(path, "w") : stdout;
  bool written = to != NULL && json_dumpf(json, to, JSON_INDENT(2)) == 0 && fputc('\n', to) != EOF;
  if (to != NULL && path != NULL) {
    written = fclose(to) == 0 && written;
  }
  if (!written) {
    fprintf(stderr, "bench calibrate: %s: cannot write: %s\n", path != NULL ? path : "stdout",
            strerror(errno));
  }
  return written ? 0 : 4;
}

int bench_command_calibrate(int argc, char **argv) {
  bench_probe probe;
  int status = bench_probe_ask(argc, argv, help, true, "calibrate", TIMEOUT_S, &probe);
  if (status != -1) {
    return status;
  }
  json_t *json = document(&probe);
  print_table(json_object_get(json, "roofs"), stderr);
  status = write_document(json, probe.output);
  json_decref(json);
  json_decref(probe.answer);
  return status;
}
