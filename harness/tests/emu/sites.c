#include "sites.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harmless.h"

#define HANG_S 120 /* a child that has no end by then has noticed in its own way */
#define SITES_MAX 512

/* How a site is left out: in race mode first, which sees most. In a build of the kernels without
 * eyes for races its clocks still watch what operations do. */
typedef struct attempt {
  case_set set;
  const char *options;
} attempt;
static const attempt attempts[] = {
    {CASES_PROBE, "race=1"},
    {CASES_PROBE, "schedule=lifo"},
    {CASES_PROBE, "schedule=fifo"},
    {CASES_PROBE, "strict=1,schedule=random:1"},
    {CASES_FEW, "race=1,strict=1,schedule=random:2"},
};
#define ATTEMPTS (sizeof attempts / sizeof attempts[0])

static void set_options(const char *text) {
  emu_options options = *emu_get_options();
  bench_error error;
  if (emu_options_parse(text, &options, &error) != BENCH_OK) {
    fprintf(stderr, "%s\n", error.message);
    exit(2);
  }
  emu_set_options(&options);
}

/* The sites that a run comes by, into `found`. */
static size_t find_sites(const runner *on, const bench_kernel *kernel, emu_site *found) {
  emu_sites_watch(true);
  const outcome all = runner_run(on, kernel, CASES_FEW, true, true);
  if (all.failed > 0) {
    fprintf(stderr, "%s/%s fails with all its sites\n", kernel->family, kernel->variant);
    exit(1);
  }
  const size_t count = emu_site_count();
  for (size_t i = 0; i < count && i < SITES_MAX; i++) {
    found[i] = emu_site_at(i);
  }
  emu_sites_watch(false);
  return count < SITES_MAX ? count : SITES_MAX;
}

void sites_list(const runner *on, const bench_kernel *kernel) {
  emu_site found[SITES_MAX];
  const size_t count = find_sites(on, kernel, found);
  for (size_t i = 0; i < count; i++) {
    printf("%s/%s %s:%d %s, executed %" PRIu64 " times\n", kernel->family, kernel->variant,
           found[i].file, found[i].line, found[i].operation, found[i].executed);
  }
}

/* In a child, for nobody knows what a kernel does without it. The first line of what was noticed.
 */
static bool is_noticed(const runner *on, const bench_kernel *kernel, const emu_site *site,
                       const attempt *how, char what[512]) {
  int ends[2];
  fflush(stdout);
  if (pipe(ends) != 0) {
    perror("pipe");
    exit(1);
  }
  const pid_t child = fork();
  if (child == 0) {
    alarm(HANG_S);
    set_options(how->options);
    emu_site_skip(site->operation, site->file, site->line);
    const outcome all = runner_run(on, kernel, how->set, true, false);
    const ssize_t told = write(ends[1], all.first, strcspn(all.first, "\n"));
    _exit(told < 0 || all.failed > 0);
  }
  close(ends[1]);
  const ssize_t got = read(ends[0], what, 511);
  what[got > 0 ? got : 0] = '\0';
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    snprintf(what, 512, "the process ended by signal %d", WTERMSIG(status));
  }
  return status != 0;
}

/* 1 if the site is unaccounted for. */
static int check_site(const runner *on, const bench_kernel *kernel, const emu_site *site,
                      const harmless_list *list) {
  char what[512];
  char text[256];
  harmless_entry *entry = harmless_find(list, site, text);
  for (size_t i = 0; i < ATTEMPTS; i++) {
    if (is_noticed(on, kernel, site, &attempts[i], what)) {
      printf("noticed  %s:%d %s (%s)\n         %.300s\n", site->file, site->line, site->operation,
             attempts[i].options, what);
      return 0;
    }
  }
  if (entry != NULL) {
    entry->was_true = true;
    printf("harmless %s:%d %s: %s\n", site->file, site->line, site->operation, entry->reason);
    return 0;
  }
  printf("UNNOTICED %s/%s %s:%d %s: %s\n", kernel->family, kernel->variant, site->file, site->line,
         site->operation, text);
  return 1;
}

int sites_check(const runner *on, const char *wanted, const char *harmless_path) {
  harmless_list list = harmless_read(harmless_path);
  int bad = 0;
  size_t total = 0;
  for (size_t k = 0; k < on->backend->kernel_count; k++) {
    const bench_kernel *kernel = on->backend->kernels[k].kernel;
    if (wanted != NULL && !runner_is_named(kernel, wanted)) {
      continue;
    }
    emu_site found[SITES_MAX];
    const size_t count = find_sites(on, kernel, found);
    for (size_t i = 0; i < count; i++) {
      bad += check_site(on, kernel, &found[i], &list);
    }
    total += count;
  }
  for (size_t i = 0; i < list.count && wanted == NULL; i++) {
    if (!list.entries[i].was_true) {
      printf("NOT HARMLESS, or not there: %s %s: %s\n", list.entries[i].file,
             list.entries[i].operation, list.entries[i].line);
      bad++;
    }
  }
  harmless_free(&list);
  printf("%zu sites, %d unaccounted for\n", total, bad);
  return total > 0 ? bad : 1;
}
