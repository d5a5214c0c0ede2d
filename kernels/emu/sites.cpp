/* The calls that order or wait, counted, and the one that is left out. */
#include <cstring>

#include "emu/internal.h"

namespace emu {

namespace {

bool watching;
std::vector<emu_site> found; /* their texts are constants of the kernels */
bool skipping;
struct {
  std::string operation;
  std::string file;
  int line;
} skipped;

emu_site &entry_of(const char *operation, Site at) {
  for (emu_site &entry : found) {
    if (entry.line == at.line && strcmp(entry.operation, operation) == 0 &&
        strcmp(entry.file, at.file) == 0) {
      return entry;
    }
  }
  found.push_back({operation, at.file, at.line, 0});
  return found.back();
}

}  // namespace

bool site(const char *operation, Site at) {
  self->last = at;
  if (watching) {
    entry_of(operation, at).executed++;
  }
  return !skipping || at.line != skipped.line || skipped.operation != operation ||
         skipped.file != at.file;
}

}  // namespace emu

extern "C" void emu_sites_watch(bool watch) {
  emu::watching = watch;
  emu::found.clear();
}

extern "C" size_t emu_site_count(void) {
  return emu::found.size();
}

extern "C" emu_site emu_site_at(size_t index) {
  return emu::found[index];
}

extern "C" void emu_site_skip(const char *operation, const char *file, int line) {
  emu::skipping = operation != nullptr;
  if (emu::skipping) {
    emu::skipped.operation = operation;
    emu::skipped.file = file;
    emu::skipped.line = line;
  }
}
