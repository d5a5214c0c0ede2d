/* From an address in the program to file and line, by binutils' addr2line where it is there. */
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>

#include "emu/internal.h"

namespace emu {

/* Of the functions that are inlined at the address, the innermost that is a kernel's own. */
static std::string place_of(const char *program, uintptr_t offset) {
  static const std::string folder = BENCH_SOURCE_DIR "/";
  char text[512];
  snprintf(text, sizeof text, "addr2line -i -e '%s' 0x%zx 2>/dev/null", program, (size_t)offset);
  FILE *tool = popen(text, "r"); /* NOLINT: the name is our own */
  std::string line;
  while (tool != nullptr && fgets(text, sizeof text, tool) != nullptr) {
    if (text[0] != '?' && (line.empty() || line.find("kernels/emu/") == 0)) {
      line = text;
      line.erase(line.find_first_of(" \n")); /* and what discriminates parts of the line */
      line.erase(0, line.compare(0, folder.size(), folder) == 0 ? folder.size() : 0);
    }
  }
  if (tool != nullptr) {
    pclose(tool);
  }
  return line;
}

std::string address_text(const void *address) {
  Dl_info info;
  char text[512];
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) {
    snprintf(text, sizeof text, "%p", address);
    return text;
  }
  const uintptr_t offset =
      reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(info.dli_fbase);
  std::string line = place_of(info.dli_fname, offset);
  if (line.empty()) {
    snprintf(text, sizeof text, "%s+0x%zx", info.dli_fname, (size_t)offset);
    line = text;
  }
  return line;
}

}  // namespace emu
