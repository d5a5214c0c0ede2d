/* bench profile: loss and attention statistics of a real model on a text.
 *
 * The tokens are cut into consecutive windows that do not overlap, each run from position 0; a
 * rest shorter than a window is left out. The loss is the mean over all predictions of all
 * windows; the statistics are those of the first few windows, one line a layer, and in heads.csv
 * one row a layer and head. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/input.h"
#include "bench/model.h"
#include "bench/stat.h"
#include "commands/commands.h"
#include "model/attention.h"
#include "platform/proc.h"
#include "sinks/csv.h"
#include "src/head_row.h"
#include "src/sweep.h"

#define STAT_WINDOWS 4

static const char help[] =
    "usage: bench profile CHECKPOINT --text FILE | --tokens FILE [options]\n"
    "\n"
    "Loss and per-layer attention statistics of a Llama checkpoint (config.json and\n"
    "model.safetensors, in the layout of Hugging Face) on a text.\n"
    "\n"
    "  --text FILE           a text, for a model whose tokens are bytes\n"
    "  --tokens FILE         token ids: .npy (integers) or .bin (little-endian)\n"
    "  --token-type u16|u32  of a .bin file (u16)\n"
    "  --seq N               tokens of a window (the model's context)\n"
    "  --windows N           windows that the statistics use, from the first (4)\n"
    "  -o, --output DIR      also write DIR/heads.csv: every layer and head\n"
    "\n"
    "example: bench profile configs/checkpoints/kjv-1m --text book.txt --seq 512 -o results/book\n";

typedef struct profile {
  const char *checkpoint;
  const char *file;
  bool is_tokens;
  bool wide;
  const char *folder;
  int64_t seq;          /* 0: the model's context */
  int64_t stat_windows; /* as asked for, then at most `windows` */

  bench_model *model;
  const bench_model_info *info;
  bench_tokens tokens;
  int64_t windows;
  int64_t window;         /* the one at hand */
  bench_attn attn;        /* one window's layer */
  bench_stat_core *stats; /* [layers][heads_q][stat_windows] */
  bench_stat_core *heads; /* [heads_q], of the layer at hand */
  double loss_nats;       /* sum over all predictions */
  bench_error error;
} profile;

static bool read_count(const char *text, int64_t limit, int64_t *out) {
  char *end;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  *out = value;
  return errno == 0 && end != text && *end == '\0' && value >= 1 && value <= limit;
}

static bool ends_with(const char *text, const char *ending) {
  const size_t length = strlen(text);
  const size_t tail = strlen(ending);
  return length > tail && strcmp(text + length - tail, ending) == 0;
}

/* What the options say together, once each is read. Returns 0 or the exit status. */
static int check_options(const profile *p, int texts, const char *token_type) {
  if (p->checkpoint == NULL) {
    return bench_usage_error("profile", "a checkpoint folder is needed");
  }
  if (texts != 1) {
    return bench_usage_error("profile", "one of --text FILE and --tokens FILE is needed");
  }
  if (p->is_tokens && !ends_with(p->file, ".npy") && !ends_with(p->file, ".bin")) {
    return bench_usage_error("profile", "--tokens %s: a token file ends in .npy or .bin", p->file);
  }
  if (token_type != NULL && strcmp(token_type, "u16") != 0 && strcmp(token_type, "u32") != 0) {
    return bench_usage_error("profile", "--token-type %s: u16 or u32 is expected", token_type);
  }
  return 0;
}

/* Returns 0, or the exit status with which to end; *done says that nothing is left to do. */
static int read_options(int argc, char **argv, profile *p, bool *done) {
  static const struct option options[] = {{"text", required_argument, NULL, 't'},
                                          {"tokens", required_argument, NULL, 'k'},
                                          {"token-type", required_argument, NULL, 'y'},
                                          {"seq", required_argument, NULL, 's'},
                                          {"windows", required_argument, NULL, 'w'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  const char *token_type = NULL;
  int texts = 0;
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, ":o:h", options, NULL)) != -1) {
    switch (letter) {
      case 't':
      case 'k':
        texts++;
        p->file = optarg;
        p->is_tokens = letter == 'k';
        break;
      case 'y':
        token_type = optarg;
        break;
      case 's':
      case 'w':
        if (!read_count(optarg, INT64_C(1) << 24, letter == 's' ? &p->seq : &p->stat_windows)) {
          return bench_usage_error("profile", "%s %s: a count from 1 to 2^24 is expected",
                                   letter == 's' ? "--seq" : "--windows", optarg);
        }
        break;
      case 'o':
        p->folder = optarg;
        break;
      case 'h':
        fputs(help, stdout);
        *done = true;
        return 0;
      default:
        return bench_bad_option("profile", letter, argv);
    }
  }
  p->checkpoint = argv[optind];
  if (p->checkpoint != NULL && optind + 1 < argc) {
    return bench_usage_error("profile", "unexpected argument %s", argv[optind + 1]);
  }
  p->wide = token_type != NULL && strcmp(token_type, "u32") == 0;
  return check_options(p, texts, token_type);
}

