#include <cerrno>
#include <cinttypes>
#include <cstdlib>
#include <cstring>

#include "emu/internal.h"

/* As many multiprocessors as leave a persistent kernel several tiles for each of its blocks. */
const emu_options emu_options_default = {EMU_FIFO, 0, false, false, false, false, 4};

namespace {

struct Switch {
  const char *name;
  bool emu_options::*to;
};

const Switch switches[] = {{"misalign", &emu_options::misalign},
                           {"strict", &emu_options::strict},
                           {"race", &emu_options::race},
                           {"grid", &emu_options::grid_at_once}};

bool parse_number(const std::string &text, uint64_t *out) {
  char *end;
  errno = 0;
  *out = strtoull(text.c_str(), &end, 10);
  return errno == 0 && !text.empty() && *end == '\0' && text[0] != '-';
}

bool parse_schedule(const std::string &text, emu_options *options) {
  static const char random[] = "random:";
  if (text.compare(0, sizeof random - 1, random) == 0) {
    options->schedule = EMU_RANDOM;
    return parse_number(text.substr(sizeof random - 1), &options->seed);
  }
  options->schedule = text == "lifo" ? EMU_LIFO : EMU_FIFO;
  return text == "lifo" || text == "fifo";
}

bool parse_one(const std::string &name, const std::string &value, emu_options *options) {
  if (name == "schedule") {
    return parse_schedule(value, options);
  }
  uint64_t number;
  if (!parse_number(value, &number)) {
    return false;
  }
  if (name == "sms") {
    options->sm_count = (int)number;
    return number >= 1 && number <= 1024;
  }
  for (const Switch &each : switches) {
    if (name == each.name) {
      options->*each.to = number != 0;
      return number <= 1;
    }
  }
  return false;
}

}  // namespace

extern "C" bench_code emu_options_parse(const char *text, emu_options *options,
                                        bench_error *error) {
  while (*text != '\0') {
    const std::string item(text, strcspn(text, ","));
    const size_t equals = item.find('=');
    if (equals == std::string::npos ||
        !parse_one(item.substr(0, equals), item.substr(equals + 1), options)) {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "%.100s: expected schedule=fifo|lifo|random:SEED, misalign=0|1, "
                        "strict=0|1, race=0|1, grid=0|1 or sms=COUNT",
                        item.c_str());
    }
    text += item.size();
    text += *text == ',' ? 1 : 0;
  }
  return BENCH_OK;
}

extern "C" void emu_set_options(const emu_options *options) {
  emu::options = *options;
}

extern "C" const emu_options *emu_get_options(void) {
  return &emu::options;
}
