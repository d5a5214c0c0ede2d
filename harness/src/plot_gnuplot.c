/* gnuplot as a child process: found in PATH, given arguments and no shell. */
#include "src/plot_gnuplot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/proc.h"

bench_code bench_plot_scripts(char *out, size_t bytes, bench_error *error) {
  static const char *const places[] = {"/../plots", "/plots"};
  char program[PATH_MAX] = "";
  bench_proc_executable(program, sizeof program);
  char *slash = strrchr(program, '/');
  for (size_t i = 0; slash != NULL && i < sizeof places / sizeof places[0]; i++) {
    snprintf(out, bytes, "%.*s%s", (int)(slash - program), program, places[i]);
    if (access(out, X_OK) == 0) {
      return BENCH_OK;
    }
  }
  snprintf(out, bytes, "%s", BENCH_SOURCE_DIR "/plots");
  if (access(out, X_OK) == 0) {
    return BENCH_OK;
  }
  return bench_fail(error, BENCH_ERR_ENV,
                    "the folder plots/ with the scripts is neither beside the program nor in %s",
                    BENCH_SOURCE_DIR);
}

char *bench_plot_quote(const char *text) {
  char *quoted = malloc(4 * strlen(text) + 3);
  char *to = quoted;
  if (quoted == NULL) {
    return NULL;
  }
  *to++ = '"';
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (isalnum(c) || c == '/' || c == '.' || c == '_' || c == '-') {
      *to++ = (char)c;
    } else { /* in octal even a backquote is only a character */
      to += sprintf(to, "\\%03o", c);
    }
  }
  *to++ = '"';
  *to = '\0';
  return quoted;
}

static bench_code wait_for(pid_t pid, const char *script, bench_error *error) {
  int status;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return bench_fail(error, BENCH_ERR_ENV, "cannot wait for gnuplot: %s", strerror(errno));
    }
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) { /* a C library that cannot tell sooner */
    return bench_fail(error, BENCH_ERR_ENV, "gnuplot does not start");
  }
  if (WIFSIGNALED(status)) {
    return bench_fail(error, BENCH_ERR_DEVICE, "gnuplot was killed by signal %d in %s",
                      WTERMSIG(status), script);
  }
  return WEXITSTATUS(status) == 0
             ? BENCH_OK
             : bench_fail(error, BENCH_ERR_DEVICE, "gnuplot failed in %s; its message stands above",
                          script);
}

bench_code bench_plot_gnuplot(const char *script, const char *variables, bench_error *error) {
  char *arguments[] = {"gnuplot", "-d", "-e", (char *)variables, (char *)script, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  pid_t pid;
  int failed = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT) {
    return bench_fail(error, BENCH_ERR_ENV,
                      "gnuplot is not in PATH; it comes with the package gnuplot-nox "
                      "(Debian, Ubuntu), gnuplot-minimal (Fedora) or gnuplot (Arch)");
  }
  if (failed != 0) {
    return bench_fail(error, BENCH_ERR_ENV, "cannot start gnuplot: %s", strerror(failed));
  }
  return wait_for(pid, script, error);
}
