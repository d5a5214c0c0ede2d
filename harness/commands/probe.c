/* One request to one device: see probe.h. */
#include "commands/probe.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "commands/commands.h"

typedef struct wishes {
  const char *backend;
  int device;
} wishes;

/* -1 to go on, else the exit status. */
static int parse(int argc, char **argv, const char *help, bool may_write, wishes *wish,
                 bench_probe *out) {
  static const struct option options[] = {{"backend", required_argument, NULL, 'b'},
                                          {"device", required_argument, NULL, 'd'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, may_write ? ":o:h" : ":h", options, NULL)) != -1) {
    char rest;
    switch (letter) {
      case 'b':
        wish->backend = optarg;
        break;
      case 'd':
        if (sscanf(optarg, "%d%c", &wish->device, &rest) != 1 || wish->device < 0) {
          return bench_usage_error(argv[0], "--device %s: expected a whole number", optarg);
        }
        break;
      case 'o':
        out->output = optarg;
        break;
      case 'h':
        fputs(help, stdout);
        return 0;
      default:
        return bench_bad_option(argv[0], letter, argv);
    }
  }
  return optind == argc ? -1 : bench_usage_error(argv[0], "unexpected argument %s", argv[optind]);
}

static int ask(bench_supervisor *supervisor, const char *command, const char *op, double timeout_s,
               bench_probe *out) {
  json_t *request = json_pack("{s:s}", "op", op);
  char reason[512] = "";
  const bench_answer answer =
      bench_supervisor_request(supervisor, request, timeout_s, NULL, NULL, &out->answer, reason);
  json_decref(request);
  const char *told = json_string_value(json_object_get(out->answer, "reason"));
  if (answer == BENCH_STOPPED) {
    return 130;
  }
  if (answer != BENCH_ANSWERED || told != NULL) {
    fprintf(stderr, "bench %s: %s\n", command, told != NULL ? told : reason);
    json_decref(out->answer);
    out->answer = NULL;
    return 1;
  }
  return -1;
}

int bench_probe_ask(int argc, char **argv, const char *help, bool may_write, const char *op,
                    double timeout_s, bench_probe *out) {
  wishes wish = {.backend = "auto"};
  *out = (bench_probe){0};
  int status = parse(argc, argv, help, may_write, &wish, out);
  if (status != -1) {
    return status;
  }
  bench_supervisor *supervisor = NULL;
  bench_error error;
  bench_catch_signals();
  const bench_code code =
      bench_target_open(wish.backend, wish.device, &supervisor, &out->target, &error);
  if (code != BENCH_OK) {
    fprintf(stderr, "bench %s: %s\n", argv[0], error.message);
    return bench_exit_status(code);
  }
  status = ask(supervisor, argv[0], op, timeout_s, out);
  bench_supervisor_close(supervisor);
  return status;
}
