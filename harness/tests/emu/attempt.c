#include "attempt.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_S 120 /* a child that has no end by then tells nothing */

typedef struct attempt {
  case_set set;
  const char *options;
} attempt;

/* A planted fault mostly shows as wrong numbers, soonest where clocks cost nothing; a call left out
 * mostly in race mode. The program's kernels are built with eyes for races. With one multiprocessor
 * a kernel whose grid is as large as the device goes on from one piece of work to the next. */
static const attempt for_mutants[] = {{CASES_PROBE, "schedule=lifo"},
                                      {CASES_PROBE, "race=1,strict=1,schedule=random:1"},
                                      {CASES_FEW, "misalign=1,sms=1"},
                                      {CASES_FEW, "race=1,strict=1,schedule=random:2"},
                                      {0}};
static const attempt for_sites[] = {{CASES_PROBE, "race=1"},
                                    {CASES_PROBE, "schedule=lifo"},
                                    {CASES_PROBE, "strict=1,schedule=random:1"},
                                    {CASES_FEW, "race=1,strict=1,schedule=random:2"},
                                    {0}};

static void set_options(const char *text) {
  emu_options options = *emu_get_options();
  bench_error error;
  if (emu_options_parse(text, &options, &error) != BENCH_OK) {
    fprintf(stderr, "%s\n", error.message);
    exit(2);
  }
  emu_set_options(&options);
}

/* In the child: tells what went wrong first and ends. */
static void run_child(const runner *on, const bench_kernel *kernel, const emu_site *site,
                      const attempt *how, int end) {
  alarm(HANG_S);
  set_options(how->options);
  if (site != NULL) {
    emu_site_skip(site->operation, site->file, site->line);
  }
  const outcome all = runner_run(on, kernel, how->set, true, false);
  const ssize_t told = write(end, all.first, strcspn(all.first, "\n"));
  _exit(told < 0 || all.failed > 0);
}

static bool is_found_out(const runner *on, const bench_kernel *kernel, const emu_site *site,
                         const attempt *how, char what[512]) {
  int ends[2];
  fflush(stdout);
  if (pipe(ends) != 0) {
    perror("pipe");
    exit(1);
  }
  const pid_t child = fork();
  if (child < 0) {
    perror("fork");
    exit(1);
  }
  if (child == 0) {
    run_child(on, kernel, site, how, ends[1]);
  }
  close(ends[1]);
  const ssize_t got = read(ends[0], what, 511);
  what[got > 0 ? got : 0] = '\0';
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    return false; /* slow is not wrong: a wait without an end is found by the runtime itself */
  }
  if (WIFSIGNALED(status)) {
    snprintf(what, 512, "the process ended by signal %d", WTERMSIG(status));
  }
  return status != 0;
}

bool attempt_all(const runner *on, const bench_kernel *kernel, const emu_site *site,
                 attempt_finding *out) {
  for (const attempt *how = site == NULL ? for_mutants : for_sites; how->options != NULL; how++) {
    if (is_found_out(on, kernel, site, how, out->what)) {
      out->options = how->options;
      return true;
    }
  }
  return false;
}
