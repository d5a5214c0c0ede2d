/* bench selftest: are the clock, the flush and the sampling rule to be trusted here? */
#include <stdio.h>
#include <string.h>

#include "commands/commands.h"
#include "commands/probe.h"

static const char help[] =
    "usage: bench selftest [--backend cpu|cuda|auto] [--device N]\n\n"
    "Measures what every measurement rests on: the step and the floor of the clock, its agreement\n"
    "with another one, delays of known length, that a flushed cache is empty, the device's clock\n"
    "rate, and how often the interval that ends a measurement holds the true median. Exit status "
    "1\n"
    "if one of them is not as it has to be.\n\n"
    "example: bench selftest --backend cpu\n";

#define TIMEOUT_S 300.0

int bench_command_selftest(int argc, char **argv) {
  bench_probe probe;
  int status = bench_probe_ask(argc, argv, help, false, "selftest", TIMEOUT_S, &probe);
  if (status != -1) {
    return status;
  }
  const json_t *checks = json_object_get(probe.answer, "checks");
  status = json_array_size(checks) > 0 ? 0 : 1;
  printf("%s: %s\n", probe.target.device.backend, probe.target.device.name);
  for (size_t i = 0; i < json_array_size(checks); i++) {
    const char *name = "";
    const char *outcome = "";
    const char *text = "";
    if (json_unpack(json_array_get(checks, i), "{s:s s:s s:s}", "name", &name, "outcome", &outcome,
                    "text", &text) != 0 ||
        strcmp(outcome, "failed") == 0) {
      status = 1;
    }
    printf("%-8s %-16s %s\n", outcome, name, text);
  }
  json_decref(probe.answer);
  return status;
}
