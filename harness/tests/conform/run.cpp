#include "run.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#define HANG_S 20 /* of one case */

typedef std::vector<unsigned char> Bytes;

/* BROKEN: wrong, and the device with it; REFUSED: right, but the device broken. */
enum Outcome { RIGHT, WRONG, SKIPPED, BROKEN, REFUSED };

/* Empty, or what went wrong with the device. `refused`: it was the kernel. */
static std::string execute(const conform_side &side, const conform_case &c, const Bytes &in,
                           Bytes *out, bool *refused) {
  *refused = false;
  void *from = side.allocate(in.empty() ? 16 : in.size());
  void *to = side.allocate(out->size());
  if (from == nullptr || to == nullptr || !side.put(from, in.data(), in.size()) ||
      !side.put(to, out->data(), out->size())) {
    return "the device's memory cannot be used";
  }
  const bench_code code = c.launch(&c, from, to);
  const char *fault = side.finish();
  if (fault != nullptr) {
    *refused = true;
    return fault;
  }
  if (code != BENCH_OK) {
    return "the launch was refused";
  }
  if (!side.get(out->data(), to, out->size())) {
    return "the result cannot be read";
  }
  side.release(from);
  side.release(to);
  return "";
}

static std::string hex(const Bytes &bytes, size_t at) {
  uint32_t word;
  memcpy(&word, &bytes[at], sizeof word);
  char text[16];
  snprintf(text, sizeof text, "0x%08x", word);
  return text;
}

static bool is_near(double tolerance, const unsigned char *got, const unsigned char *wanted) {
  float g;
  float w;
  memcpy(&g, got, sizeof g);
  memcpy(&w, wanted, sizeof w);
  return fabs((double)g - (double)w) <= tolerance * fabs((double)w) || (isnan(g) && isnan(w)) ||
         g == w;
}

/* Empty, or the first difference. Every output consists of words. */
static std::string compare(double tolerance, const Bytes &got, const Bytes &wanted,
                           const char *what) {
  for (size_t i = 0; i + 4 <= got.size(); i += 4) {
    if (memcmp(&got[i], &wanted[i], 4) != 0 &&
        !(tolerance > 0 && is_near(tolerance, &got[i], &wanted[i]))) {
      return "word " + std::to_string(i / 4) + " is " + hex(got, i) + ", " + what + " has " +
             hex(wanted, i);
    }
  }
  return "";
}

/* Cases for sm_90a run on that architecture alone. */
static bool can_run(const conform_case &c, int cc) {
  return c.cc == 90 ? cc == 90 : cc >= c.cc;
}

/* A case that has to be refused, by both sides. */
static Outcome run_refused(const conform_side &side, const conform_side *other,
                           const conform_case &c, const conform_case *theirs, const Bytes &in,
                           std::string *text) {
  Bytes out(c.out_bytes, 0xff);
  bool refused;
  *text = execute(side, c, in, &out, &refused);
  if (!refused) {
    *text = "it should be refused, but " + (text->empty() ? "is carried out" : *text);
    return BROKEN;
  }
  if (other != nullptr) {
    execute(*other, *theirs, in, &out, &refused);
    *text = other->name + std::string(" does not refuse it");
  }
  return refused ? REFUSED : BROKEN;
}

/* One case. What two functions of the special unit give may differ within the tolerance of each. */
static Outcome run_case(const conform_side &side, const conform_side *other, const conform_case &c,
                        const conform_case *theirs, std::string *text) {
  Bytes in(c.in_bytes);
  c.fill != nullptr ? c.fill(&c, in.data()) : conform_fill(in.data(), in.size());
  if (c.refused) {
    return run_refused(side, other, c, theirs, in, text);
  }
  bool refused;
  Bytes out(c.out_bytes, 0xff);
  Bytes wanted(c.out_bytes, 0xff);
  Bytes second(c.out_bytes, 0xff);
  c.expect(&c, in.data(), wanted.data());
  *text = execute(side, c, in, &out, &refused);
  if (!text->empty()) {
    return BROKEN;
  }
  *text = compare(c.tolerance, out, wanted, "the ISA's table");
  if (other == nullptr || !text->empty()) {
    return text->empty() ? RIGHT : WRONG;
  }
  *text = execute(*other, *theirs, in, &second, &refused);
  *text = text->empty() ? compare(2 * c.tolerance, out, second, other->name)
                        : other->name + (": " + *text);
  return text->empty() ? RIGHT : WRONG;
}

