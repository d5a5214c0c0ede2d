/* bench info: the machine, its devices and this build; what a bug report needs. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "src/protocol.h"
#include "src/sweep.h"

static const char help[] =
    "usage: bench info [--json]\n\n"
    "example: bench info --json | less\n";

/* Each backend's first device as its worker sees it, or the reason why there is none. */
static json_t *devices(void) {
  const char *name;
  json_t *all = json_object();
  for (size_t i = 0; (name = bench_backend_name_at(i)) != NULL; i++) {
    bench_supervisor *supervisor = NULL;
    bench_target target;
    bench_error error;
    json_t *json;
    if (bench_target_open(name, 0, &supervisor, &target, &error) == BENCH_OK) {
      json = bench_device_to_json(&target.device);
      bench_supervisor_close(supervisor);
    } else {
      json = json_pack("{s:s}", "unavailable", error.message);
    }
    json_object_set_new(all, name, json);
  }
  return all;
}

/* "a.b: value" lines: the same facts as the JSON, for people. */
static void print_flat(const char *prefix, const json_t *json) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value) {
    char name[256];
    snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key);
    if (json_is_object(value)) {
      print_flat(name, value);
    } else if (json_is_string(value)) {
      printf("%-32s %s\n", name, json_string_value(value));
    } else {
      char *text = json_dumps(value, JSON_ENCODE_ANY);
      printf("%-32s %s\n", name, text == NULL ? "" : text);
      free(text);
    }
  }
}

int bench_command_info(int argc, char **argv) {
  static const struct option options[] = {
      {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
  bool as_json = false;
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
    if (letter == 'h') {
      fputs(help, stdout);
      return 0;
    }
    if (letter != 'j') {
      return bench_bad_option("info", letter, argv);
    }
    as_json = true;
  }
  if (optind != argc) {
    return bench_usage_error("info", "unexpected argument %s", argv[optind]);
  }
  bench_catch_signals();
  json_t *info = json_pack("{s:o s:o s:o}", "build", bench_manifest_build(), "machine",
                           bench_manifest_machine(), "device", devices());
  if (as_json) {
    json_dumpf(info, stdout, JSON_INDENT(2));
    printf("\n");
  } else {
    print_flat("", info);
  }
  json_decref(info);
  return 0;
}
