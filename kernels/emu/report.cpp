/* Faults: the first one of a launch is kept as text and ends it. */
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "emu/internal.h"

namespace emu {

namespace {

std::string fault;

std::string who_text(const Thread *thread) {
  if (thread == nullptr) {
    return "";
  }
  return "block " + std::to_string(thread->block->index) + ", thread " +
         std::to_string(thread->index) + ": ";
}

}  // namespace

std::string place_text(Site at) {
  if (at.file == nullptr) {
    return "(unknown place)";
  }
  return at.line == 0 ? address_text(at.file) : at.file + (":" + std::to_string(at.line));
}

void keep_fault(const std::string &text) {
  if (fault.empty()) {
    fault = text;
  }
}

bool has_fault() {
  return !fault.empty();
}

static void fail_with(const Thread *thread, Site at, const char *format, va_list values) {
  char text[1024];
  vsnprintf(text, sizeof text, format, values);
  keep_fault(place_text(at) + ": " + who_text(thread) + text);
}

void fail(Site at, const char *format, ...) {
  va_list values;
  va_start(values, format);
  fail_with(self, at, format, values);
  va_end(values);
  abandon();
}

void fail_for(const Thread *thread, Site at, const char *format, ...) {
  va_list values;
  va_start(values, format);
  fail_with(thread, at, format, values);
  va_end(values);
  abandon();
}

}  // namespace emu

extern "C" const char *emu_fault(void) {
  return emu::fault.empty() ? nullptr : emu::fault.c_str();
}

extern "C" void emu_forget_fault(void) {
  emu::fault.clear();
}
