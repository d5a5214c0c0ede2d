/* bench_conform: does each wrapper of the device header do what the PTX ISA says, on the emulated
 * device and on a GPU, and do both do the same to the last bit?
 *
 *   bench_conform [--backend auto|emu|cuda] [--only TEXT] [--list] [--verbose]
 *
 * --only: the cases whose name contains TEXT. A line for each case that differs, then one for each
 * side. Exit status: 0 all is well; 1 something differs; 2 bad usage; 3 with auto or cuda: no GPU
 * was there, and the emulated device did well. */
#include <stdio.h>

#include <string>

#include "run.h"

#ifdef CONFORM_HAVE_CUDA
static const conform_side *const gpu_side = &conform_gpu;
#else
static const conform_side *const gpu_side = nullptr;
#endif

struct arguments {
  std::string backend;
  run_options options;
  bool list;
};

/* -1: the side is not there. */
static int run_side(const conform_side *side, const conform_side *other,
                    const run_options &options) {
  if (side == nullptr) {
    puts("cuda: not run: this build has no CUDA");
    return -1;
  }
  const run_presence found = run_probe(*side);
  if (!found.is_there) {
    printf("%s: not run: %s\n", side->name, found.text);
    return -1;
  }
  const run_score score = run_all(*side, other, found.cc, options);
  printf("%s: %s: %d cases as the ISA's tables have them%s, %d not, %d not for this device\n",
         side->name, found.text, score.right,
         other == nullptr ? "" : " and as the emulated device does them", score.wrong,
         score.skipped);
  return score.wrong > 0 || score.right == 0 ? 1 : 0;
}

static void list(const conform_side &side) {
  for (size_t file = 0; file < side.count; file++) {
    const conform_table &table = *side.entries[file].table;
    for (size_t i = 0; i < table.count; i++) {
      puts(table.cases[i].name);
    }
  }
}

static bool parse(int argc, char **argv, arguments *out) {
  *out = {"auto", {nullptr, false}, false};
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    if (name == "--list") {
      out->list = true;
    } else if (name == "--verbose") {
      out->options.verbose = true;
    } else if (name == "--only" && i + 1 < argc) {
      out->options.only = argv[++i];
    } else if (name == "--backend" && i + 1 < argc) {
      out->backend = argv[++i];
    } else {
      return false;
    }
  }
  return out->backend == "auto" || out->backend == "emu" || out->backend == "cuda";
}

int main(int argc, char **argv) {
  arguments given;
  if (!parse(argc, argv, &given)) {
    fputs("usage: bench_conform [--backend auto|emu|cuda] [--only TEXT] [--list] [--verbose]\n",
          stderr);
    return 2;
  }
  if (given.list) {
    list(conform_emu);
    return 0;
  }
  const int emulated = run_side(&conform_emu, nullptr, given.options);
  const int on_gpu = given.backend == "emu" ? 0 : run_side(gpu_side, &conform_emu, given.options);
  return emulated != 0 || on_gpu > 0 ? 1 : on_gpu < 0 ? 3 : 0;
}
