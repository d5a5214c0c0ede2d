/* From an address in the program to file and line, by binutils' addr2line where it is there. */
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>

#include "emu/internal.h"

namespace emu {

std::string address_text(const void *address) {
  Dl_info info;
  char text[512];
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) {
    snprintf(text, sizeof text, "%p", address);
    return text;
  }
  const uintptr_t offset =
      reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(info.dli_fbase);
  snprintf(text, sizeof text, "addr2line -e '%s' 0x%zx 2>/dev/null", info.dli_fname,
           (size_t)offset);
  FILE *tool = popen(text, "r"); /* NOLINT: the name is our own */
  std::string line;
  if (tool != nullptr) {
    if (fgets(text, sizeof text, tool) != nullptr) {
      line = text;
      line.erase(line.find_last_not_of("\n") + 1);
      line.erase(line.find(" (discriminator") == std::string::npos ? line.size()
                                                                   : line.find(" (discriminator"));
    }
    pclose(tool);
  }
  if (line.empty() || line[0] == '?') {
    snprintf(text, sizeof text, "%s+0x%zx", info.dli_fname, (size_t)offset);
    return text;
  }
  static const std::string folder = BENCH_SOURCE_DIR "/";
  return line.compare(0, folder.size(), folder) == 0 ? line.substr(folder.size()) : line;
}

}  // namespace emu
