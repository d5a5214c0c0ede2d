#include "sites.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "attempt.h"
#include "harmless.h"

#define SITES_MAX 512

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

/* 1 if the site is unaccounted for. */
static int check_site(const runner *on, const bench_kernel *kernel, const emu_site *site,
                      const harmless_list *list) {
  char text[256];
  harmless_entry *entry = harmless_find(list, site, text);
  attempt_finding found;
  if (attempt_all(on, kernel, site, &found)) {
    printf("noticed  %s:%d %s (%s)\n         %.300s\n", site->file, site->line, site->operation,
           found.options, found.what);
    return 0;
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
