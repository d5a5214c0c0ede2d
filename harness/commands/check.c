/* bench check: every kernel against the fp64 reference on shapes that break kernels. Runs through
 * the same worker and the same verification as a sweep, whole outputs compared, nothing timed. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "src/check_cases.h"
#include "src/sweep.h"

static const char help[] =
    "usage: bench check [--backend cpu|cuda|auto] [--device N] [--kernel FAMILY[/VARIANT]]\n"
    "                   [--fail-fast]\n\n"
    "Compares every kernel with attention in double precision: lengths of 1, primes, less than a\n"
    "tile, cross attention, rows that see nothing, every head dim, mask, dtype and head group,\n"
    "normal, outlier and huge inputs. Exit status 1 if one is wrong. --fail-fast: ends there.\n\n"
    "example: bench check --backend cpu --kernel flash\n";

#define CHECK_TIMEOUT_S 60.0
#define CHECK_TIMEOUT_EMULATED_S 600.0

typedef struct check {
  bench_supervisor *supervisor;
  bench_target target;
  int64_t ok;
  int64_t skipped;
  int64_t failed;
  bool fail_fast;
} check;

/* Whether what is left need not be checked any more. */
static bool is_over(const check *c) {
  return bench_stop || (c->fail_fast && c->failed > 0);
}

static void describe(const bench_problem *problem, const char *name, const char *status,
                     const char *reason) {
  const bench_attn *attn = &problem->attn;
  char mask[BENCH_MASK_TEXT_MAX];
  bench_mask_format(&attn->mask, attn->part, mask);
  printf("%s: %s batch=%" PRId64 " heads=%" PRId64 "/%" PRId64 " head_dim=%" PRId64 " seq=%" PRId64
         "/%" PRId64 " %s %s input=%s seed=%" PRIu64 ": %s\n",
         status, name, attn->batch, attn->heads_q, attn->heads_kv, attn->head_dim, attn->seq_q,
         attn->seq_kv, bench_dtype_name(attn->dtype), mask, bench_input_name(attn->input),
         attn->seed, reason);
}

static void check_one(check *c, const bench_problem *problem, const char *name) {
  const bench_case planned = {.name = name};
  json_t *request = bench_case_request(problem, &planned, "check", 0, true);
  json_t *result = NULL;
  char reason[512] = "";
  const char *status = "crashed";
  const double timeout_s = c->target.backend->emulated ? CHECK_TIMEOUT_EMULATED_S : CHECK_TIMEOUT_S;
  switch (
      bench_supervisor_request(c->supervisor, request, timeout_s, NULL, NULL, &result, reason)) {
    case BENCH_ANSWERED:
      status = json_string_value(json_object_get(result, "status"));
      status = status == NULL ? "failed" : status;
      if (bench_status_needs_restart(status)) {
        bench_supervisor_restart(c->supervisor);
      }
      break;
    case BENCH_TIMED_OUT:
      status = "timeout";
      break;
    case BENCH_OOM_KILLED:
      status = "oom";
      break;
    case BENCH_CRASHED:
    case BENCH_STOPPED:
      break;
  }
  const char *told = json_string_value(json_object_get(result, "reason"));
  if (strcmp(status, "ok") == 0) {
    c->ok++;
  } else if (strcmp(status, "skipped") == 0) {
    c->skipped++;
  } else if (!bench_stop) {
    c->failed++;
    describe(problem, name, status, told != NULL ? told : reason);
  }
  json_decref(request);
  json_decref(result);
}

/* What does not compute, or has no kernel here, has nothing to check. */
static bool has_kernel(const bench_backend *backend, const char *name) {
  for (size_t i = 0; i < backend->kernel_count; i++) {
    if (bench_kernel_is_named(backend->kernels[i].kernel, name)) {
      return bench_family_computes(name);
    }
  }
  return false;
}

/* `wanted`: the one kernel to check, or NULL for every family. */
static int run_checks(check *c, const char *wanted) {
  const char *const *names = wanted == NULL ? bench_families : &wanted;
  const size_t count = wanted == NULL ? bench_family_count : 1;
  int64_t total_ok = 0;
  int64_t total_failed = 0;
  int checked = 0;
  for (size_t n = 0; n < count && !is_over(c); n++) {
    if (!has_kernel(c->target.backend, names[n])) {
      continue;
    }
    c->ok = c->skipped = c->failed = 0;
    for (size_t i = 0; i < bench_check_count() && !is_over(c); i++) {
      bench_problem problem;
      bench_check_problem(i, &problem);
      check_one(c, &problem, names[n]);
    }
    printf("%-10s %" PRId64 " ok, %" PRId64 " failed, %" PRId64 " skipped\n", names[n], c->ok,
           c->failed, c->skipped);
    fflush(stdout);
    checked++;
    total_ok += c->ok;
    total_failed += c->failed;
  }
  if (checked == 0) {
    return bench_usage_error("check", "backend %s has no kernel \"%s\" to check",
                             c->target.backend->name, wanted == NULL ? "" : wanted);
  }
  printf("%" PRId64 " combinations on %s: %" PRId64 " ok, %" PRId64 " failed\n",
         total_ok + total_failed, c->target.backend->name, total_ok, total_failed);
  if (bench_stop) {
    return 130;
  }
  return total_failed > 0 || total_ok == 0 ? 1 : 0;
}

int bench_command_check(int argc, char **argv) {
  static const struct option options[] = {
      {"backend", required_argument, NULL, 'b'}, {"device", required_argument, NULL, 'd'},
      {"kernel", required_argument, NULL, 'k'},  {"fail-fast", no_argument, NULL, 'f'},
      {"help", no_argument, NULL, 'h'},          {0}};
  const char *backend = "auto";
  const char *kernel = NULL;
  int device = 0;
  check c = {0};
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
    switch (letter) {
      case 'b':
        backend = optarg;
        break;
      case 'd':
        if (sscanf(optarg, "%d", &device) != 1) {
          return bench_usage_error("check", "--device %s: expected a whole number", optarg);
        }
        break;
      case 'k':
        kernel = optarg;
        break;
      case 'f':
        c.fail_fast = true;
        break;
      case 'h':
        fputs(help, stdout);
        return 0;
      default:
        return bench_bad_option("check", letter, argv);
    }
  }
  if (optind != argc) {
    return bench_usage_error("check", "unexpected argument %s", argv[optind]);
  }
  bench_error error;
  bench_catch_signals();
  bench_code code = bench_target_open(backend, device, &c.supervisor, &c.target, &error);
  if (code != BENCH_OK) {
    fprintf(stderr, "bench check: %s\n", error.message);
    return bench_exit_status(code);
  }
  int status = run_checks(&c, kernel);
  bench_supervisor_close(c.supervisor);
  return status;
}
