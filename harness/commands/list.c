/* bench list: what there is to choose from. Every table here is printed from the table that the
 * program itself uses. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/backend.h"
#include "bench/config.h"
#include "bench/row.h"
#include "commands/commands.h"

static const char help[] =
    "usage: bench list kernels|models|masks|stats|devices|columns\n\n"
    "example: bench list kernels\n";

static int list_kernels(void) {
  printf("%-10s %-8s %-10s %s\n", "family", "backend", "variant", "what");
  for (size_t f = 0; f < bench_family_count; f++) {
    bool found = false;
    for (size_t b = 0; b < bench_backend_count(); b++) {
      const bench_backend *backend = bench_backend_at(b);
      for (size_t k = 0; k < backend->kernel_count; k++) {
        const bench_kernel *kernel = backend->kernels[k].kernel;
        if (strcmp(kernel->family, bench_families[f]) == 0) {
          printf("%-10s %-8s %-10s %s\n", kernel->family, backend->name, kernel->variant,
                 kernel->summary);
          found = true;
        }
      }
    }
    if (!found) {
      printf("%-10s %-8s %-10s %s\n", bench_families[f], "-", "-", "no kernel in this build");
    }
  }
  return 0;
}

static int list_models(void) {
  enum { N_CTX = 2048 };
  const bench_model_shape *models;
  size_t count;
  bench_error error;
  bench_code code = bench_models(&models, &count, &error);
  if (code != BENCH_OK) {
    fprintf(stderr, "bench list: %s\n", error.message);
    return bench_exit_status(code);
  }
  printf(
      "per token: kv_bytes of keys and values in bf16; MFLOP forward at n_ctx = %d, or as many\n"
      "positions as the model has, by the conventions\n"
      "  kaplan  2 (params - embedding) + 2 layers n_ctx heads head_dim\n"
      "  palm    2 params + 4 layers n_ctx heads head_dim\n"
      "-: an encoder, which keeps no keys and has no causal mask\n\n",
      N_CTX);
  printf("%-13s %13s %6s %8s %6s %9s %9s %9s %13s %13s\n", "model", "params", "layers", "d_model",
         "heads", "kv_heads", "head_dim", "kv_bytes", "kaplan_MFLOP", "palm_MFLOP");
  for (size_t i = 0; i < count; i++) {
    const bench_model_shape *m = &models[i];
    const int64_t tokens = bench_model_context(m, N_CTX);
    char kv_bytes[32] = "-";
    char kaplan[32] = "-";
    if (!bench_model_is_encoder(m)) {
      snprintf(kv_bytes, sizeof kv_bytes, "%" PRId64,
               bench_model_kv_bytes_per_token(m, BENCH_BF16));
      snprintf(kaplan, sizeof kaplan, "%.2f", (double)bench_model_flops_kaplan(m, tokens) / 1e6);
    }
    printf("%-13s %13" PRId64 " %6" PRId64 " %8" PRId64 " %6" PRId64 " %9" PRId64 " %9" PRId64
           " %9s %13s %13.2f\n",
           m->name, m->params, m->layers, m->d_model, m->heads, m->kv_heads, m->head_dim, kv_bytes,
           kaplan, (double)bench_model_flops_palm(m, tokens) / 1e6);
  }
  return 0;
}

static int list_masks(void) {
  static const char *const rows[][2] = {
      {"full", "all keys"},
      {"causal", "j <= i"},
      {"window:W", "0 <= i-j < W"},
      {"window:W:both", "|i-j| < W"},
      {"sink:K+window:W", "j <= i and (j < K or i-j < W)"},
      {"block:density=D:size=B", "causal blocks of B x B, a share D of them kept by a seeded draw"},
      {"block:density=D:size=B:layout=skewed", "the same number, unevenly over the block rows"},
  };
  printf("row r stands at i = r + seq_kv - seq_q, key j at j\n");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    printf("%-38s %s\n", rows[i][0], rows[i][1]);
  }
  return 0;
}

static void print_columns(const char *file, const bench_table *table) {
  static const char *const types[] = {"text", "int", "real"};
  for (size_t i = 0; i < table->count; i++) {
    const bench_column *column = &table->columns[i];
    printf("%-12s %-24s %-5s %-14s %s\n", file, column->name, types[column->type], column->unit,
           column->help);
  }
}

static int list_columns(void) {
  printf("%-12s %-24s %-5s %-14s %s\n", "file", "column", "type", "unit", "what");
  print_columns("sweep.csv", &bench_sweep_table);
  print_columns("heads.csv", &bench_head_table);
  print_columns("samples.csv", &bench_sample_table);
  return 0;
}

/* The statistics are the real columns of heads.csv. */
static int list_stats(void) {
  printf("%-24s %-8s %-6s %s\n", "statistic", "unit", "set", "what");
  for (size_t i = 0; i < bench_head_table.count; i++) {
    const bench_column *column = &bench_head_table.columns[i];
    if (column->type == BENCH_REAL) {
      printf("%-24s %-8s %-6s %s\n", column->name, column->unit, "core", column->help);
    }
  }
  return 0;
}

static int list_devices(void) {
  const char *name;
  for (size_t i = 0; (name = bench_backend_name_at(i)) != NULL; i++) {
    bench_error why = {.message = ""};
    const bench_backend *backend = bench_backend_find(name, &why);
    int count = backend == NULL ? 0 : backend->device_count(&why);
    if (count == 0) {
      printf("%-5s -  %s\n", name, why.message);
    }
    for (int index = 0; index < count; index++) {
      bench_context *context;
      if (backend->open(index, 0, &context, &why) != BENCH_OK) {
        printf("%-5s %d  %s\n", name, index, why.message);
        continue;
      }
      const bench_device *device = backend->device(context);
      printf("%-5s %d  %s, %.1f GB, last-level cache %.1f MB\n", name, index, device->name,
             (double)device->mem_bytes / 1e9, (double)device->llc_bytes / 1e6);
      backend->close(context);
    }
  }
  return 0;
}

static const struct {
  const char *name;
  int (*print)(void);
} lists[] = {
    {"kernels", list_kernels}, {"models", list_models},   {"masks", list_masks},
    {"stats", list_stats},     {"devices", list_devices}, {"columns", list_columns},
};

int bench_command_list(int argc, char **argv) {
  static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
    if (letter != 'h') {
      return bench_bad_option("list", letter, argv);
    }
    fputs(help, stdout);
    return 0;
  }
  if (optind != argc - 1) {
    return bench_usage_error("list", "one of kernels, models, masks, stats, devices, columns");
  }
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    if (strcmp(argv[optind], lists[i].name) == 0) {
      return lists[i].print();
    }
  }
  return bench_usage_error("list", "there is no list \"%s\"", argv[optind]);
}
