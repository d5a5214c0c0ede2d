/* bench sweep CONFIG.toml: options of the sweep. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "src/sweep.h"

static const char help[] =
    "usage: bench sweep CONFIG.toml [OPTION...]\n\n"
    "Plans every case of the config, verifies each kernel's result, times it, and writes one row\n"
    "per case and mode to sweep.csv, with heads.csv, samples.csv and manifest.json beside it.\n\n"
    "  -o DIR               output folder (default results/<date>-<time>_<host>_<name>)\n"
    "  --backend NAME       auto (default), cpu or cuda\n"
    "  --device N           device of the backend, from 0\n"
    "  --filter KEY=GLOB    only rows whose column KEY matches; several by commas, all must match\n"
    "  --set KEY=VALUE      change the config: sweep.budget.case_s=1, grid.seq=[64]; repeatable\n"
    "  --dry-run            count cases, work, memory and time, and run nothing\n"
    "  --resume             go on with a folder that has rows already: make what is missing, what\n"
    "                       failed, and what was skipped for a reason that no longer holds\n"
    "  --force              with --resume: also where rows are of another schema, commit, kernel\n"
    "                       code, device or config, which are then mixed\n"
    "  --shard I/N          only the I-th of N parts, I from 1; bench merge joins them\n"
    "  --peer COMMAND       measure the kernels of a foreign worker beside ours, judged the same "
    "way\n"
    "                       (harness/src/protocol.h); repeatable\n"
    "  --roofs FILE         measured roofs of this device (bench calibrate), for pct_of_roof\n"
    "  --check lse          compute the statistics once more by identities of the log-sum-exp\n"
    "  --seed N             seed of inputs and block masks\n"
    "  --progress WHEN      auto (default), always or never\n"
    "  --json               print a JSON summary instead of the table\n\n"
    "example: bench sweep configs/scale.toml --filter kernel=flash,mode=warm -o /tmp/flash\n";

enum {
  OPTION_BACKEND = 256,
  OPTION_DEVICE,
  OPTION_FILTER,
  OPTION_SET,
  OPTION_DRY_RUN,
  OPTION_RESUME,
  OPTION_FORCE,
  OPTION_SHARD,
  OPTION_CHECK,
  OPTION_ROOFS,
  OPTION_PEER,
  OPTION_SEED,
  OPTION_PROGRESS,
  OPTION_JSON,
  OPTION_HELP
};

static const struct option long_options[] = {{"backend", required_argument, NULL, OPTION_BACKEND},
                                             {"device", required_argument, NULL, OPTION_DEVICE},
                                             {"filter", required_argument, NULL, OPTION_FILTER},
                                             {"set", required_argument, NULL, OPTION_SET},
                                             {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
                                             {"resume", no_argument, NULL, OPTION_RESUME},
                                             {"force", no_argument, NULL, OPTION_FORCE},
                                             {"shard", required_argument, NULL, OPTION_SHARD},
                                             {"check", required_argument, NULL, OPTION_CHECK},
                                             {"peer", required_argument, NULL, OPTION_PEER},
                                             {"roofs", required_argument, NULL, OPTION_ROOFS},
                                             {"seed", required_argument, NULL, OPTION_SEED},
                                             {"progress", required_argument, NULL, OPTION_PROGRESS},
                                             {"json", no_argument, NULL, OPTION_JSON},
                                             {"help", no_argument, NULL, OPTION_HELP},
                                             {0}};

/* A whole number from low to high, and nothing behind it. */
static bool parse_number(const char *text, long low, long high, long *out) {
  char *end;
  errno = 0;
  *out = strtol(text, &end, 10);
  return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 && *out >= low &&
         *out <= high;
}

/* "a=1,b=2" as two entries of the list, in place. */
static void add_filters(char *text, bench_sweep_options *options) {
  char *rest = text;
  for (char *part; (part = strsep(&rest, ",")) != NULL;) {
    options->filters[options->filter_count++] = part;
  }
}

static int parse_shard(const char *text, bench_sweep_options *options) {
  char first[16];
  const char *slash = strchr(text, '/');
  long shard;
  long shards;
  if (slash == NULL || (size_t)(slash - text) >= sizeof first) {
    return bench_usage_error("sweep", "--shard %s: expected I/N, as in 1/4", text);
  }
  memcpy(first, text, (size_t)(slash - text));
  first[slash - text] = '\0';
  if (!parse_number(slash + 1, 1, 1000000, &shards) || !parse_number(first, 1, shards, &shard)) {
    return bench_usage_error("sweep", "--shard %s: I must be from 1 to N", text);
  }
  options->shard = (int)shard;
  options->shards = (int)shards;
  return 0;
}

