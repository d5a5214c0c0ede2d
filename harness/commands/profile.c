/* bench profile: attention statistics and loss of a real model. */
#include "commands/commands.h"

int bench_command_profile(int argc, char **argv) {
  (void)argc;
  return bench_usage_error(argv[0], "not built");
}