struct Entry { /* of the cases of all files in a row */
  size_t file;
  size_t index;
};

/* Runs entries `first` and on, and says of each in the pipe how it went; ends after a broken one,
 * of which it says nothing, and after one that was refused. */
[[noreturn]] static void child(const conform_side &side, const conform_side *other, int cc,
                               const run_options &options, const std::vector<Entry> &entries,
                               size_t first, int pipe_end) {
  char device[256];
  int own_cc;
  bool broken = side.open(&own_cc, device, sizeof device) != nullptr ||
                (other != nullptr && other->open(&own_cc, device, sizeof device) != nullptr);
  for (size_t i = first; i < entries.size() && !broken; i++) {
    const conform_case &c = side.entries[entries[i].file].table->cases[entries[i].index];
    std::string text;
    unsigned char outcome = SKIPPED;
    if (can_run(c, cc)) {
      alarm(HANG_S);
      outcome = (unsigned char)run_case(
          side, other, c,
          other == nullptr ? nullptr
                           : &other->entries[entries[i].file].table->cases[entries[i].index],
          &text);
      alarm(0);
      const bool right = outcome == RIGHT || outcome == REFUSED;
      if (!right || options.verbose) {
        printf("%s: %s: %s\n", side.name, c.name, right ? "ok" : text.c_str());
      }
    }
    broken = outcome == BROKEN || write(pipe_end, &outcome, 1) != 1 || outcome == REFUSED;
  }
  fflush(stdout);
  _exit(broken ? 1 : 0);
}

/* Makes a process that calls body(end of a pipe to write to); gives the other end. */
template <typename Body>
static int spawn(Body body, pid_t *pid) {
  int ends[2];
  fflush(stdout);
  if (pipe(ends) != 0 || (*pid = fork()) < 0) {
    perror("bench_conform");
    exit(4);
  }
  if (*pid == 0) {
    close(ends[0]);
    body(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  return ends[0];
}

run_presence run_probe(const conform_side &side) {
  run_presence found = {false, 0, "its process ended"};
  pid_t pid;
  const int end = spawn(
      [&](int to) {
        run_presence own = {true, 0, ""};
        const char *missing = side.open(&own.cc, own.text, sizeof own.text);
        if (missing != nullptr) {
          own.is_there = false;
          snprintf(own.text, sizeof own.text, "%s", missing);
        }
        _exit(write(to, &own, sizeof own) == (ssize_t)sizeof own ? 0 : 1);
      },
      &pid);
  run_presence read_back;
  if (read(end, &read_back, sizeof read_back) == (ssize_t)sizeof read_back) {
    found = read_back;
  }
  close(end);
  waitpid(pid, nullptr, 0);
  return found;
}

static std::vector<Entry> choose(const conform_side &side, const char *only) {
  std::vector<Entry> entries;
  for (size_t file = 0; file < side.count; file++) {
    const conform_table &table = *side.entries[file].table;
    for (size_t i = 0; i < table.count; i++) {
      if (only == nullptr || strstr(table.cases[i].name, only) != nullptr) {
        entries.push_back({file, i});
      }
    }
  }
  return entries;
}

run_score run_all(const conform_side &side, const conform_side *other, int cc,
                  const run_options &options) {
  run_score score = {0, 0, 0};
  const std::vector<Entry> entries = choose(side, options.only);
  size_t next = 0;
  while (next < entries.size()) {
    pid_t pid;
    const int end =
        spawn([&](int to) { child(side, other, cc, options, entries, next, to); }, &pid);
    unsigned char outcome = RIGHT;
    while (read(end, &outcome, 1) == 1) {
      score.right += outcome == RIGHT || outcome == REFUSED;
      score.wrong += outcome == WRONG;
      score.skipped += outcome == SKIPPED;
      next++;
    }
    close(end);
    int status = 0;
    waitpid(pid, &status, 0);
    const bool ended_well = outcome == REFUSED;
    if (next < entries.size() && !ended_well) { /* with a case that it said nothing of */
      const conform_case &c = side.entries[entries[next].file].table->cases[entries[next].index];
      if (WIFSIGNALED(status)) {
        printf("%s: %s: %s\n", side.name, c.name,
               WTERMSIG(status) == SIGALRM ? "hangs" : "its process was killed by a signal");
      }
      score.wrong++;
      next++;
    }
  }
  return score;
}
