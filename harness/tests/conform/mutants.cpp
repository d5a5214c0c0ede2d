/* The pipeline with one thing wrong in each, as mutants.cmake has them: in some mode of the
 * adversary someone notices. */
#include <stdio.h>

#include "conform_mutants.h" /* generated */
#include "pipeline_side.h"

#define DECLARE(name) extern "C" const conform_table conform_##name##_pipeline;
#define ENTRY(name) {#name, &conform_##name##_pipeline},
CONFORM_MUTANTS(DECLARE)
static const struct {
  const char *name;
  const conform_table *table;
} mutants[] = {CONFORM_MUTANTS(ENTRY)};

int main() {
  int survived = 0;
  for (const auto &each : mutants) {
    const std::string who = pipeline_noticed(each.table->cases[0]);
    printf("%s: %s\n", each.name, who.empty() ? "SURVIVES: no one notices" : who.c_str());
    survived += who.empty();
  }
  return survived == 0 && sizeof mutants / sizeof *mutants >= 6 ? 0 : 1;
}
