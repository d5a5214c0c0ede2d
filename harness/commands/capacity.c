/* bench capacity: the longest sequence that fits, for every kernel and shape of a config. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "src/capacity.h"
#include "src/idset.h"
#include "src/sweep.h"

static const char help[] =
    "usage: bench capacity CONFIG.toml [--backend cpu|cuda|auto] [--device N] [--set "
    "KEY=VALUE]...\n"
    "\n"
    "Finds the longest sequence that fits into the memory budget (budget.memory_fraction), for "
    "each\n"
    "kernel and each shape of the config, whatever its own lengths: by the plan's prediction, "
    "then\n"
    "by bisection over fresh workers that allocate and touch all that a run would. Where a shape "
    "has\n"
    "as many queries as keys both grow, else the keys alone. Nothing is computed or timed.\n"
    "\n"
    "Where a worker does not answer within the time that a sweep would give it, the search ends "
    "with\n"
    "what was seen to fit by then, written >=N, and the exit status is 1.\n"
    "\n"
    "example: bench capacity configs/scale.toml --set sweep.budget.memory_fraction=0.5\n";

typedef struct capacity_options {
  const char *backend;
  int device;
  const char **sets;
  size_t set_count;
} capacity_options;

/* -1 to go on, else the exit status. */
static int parse(int argc, char **argv, capacity_options *out) {
  static const struct option options[] = {{"backend", required_argument, NULL, 'b'},
                                          {"device", required_argument, NULL, 'd'},
                                          {"set", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
    char rest;
    switch (letter) {
      case 'b':
        out->backend = optarg;
        break;
      case 'd':
        if (sscanf(optarg, "%d%c", &out->device, &rest) != 1 || out->device < 0) {
          return bench_usage_error("capacity", "--device %s: expected a whole number", optarg);
        }
        break;
      case 's':
        out->sets[out->set_count++] = optarg;
        break;
      case 'h':
        fputs(help, stdout);
        return 0;
      default:
        return bench_bad_option("capacity", letter, argv);
    }
  }
  return optind == argc - 1
             ? -1
             : bench_usage_error("capacity", argc == optind ? "a config file is needed"
                                                            : "one config file is expected");
}

/* The same problem whatever its length, as an id. */
static uint64_t shape_id(const bench_problem *problem, const char *name) {
  bench_attn attn = problem->attn;
  const bool square = attn.seq_q == attn.seq_kv;
  attn.seq_kv = 1;
  attn.seq_q = square ? 1 : attn.seq_q + 1;
  return bench_folder_row_id(name, "") ^ bench_attn_id(&attn);
}

static void print_one(const bench_problem *problem, const char *name, const bench_capacity *found) {
  const bench_attn *attn = &problem->attn;
  char mask[BENCH_MASK_TEXT_MAX];
  char seq[32];
  bench_mask_format(&attn->mask, attn->part, mask);
  snprintf(seq, sizeof seq, "%s%" PRId64, found->timed_out ? ">=" : "", found->seq);
  printf("%-10s %-14s %-5s %-22s %6" PRId64 " %6" PRId64 " %4" PRId64 "/%-4" PRId64 " %4" PRId64
         "  %9s  %8.3f  %s\n",
         name, found->variant[0] != '\0' ? found->variant : "-", bench_dtype_name(attn->dtype),
         mask, attn->layers, attn->batch, attn->heads_q, attn->heads_kv, attn->head_dim, seq,
         (double)found->bytes / 1e9, found->beyond);
  fflush(stdout);
}

static int search_all(const bench_config *config, const bench_plan *plan,
                      const bench_target *target, const bench_supervisor *supervisor) {
  const int64_t memory = target->device.mem_bytes > 0 ? target->device.mem_bytes : INT64_MAX / 2;
  const int64_t limit = (int64_t)(config->budget_memory_fraction * (double)memory);
  bench_idset seen = {0};
  int status = 0;
  bool timed_out = false;
  printf("%-10s %-14s %-5s %-22s %6s %6s %9s %4s  %9s  %8s  %s\n", "kernel", "variant", "dtype",
         "mask", "layers", "batch", "heads", "d", "seq_max", "GB", "what is beyond");
  for (size_t i = 0; status == 0 && i < plan->case_count; i++) {
    const bench_case *planned = &plan->cases[i];
    const bench_problem *problem = &plan->problems[planned->problem];
    bench_capacity found;
    bool is_new;
    if (!bench_idset_add(&seen, shape_id(problem, planned->name), &is_new)) {
      status = 4;
    } else if (is_new) {
      if (bench_capacity_find(supervisor, target, config, problem, planned->name, limit, &found)) {
        timed_out = timed_out || found.timed_out;
        print_one(problem, planned->name, &found);
      } else {
        status = 130;
      }
    }
  }
  bench_idset_free(&seen);
  return status == 0 && timed_out ? 1 : status;
}

int bench_command_capacity(int argc, char **argv) {
  capacity_options wish = {.backend = "auto", .sets = calloc((size_t)argc + 1, sizeof(char *))};
  int status = wish.sets == NULL ? 4 : parse(argc, argv, &wish);
  if (status != -1) {
    free(wish.sets);
    return status;
  }
  bench_config config = {0};
  bench_plan plan = {0};
  bench_target target;
  bench_supervisor *supervisor = NULL;
  bench_error error;
  bench_catch_signals();
  bench_code code = bench_config_load(argv[optind], wish.sets, wish.set_count, &config, &error);
  if (code == BENCH_OK) {
    code = bench_target_open(wish.backend, wish.device, &supervisor, &target, &error);
  }
  if (code == BENCH_OK) {
    code = bench_plan_build(&config, &target, &plan, &error);
  }
  if (code == BENCH_OK) {
    status = search_all(&config, &plan, &target, supervisor);
  } else {
    fprintf(stderr, "bench capacity: %s\n", error.message);
    status = bench_exit_status(code);
  }
  bench_plan_free(&plan);
  bench_supervisor_close(supervisor);
  bench_config_free(&config);
  free(wish.sets);
  return status;
}
