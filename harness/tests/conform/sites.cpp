/* Every call of the pipeline that orders or waits is left out in turn: in some mode of the
 * adversary someone has to notice, by a fault or a wrong result. What no one can notice stands in a
 * list, with the reason. */
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "emu/emu.h"
#include "side.h"

extern "C" const conform_table conform_emu_pipeline;

static const struct {
  const char *operation;
  const char *reason;
} harmless[] = {
    {"setmaxnreg_inc", "more registers than it needs change nothing in what a thread computes"},
};

static const char *const modes[] = {"schedule=fifo",
                                    "schedule=lifo",
                                    "schedule=random:1",
                                    "schedule=random:2,strict=1",
                                    "race=1",
                                    "race=1,strict=1,schedule=lifo"};

/* Empty: all went as it should. */
static std::string run(const conform_case &c, const char *mode) {
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

/* Whether someone notices; prints who. */
static bool noticed(const conform_case &c, const emu_site &site) {
  emu_site_skip(site.operation, site.file, site.line);
  bool found = false;
  for (const char *mode : modes) {
    const std::string wrong = run(c, mode);
    if (!wrong.empty()) {
      printf("%s:%d %s: %s: %s\n", site.file, site.line, site.operation, mode,
             wrong.substr(0, wrong.find('\n')).c_str());
      found = true;
      break;
    }
  }
  emu_site_skip(nullptr, nullptr, 0);
  return found;
}

static const char *reason_of(const emu_site &site) {
  for (const auto &each : harmless) {
    if (strcmp(each.operation, site.operation) == 0) {
      return each.reason;
    }
  }
  return nullptr;
}

int main() {
  const conform_case &c = conform_emu_pipeline.cases[0];
  emu_sites_watch(true);
  for (const char *mode : modes) {
    const std::string wrong = run(c, mode);
    if (!wrong.empty()) {
      printf("with nothing left out: %s: %s\n", mode, wrong.c_str());
      return 1;
    }
  }
  std::vector<emu_site> sites;
  for (size_t i = 0; i < emu_site_count(); i++) {
    sites.push_back(emu_site_at(i));
  }
  emu_sites_watch(false);
  int bad = 0;
  for (const emu_site &site : sites) {
    const char *reason = reason_of(site);
    if (noticed(c, site) != (reason == nullptr)) {
      printf(
          "%s:%d %s: left out, and %s\n", site.file, site.line, site.operation,
          reason == nullptr ? "no one notices" : "someone notices, though it is called harmless");
      bad++;
    }
  }
  printf("%zu calls left out in turn, %d of them not as they should be\n", sites.size(), bad);
  return bad == 0 && sites.size() > 15 ? 0 : 1;
}
