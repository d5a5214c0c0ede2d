/* Usage errors, told alike by every subcommand. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "commands/commands.h"

int bench_usage_error(const char *command, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "bench %s: ", command);
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "; see bench %s --help\n", command);
  va_end(arguments);
  return 2;
}

int bench_bad_option(const char *command, int letter, char *const *argv) {
  return bench_usage_error(command, letter == ':' ? "option %s needs a value" : "unknown option %s",
                           argv[optind - 1]);
}