/* Opens model and text and cuts the windows. */
static bench_code open_all(profile *p) {
  bench_code code = bench_model_open(p->checkpoint, &p->model, &p->error);
  if (code != BENCH_OK) {
    return code;
  }
  p->info = bench_model_get_info(p->model);
  code = bench_tokens_load(p->file, p->wide, p->info->vocab, &p->tokens, &p->error);
  if (code != BENCH_OK) {
    return code;
  }
  p->seq = p->seq > 0 ? p->seq : p->info->context;
  p->windows = p->tokens.count / p->seq;
  if (p->seq < 2 || p->windows < 1) {
    return bench_fail(&p->error, BENCH_ERR_USAGE,
                      "%s: %" PRId64 " tokens do not fill one window of %" PRId64
                      " (at least 2): give a shorter --seq or a longer text",
                      p->file, p->tokens.count, p->seq);
  }
  p->stat_windows = p->stat_windows < p->windows ? p->stat_windows : p->windows;
  p->attn = bench_model_problem(p->info, p->seq);
  p->stats = calloc((size_t)(p->info->layers * p->info->heads_q),
                    (size_t)p->stat_windows * sizeof *p->stats);
  p->heads = calloc((size_t)p->info->heads_q, sizeof *p->heads);
  if (p->stats == NULL || p->heads == NULL) {
    return bench_fail(&p->error, BENCH_ERR_NOMEM, "%s: no memory for the statistics",
                      p->checkpoint);
  }
  return BENCH_OK;
}

/* Asked before the run, so that nothing is computed for a folder that cannot take it. */
static bench_code check_folder(profile *p) {
  DIR *folder = p->folder != NULL ? opendir(p->folder) : NULL;
  bench_code code = BENCH_OK;
  if (folder == NULL) {
    return BENCH_OK; /* there is none yet; writing it will say what is wrong */
  }
  for (const struct dirent *entry; code == BENCH_OK && (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      code = bench_fail(&p->error, BENCH_ERR_USAGE, "%s: the folder is not empty", p->folder);
    }
  }
  closedir(folder);
  return code;
}

static void close_all(profile *p) {
  bench_model_close(p->model);
  bench_tokens_free(&p->tokens);
  free(p->stats);
  free(p->heads);
}

/* The values of one head over the windows. */
static bench_stat_core *stats_of(const profile *p, int64_t layer, int64_t head) {
  return p->stats + (layer * p->info->heads_q + head) * p->stat_windows;
}

static bench_code take_statistics(void *context, int64_t layer, const float *q, const float *k,
                                  const float *v) {
  profile *p = context;
  (void)v;
  bench_code code = bench_stat_core_layer(&p->attn, NULL, q, k, 1, p->heads, &p->error);
  for (int64_t head = 0; code == BENCH_OK && head < p->info->heads_q; head++) {
    stats_of(p, layer, head)[p->window] = p->heads[head];
  }
  return code;
}

static void show_progress(const profile *p, double start_s) {
  if (!isatty(STDERR_FILENO)) {
    return;
  }
  if (p->window == p->windows) {
    fprintf(stderr, "\r\033[K");
  } else if (p->window == 0) {
    fprintf(stderr, "\rwindow 1/%" PRId64, p->windows);
  } else {
    const double spent_s = bench_proc_monotonic_s() - start_s;
    const double left_s = spent_s / (double)p->window * (double)(p->windows - p->window);
    fprintf(stderr, "\rwindow %" PRId64 "/%" PRId64 ", about %.0f s left\033[K", p->window + 1,
            p->windows, ceil(left_s));
  }
}

static bench_code run_windows(profile *p) {
  const double start_s = bench_proc_monotonic_s();
  bench_code code = BENCH_OK;
  for (p->window = 0; code == BENCH_OK && p->window < p->windows && !bench_stop; p->window++) {
    double loss;
    show_progress(p, start_s);
    code = bench_model_forward(p->model, p->tokens.ids + p->window * p->seq, p->seq,
                               p->window < p->stat_windows ? take_statistics : NULL, p, &loss,
                               &p->error);
    p->loss_nats += code == BENCH_OK ? loss : 0.0;
  }
  p->window = p->windows;
  show_progress(p, start_s);
  return code;
}

