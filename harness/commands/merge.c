/* bench merge DIR... -o DIR: the parts of one sweep, made by shards, as one result. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "src/merge.h"

static const char help[] =
    "usage: bench merge DIR... -o DIR\n\n"
    "Joins the folders that the shards of one sweep left into one, as a single run would have "
    "left\n"
    "it. Refuses (exit status 3) folders of different configs, builds or devices, and two "
    "different\n"
    "rows of one case and mode.\n\n"
    "  -o DIR    output folder; must not be there, or be empty\n"
    "  --json    print a JSON summary\n\n"
    "example: for i in 1 2; do bench sweep c.toml --shard $i/2 -o part$i; done\n"
    "         bench merge part1 part2 -o whole\n";

enum { OPTION_JSON = 256, OPTION_HELP };

static int summarize(const char *out, size_t folders, const bench_merge_result *result,
                     bool as_json) {
  bool failed = false;
  json_t *counts = json_object();
  for (int i = 0; i < BENCH_STATUS_COUNT; i++) {
    const char *name = bench_status_names[i];
    json_object_set_new(counts, name, json_integer(result->by_status[i]));
    failed = failed ||
             (result->by_status[i] > 0 && strcmp(name, "ok") != 0 && strcmp(name, "skipped") != 0);
  }
  if (as_json) {
    json_t *json =
        json_pack("{s:s s:I s:I s:O}", "folder", out, "rows", (json_int_t)result->rows,
                  "rows_planned", (json_int_t)result->rows_planned, "rows_by_status", counts);
    json_dumpf(json, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(json);
  } else {
    fprintf(stderr, "bench: %" PRId64 " rows of %zu folders in %s/sweep.csv", result->rows, folders,
            out);
    if (result->rows < result->rows_planned) {
      fprintf(stderr, "; %" PRId64 " of the plan are missing", result->rows_planned - result->rows);
    }
    fprintf(stderr, "\n");
  }
  json_decref(counts);
  return failed ? 1 : 0;
}

int bench_command_merge(int argc, char **argv) {
  static const struct option options[] = {
      {"json", no_argument, NULL, OPTION_JSON}, {"help", no_argument, NULL, OPTION_HELP}, {0}};
  const char *out = NULL;
  bool as_json = false;
  json_t *command = json_pack("[s]", "bench");
  for (int i = 0; i < argc; i++) { /* before getopt reorders them */
    json_array_append_new(command, json_string(argv[i]));
  }
  int letter;
  int status = -1;
  optind = 0;
  while (status == -1 && (letter = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
    switch (letter) {
      case 'o':
        out = optarg;
        break;
      case OPTION_JSON:
        as_json = true;
        break;
      case OPTION_HELP:
      case 'h':
        fputs(help, stdout);
        status = 0;
        break;
      default:
        status = bench_bad_option("merge", letter, argv);
    }
  }
  if (status == -1 && optind == argc) {
    status = bench_usage_error("merge", "a folder is needed");
  } else if (status == -1 && out == NULL) {
    status = bench_usage_error("merge", "-o DIR is needed");
  }
  if (status == -1) {
    bench_merge_result result;
    bench_error error;
    const size_t count = (size_t)(argc - optind);
    bench_code code =
        bench_merge((const char *const *)argv + optind, count, out, command, &result, &error);
    if (code == BENCH_OK) {
      status = summarize(out, count, &result, as_json);
    } else {
      fprintf(stderr, "bench merge: %s\n", error.message);
      status = bench_exit_status(code);
    }
  }
  json_decref(command);
  return status;
}
