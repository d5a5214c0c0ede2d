/* The emulated device. BENCH_EMU in the environment sets its options, as emu_options_parse has
 * them. */
#include <stdio.h>
#include <stdlib.h>

#include "emu/emu.h"
#include "side.h"

static const char *open_emu(int *cc, char *device, size_t device_bytes) {
  static bench_error error;
  emu_options options = emu_options_default;
  const char *text = getenv("BENCH_EMU");
  if (text != nullptr && emu_options_parse(text, &options, &error) != BENCH_OK) {
    return error.message;
  }
  emu_set_options(&options);
  *cc = 90;
  snprintf(device, device_bytes, "emulated device%s%s", text == nullptr ? "" : ", ",
           text == nullptr ? "" : text);
  return nullptr;
}
static void release(void *memory) {
  emu_memory_give(memory);
}
static bool copy(void *to, const void *from, size_t bytes) {
  if (bytes > 0) { /* a case without inputs has no address for them */
    memcpy(to, from, bytes);
  }
  return true;
}
static const char *finish() {
  static char report[4096];
  if (emu_fault() == nullptr) {
    return nullptr;
  }
  snprintf(report, sizeof report, "%s", emu_fault());
  emu_forget_fault();
  return report;
}

const conform_side conform_emu = {"emu",
                                  conform_emu_entries,
                                  conform_emu_entries_count,
                                  open_emu,
                                  emu_memory_take,
                                  release,
                                  copy,
                                  copy,
                                  finish};
