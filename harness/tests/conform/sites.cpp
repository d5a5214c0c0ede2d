/* Every call of the pipeline that orders or waits is left out in turn: in some mode of the
 * adversary someone has to notice, by a fault or a wrong result. What no one can notice stands in a
 * list, with the reason. */
#include <stdio.h>

#include "emu/emu.h"
#include "pipeline_side.h"

extern "C" const conform_table conform_emu_pipeline;

static const struct {
  const char *operation;
  const char *reason;
} harmless[] = {
    {"setmaxnreg_inc", "more registers than it needs change nothing in what a thread computes"},
};

/* Whether someone notices; prints who. */
static bool noticed(const conform_case &c, const emu_site &site) {
  emu_site_skip(site.operation, site.file, site.line);
  const std::string who = pipeline_noticed(c);
  emu_site_skip(nullptr, nullptr, 0);
  if (!who.empty()) {
    printf("%s:%d %s: %s\n", site.file, site.line, site.operation, who.c_str());
  }
  return !who.empty();
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
  for (const char *mode : pipeline_modes) {
    const std::string wrong = pipeline_run(c, mode);
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