/* The mean of every head over windows, then over heads. */
static void layer_mean(const profile *p, int64_t layer, bench_stat_core *out) {
  for (int64_t head = 0; head < p->info->heads_q; head++) {
    bench_stat_core_mean(stats_of(p, layer, head), p->stat_windows, &p->heads[head]);
  }
  bench_stat_core_mean(p->heads, p->info->heads_q, out);
}

static void print_report(const profile *p) {
  const int64_t rest = p->tokens.count - p->windows * p->seq;
  const double loss = p->loss_nats / (double)(p->windows * (p->seq - 1));
  printf("checkpoint  %s\n", p->info->name);
  printf("parameters  %" PRId64 " (%" PRId64 " layers, %" PRId64 " heads, %s)\n", p->info->params,
         p->info->layers, p->info->heads_q, bench_dtype_name(p->info->dtype));
  printf("windows     %" PRId64 " of %" PRId64 " tokens, %" PRId64
         " tokens left over; statistics of the first %" PRId64 "\n",
         p->windows, p->seq, rest, p->stat_windows);
  printf("loss        %.6f nats/token\n", loss);
  printf("perplexity  %.4f\n", exp(loss));
  printf("bits/token  %.6f\n\n", loss / log(2.0));
  printf("layer  entropy_nats  entropy_norm  distance  nosink  window64_mass  sink_mass\n");
  for (int64_t layer = 0; layer < p->info->layers; layer++) {
    bench_stat_core mean;
    layer_mean(p, layer, &mean);
    printf("%5" PRId64 "  %12.4f  %12.4f  %8.2f  %6.2f  %13.4f  %9.4f\n", layer, mean.entropy_nats,
           mean.entropy_norm, mean.distance_tokens, mean.distance_nosink_tokens, mean.window64_mass,
           mean.sink_mass);
  }
}

/* The problem that a sweep over this model, text and shape would have; its id names the rows. */
static bench_attn whole_problem(const profile *p) {
  bench_attn whole = p->attn;
  whole.layers = p->info->layers;
  whole.batch = p->stat_windows;
  whole.input_hash = bench_hash64(p->info->hash, p->tokens.hash, 0);
  whole.seed = 1;
  return whole;
}

static bench_code write_heads(profile *p) {
  const bench_attn whole = whole_problem(p);
  const uint64_t id = bench_attn_id(&whole);
  bench_csv *csv = NULL;
  bench_code code = bench_proc_mkdirs(p->folder, &p->error);
  if (code == BENCH_OK) {
    code =
        bench_csv_open(p->folder, "heads.csv", &bench_head_table, BENCH_CSV_FRESH, &csv, &p->error);
  }
  for (int64_t i = 0; code == BENCH_OK && i < p->info->layers * p->info->heads_q; i++) {
    const int64_t layer = i / p->info->heads_q;
    const int64_t head = i % p->info->heads_q;
    bench_stat_core mean;
    bench_head_row row;
    bench_stat_core_mean(stats_of(p, layer, head), p->stat_windows, &mean);
    bench_head_row_fill(&whole, id, layer, head, &mean, &row);
    code = bench_csv_append(csv, &row, &p->error);
  }
  const bench_code closed = bench_csv_close(csv, code == BENCH_OK ? &p->error : NULL);
  return code != BENCH_OK ? code : closed;
}

int bench_command_profile(int argc, char **argv) {
  profile p = {.stat_windows = STAT_WINDOWS};
  bool done = false;
  const int status = read_options(argc, argv, &p, &done);
  if (status != 0 || done) {
    return status;
  }
  bench_catch_signals();
  bench_code code = check_folder(&p);
  if (code == BENCH_OK) {
    code = open_all(&p);
  }
  if (code == BENCH_OK) {
    code = run_windows(&p);
  }
  if (code == BENCH_OK && !bench_stop) {
    if (p.folder != NULL) {
      code = write_heads(&p);
    }
    print_report(&p);
    if (fflush(stdout) != 0 && code == BENCH_OK) {
      code = bench_fail(&p.error, BENCH_ERR_ENV, "cannot write the report: %s", strerror(errno));
    }
  }
  if (code != BENCH_OK) {
    fprintf(stderr, "bench profile: %s\n", p.error.message);
  }
  close_all(&p);
  return code != BENCH_OK ? bench_exit_status(code) : bench_stop ? 130 : 0;
}