static int parse_progress(const char *text, bench_progress *out) {
  static const char *const names[] = {"auto", "always", "never"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(text, names[i]) == 0) {
      *out = (bench_progress)i;
      return 0;
    }
  }
  return bench_usage_error("sweep", "--progress %s: expected auto, always or never", text);
}

static int parse_backend(const char *text, bench_sweep_options *options) {
  bench_error error;
  if (strcmp(text, "auto") != 0 && bench_backend_find(text, &error) == NULL &&
      error.code == BENCH_ERR_USAGE) {
    return bench_usage_error("sweep", "--backend %s: %s, and auto", text, error.message);
  }
  options->backend = text;
  return 0;
}

/* `--seed N` is `--set input.seed=N`; `text` has room for it. */
static int add_seed(const char *value, char *text, size_t bytes, bench_sweep_options *options) {
  long seed;
  if (!parse_number(value, 0, __LONG_MAX__, &seed)) {
    return bench_usage_error("sweep", "--seed %s: expected a whole number", value);
  }
  snprintf(text, bytes, "input.seed=%ld", seed);
  options->sets[options->set_count++] = text;
  return 0;
}

static int parse_check(const char *text, bench_sweep_options *options) {
  options->check_lse = strcmp(text, "lse") == 0;
  return options->check_lse ? 0 : bench_usage_error("sweep", "--check %s: expected lse", text);
}

static int parse_device(const char *text, bench_sweep_options *options) {
  long device;
  if (!parse_number(text, 0, 1023, &device)) {
    return bench_usage_error("sweep", "--device %s: expected a whole number", text);
  }
  options->device = (int)device;
  return 0;
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, char *seed_text, size_t seed_bytes,
                         bench_sweep_options *options) {
  int letter;
  int status = 0;
  optind = 0;
  while (status == 0 && (letter = getopt_long(argc, argv, ":o:h", long_options, NULL)) != -1) {
    switch (letter) {
      case 'o':
        options->folder = optarg;
        break;
      case OPTION_BACKEND:
        status = parse_backend(optarg, options);
        break;
      case OPTION_DEVICE:
        status = parse_device(optarg, options);
        break;
      case OPTION_FILTER:
        add_filters(optarg, options);
        break;
      case OPTION_SET:
        options->sets[options->set_count++] = optarg;
        break;
      case OPTION_DRY_RUN:
        options->dry_run = true;
        break;
      case OPTION_RESUME:
        options->resume = true;
        break;
      case OPTION_FORCE:
        options->force = true;
        break;
      case OPTION_SHARD:
        status = parse_shard(optarg, options);
        break;
      case OPTION_CHECK:
        status = parse_check(optarg, options);
        break;
      case OPTION_PEER:
        options->peers[options->peer_count++] = optarg;
        break;
      case OPTION_ROOFS:
        options->roofs_path = optarg;
        break;
      case OPTION_SEED:
        status = add_seed(optarg, seed_text, seed_bytes, options);
        break;
      case OPTION_PROGRESS:
        status = parse_progress(optarg, &options->progress);
        break;
      case OPTION_JSON:
        options->json = true;
        break;
      case OPTION_HELP:
      case 'h':
        fputs(help, stdout);
        return 0;
      default:
        status = bench_bad_option("sweep", letter, argv);
    }
  }
  return status == 0 ? -1 : status;
}

int bench_command_sweep(int argc, char **argv) {
  size_t text_bytes = 1; /* filters: at most one per comma and option */
  for (int i = 0; i < argc; i++) {
    text_bytes += strlen(argv[i]) + 1;
  }
  json_t *command = json_pack("[s]", "bench");
  for (int i = 0; i < argc; i++) { /* before getopt reorders them */
    json_array_append_new(command, json_string(argv[i]));
  }
  char seed_text[64];
  bench_roofs roofs;
  bench_sweep_options options = {.backend = "auto",
                                 .roofs = &roofs,
                                 .filters = calloc(text_bytes, sizeof(char *)),
                                 .sets = calloc((size_t)argc + 1, sizeof(char *)),
                                 .peers = calloc((size_t)argc + 1, sizeof(char *)),
                                 .command = command};
  int status = 4;
  if (options.filters != NULL && options.sets != NULL && options.peers != NULL) {
    status = parse_options(argc, argv, seed_text, sizeof seed_text, &options);
  }
  if (status == -1 && optind != argc - 1) {
    status = bench_usage_error(
        "sweep", argc == optind ? "a config file is needed" : "one config file is expected");
  }
  if (status == -1 && options.force && !options.resume) {
    status = bench_usage_error("sweep", "--force needs --resume");
  }
  if (status == -1) {
    options.config_path = argv[optind];
    status = bench_sweep(&options);
  }
  json_decref(command);
  free(options.filters);
  free(options.sets);
  free(options.peers);
  return status;
}
