/* bench: the command line. One table of subcommands; everything else is theirs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands/commands.h"
#include "src/peer_start.h"
#include "src/worker.h"
#include "version.h"

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *help;
} commands[] = {
    {"sweep", bench_command_sweep, "run a config: every case verified, timed, one CSV"},
    {"list", bench_command_list, "kernels, models, masks, stats, devices, columns"},
    {"info", bench_command_info, "machine, devices and build"},
    {"check", bench_command_check, "every kernel against the reference on adversarial shapes"},
    {"selftest", bench_command_selftest,
     "is the clock, the flush, the sampling rule to be trusted"},
    {"calibrate", bench_command_calibrate, "measured roofs: matrix products, bandwidth, clock"},
    {"capacity", bench_command_capacity, "the longest sequence that fits, per kernel"},
    {"profile", bench_command_profile, "attention statistics and loss of a real model"},
    {"ratios", bench_command_ratios, "our kernels against the best peer of the same run"},
    {"plot", bench_command_plot, "the figures of one result"},
    {"merge", bench_command_merge, "the parts that shards left, as one result"},
};

static void print_help(FILE *to) {
  fprintf(to,
          "bench: attention kernels measured, verified and described\n\n"
          "usage: bench COMMAND [OPTION...]     bench --version     bench COMMAND --help\n\n");
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
  }
  fprintf(to, "\nexample: bench sweep configs/scale.toml\n");
}

/* A file opened on a standard stream that the caller closed would get what is printed. */
static void open_standard_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
      _exit(4);
    }
  }
}

static int run(int argc, char **argv) {
  if (argc < 2) {
    print_help(stderr);
    return 2;
  }
  if (strcmp(argv[1], "--version") == 0) {
    printf("bench %s (%s)\n", BENCH_VERSION, BENCH_GIT_COMMIT);
    return 0;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
    print_help(stdout);
    return 0;
  }
  if (strcmp(argv[1], "--worker") == 0) {
    return bench_worker_main();
  }
  if (strcmp(argv[1], "--peer") == 0 && argc == 3) {
    return bench_peer_start(argv[2]);
  }
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    if (strcmp(argv[1], commands[i].name) == 0) {
      return commands[i].run(argc - 1, argv + 1);
    }
  }
  fprintf(stderr, "bench: no command \"%s\"; see bench --help\n", argv[1]);
  return 2;
}

int main(int argc, char **argv) {
  open_standard_streams();
  int status = run(argc, argv);
  if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
    fprintf(stderr, "bench: cannot write to standard output: %s\n", strerror(errno));
    status = 4;
  }
  return status;
}
