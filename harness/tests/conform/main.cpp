/* bench_conform: does each wrapper of the device header do what the PTX ISA says, on the emulated
 * device and on a GPU, and do both do the same to the last bit?
 *
 *   bench_conform [--backend auto|emu|cuda] [--only TEXT] [--list] [--verbose]
 *
 * --only: the cases whose name contains TEXT. A line for each case that differs, then one for each
 * side. Exit status: 0 all is well; 1 something differs; 2 bad usage; 3 with auto or cuda: no GPU
 * was there. A case that hangs a GPU ends the program after 20 s, with its name. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "side.h"

#ifdef CONFORM_HAVE_CUDA
static const conform_side *const gpu_side = &conform_gpu;
#else
static const conform_side *const gpu_side = nullptr;
#endif

#define HANG_S 20

struct Arguments {
  const char *backend;
  const char *only;
  bool list;
  bool verbose;
};

typedef std::vector<unsigned char> Bytes;

static const char *running = "";

static void hang(int signal_number) {
  (void)signal_number;
  static const char text[] = ": hangs\n";
  ssize_t written = write(STDOUT_FILENO, running, strlen(running));
  written += write(STDOUT_FILENO, text, sizeof text - 1);
  _exit(written > 0 ? 1 : 4);
}

/* Runs one case on a side. Empty, or what went wrong. */
static std::string run(const conform_side &side, const conform_case &c, const Bytes &in,
                       Bytes *out) {
  void *from = side.allocate(in.empty() ? 16 : in.size());
  void *to = side.allocate(out->size());
  std::string wrong;
  if (from == nullptr || to == nullptr || !side.put(from, in.data(), in.size()) ||
      !side.put(to, out->data(), out->size())) {
    wrong = "the device's memory cannot be used";
  } else {
    alarm(HANG_S);
    const bench_code code = c.launch(&c, from, to);
    const char *fault = side.finish();
    alarm(0);
    if (fault != nullptr) {
      wrong = fault;
    } else if (code != BENCH_OK) {
      wrong = "the launch was refused";
    } else if (!side.get(out->data(), to, out->size())) {
      wrong = "the result cannot be read";
    }
  }
  side.release(from);
  side.release(to);
  return wrong;
}

static std::string hex(const Bytes &bytes, size_t at) {
  uint32_t word;
  memcpy(&word, &bytes[at], sizeof word);
  char text[16];
  snprintf(text, sizeof text, "0x%08x", word);
  return text;
}

/* Empty, or the first difference. Words are compared, which every output consists of. */
static std::string compare(const conform_case &c, const Bytes &got, const Bytes &wanted,
                           const char *what) {
  for (size_t i = 0; i + 4 <= got.size(); i += 4) {
    if (memcmp(&got[i], &wanted[i], 4) == 0) {
      continue;
    }
    if (c.tolerance > 0) {
      float g;
      float w;
      memcpy(&g, &got[i], 4);
      memcpy(&w, &wanted[i], 4);
      const bool near = fabs((double)g - (double)w) <= c.tolerance * fabs((double)w);
      if (near || (isnan(g) && isnan(w)) || (w == 0 && g == 0)) {
        continue;
      }
    }
    return "word " + std::to_string(i / 4) + " is " + hex(got, i) + ", " + what + " has " +
           hex(wanted, i);
  }
  return "";
}

static bool chosen(const conform_case &c, const Arguments &arguments) {
  return arguments.only == nullptr || strstr(c.name, arguments.only) != nullptr;
}

/* Cases for sm_90a run on that architecture alone. */
static bool can_run(const conform_case &c, int cc) {
  return c.cc == 90 ? cc == 90 : cc >= c.cc;
}

struct Score {
  int right = 0;
  int wrong = 0;
  int skipped = 0;
};

/* All cases on one side, against the tables and, if `other` is there, against that side's output of
 * the same case. */
static Score run_all(const conform_side &side, const conform_side *other, int cc,
                     const Arguments &arguments) {
  Score score;
  for (size_t table = 0; table < side.table_count; table++) {
    for (size_t i = 0; i < side.tables[table]->count; i++) {
      const conform_case &c = side.tables[table]->cases[i];
      if (!chosen(c, arguments)) {
        continue;
      }
      if (!can_run(c, cc)) {
        score.skipped++;
        continue;
      }
      Bytes in(c.in_bytes);
      c.fill != nullptr ? c.fill(&c, in.data()) : conform_fill(in.data(), in.size());
      Bytes out(c.out_bytes, 0xff);
      Bytes wanted(c.out_bytes, 0xff);
      c.expect(&c, in.data(), wanted.data());
      running = c.name;
      std::string wrong = run(side, c, in, &out);
      wrong = wrong.empty() ? compare(c, out, wanted, "the ISA's table") : wrong;
      if (other != nullptr && wrong.empty()) {
        Bytes theirs(c.out_bytes, 0xff);
        wrong = run(*other, other->tables[table]->cases[i], in, &theirs);
        wrong = wrong.empty() ? compare(c, out, theirs, other->name) : other->name + (": " + wrong);
      }
      wrong.empty() ? score.right++ : score.wrong++;
      if (!wrong.empty() || arguments.verbose) {
        printf("%s: %s: %s\n", side.name, c.name, wrong.empty() ? "ok" : wrong.c_str());
      }
    }
  }
  return score;
}

/* -1: the side is not there. */
static int run_side(const conform_side *side, const conform_side *other,
                    const Arguments &arguments) {
  int cc = 0;
  char device[256];
  const char *missing = "this build has no CUDA";
  if (side != nullptr) {
    missing = side->open(&cc, device, sizeof device);
  }
  if (missing != nullptr) {
    printf("%s: not run: %s\n", side == nullptr ? "cuda" : side->name, missing);
    return -1;
  }
  const Score score = run_all(*side, other, cc, arguments);
  printf("%s: %s: %d cases as the ISA's tables have them%s, %d not, %d not for this device\n",
         side->name, device, score.right,
         other == nullptr ? "" : " and as the emulated device does them", score.wrong,
         score.skipped);
  return score.wrong > 0 || score.right == 0 ? 1 : 0;
}

static void list(const conform_side &side) {
  for (size_t table = 0; table < side.table_count; table++) {
    for (size_t i = 0; i < side.tables[table]->count; i++) {
      puts(side.tables[table]->cases[i].name);
    }
  }
}

static bool parse(int argc, char **argv, Arguments *out) {
  *out = {"auto", nullptr, false, false};
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    const char *value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--list") {
      out->list = true;
    } else if (name == "--verbose") {
      out->verbose = true;
    } else if ((name == "--only" || name == "--backend") && value != nullptr) {
      (name == "--only" ? out->only : out->backend) = value;
      i++;
    } else {
      return false;
    }
  }
  const std::string backend = out->backend;
  return backend == "auto" || backend == "emu" || backend == "cuda";
}

int main(int argc, char **argv) {
  Arguments arguments;
  if (!parse(argc, argv, &arguments)) {
    fputs("usage: bench_conform [--backend auto|emu|cuda] [--only TEXT] [--list] [--verbose]\n",
          stderr);
    return 2;
  }
  if (arguments.list) {
    list(conform_emu);
    return 0;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  signal(SIGALRM, hang);
  const std::string backend = arguments.backend;
  const int emulated = run_side(&conform_emu, nullptr, arguments);
  const int on_gpu = backend == "emu" ? 0 : run_side(gpu_side, &conform_emu, arguments);
  return emulated != 0 || on_gpu > 0 ? 1 : on_gpu < 0 ? 3 : 0;
}
