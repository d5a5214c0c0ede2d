/* The pipeline with one thing wrong in each, as mutants.cmake has them: in some mode of the
 * adversary someone notices. */
#include <stdio.h>

#include "pipeline_side.h"

int main() {
  int survived = 0;
  for (size_t i = 0; i < conform_mutants_count; i++) {
    const conform_entry &each = conform_mutants[i];
    const std::string who = pipeline_noticed(each.table->cases[0]);
    printf("%s: %s\n", each.name, who.empty() ? "SURVIVES: no one notices" : who.c_str());
    survived += who.empty();
  }
  return survived == 0 && conform_mutants_count >= 6 ? 0 : 1;
}
