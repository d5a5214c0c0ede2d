/* A case of the pipeline on the emulated device in one mode of the adversary, and who notices what
 * is wrong with it. */
#ifndef BENCH_TEST_CONFORM_PIPELINE_SIDE_H
#define BENCH_TEST_CONFORM_PIPELINE_SIDE_H

#include <stdlib.h>

#include <string>
#include <vector>

#include "side.h"

static const char *const pipeline_modes[] = {"schedule=fifo",
                                             "schedule=lifo",
                                             "schedule=random:1",
                                             "schedule=random:2,strict=1",
                                             "race=1",
                                             "race=1,strict=1,schedule=lifo"};

/* Empty: all went as it should. */
static inline std::string pipeline_run(const conform_case &c, const char *mode) {
  int cc;
  char device[256];
  setenv("BENCH_EMU", mode, 1);
  if (conform_emu.open(&cc, device, sizeof device) != nullptr) {
    return "no such mode";
  }
  std::vector<unsigned char> in(c.in_bytes);
  std::vector<unsigned char> out(c.out_bytes, 0xff);
  std::vector<unsigned char> wanted = out;
  c.fill(&c, in.data());
  c.expect(&c, in.data(), wanted.data());
  void *from = conform_emu.allocate(in.size());
  void *to = conform_emu.allocate(out.size());
  conform_emu.put(from, in.data(), in.size());
  conform_emu.put(to, out.data(), out.size());
  const bench_code code = c.launch(&c, from, to);
  const char *fault = conform_emu.finish();
  conform_emu.get(out.data(), to, out.size());
  conform_emu.release(from);
  conform_emu.release(to);
  if (code != BENCH_OK || fault != nullptr) {
    return fault == nullptr ? "refused" : fault;
  }
  return out == wanted ? "" : "a wrong result";
}

/* Who is the first to notice, in one line; empty: no one. */
static inline std::string pipeline_noticed(const conform_case &c) {
  for (const char *mode : pipeline_modes) {
    const std::string wrong = pipeline_run(c, mode);
    if (!wrong.empty()) {
      return mode + (": " + wrong.substr(0, wrong.find('\n')));
    }
  }
  return "";
}

#endif
