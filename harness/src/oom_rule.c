/* The smallest exhausted case of each kernel, with copies and without. */
#include "src/oom_rule.h"

#include <stdio.h>
#include <string.h>

static bool has_copies(const bench_row *row) {
  return strcmp(row->mode, "graph") == 0;
}

static int find(const bench_oom_rule *rule, const char *kernel, bool copies) {
  int i = 0;
  while (i < rule->count &&
         (rule->known[i].copies != copies || strcmp(rule->known[i].kernel, kernel) != 0)) {
    i++;
  }
  return i;
}

void bench_oom_rule_note(bench_oom_rule *rule, const bench_row *row) {
  int i = find(rule, row->kernel, has_copies(row));
  if (i == BENCH_OOM_KNOWN_MAX) {
    return; /* more kernels than there are families: the rule spares launches, it is no proof */
  }
  if (i == rule->count) {
    bench_text_copy(rule->known[i].kernel, sizeof rule->known[i].kernel, row->kernel);
    rule->known[i].copies = has_copies(row);
    rule->known[i].bytes = row->mem_predicted_bytes;
    rule->count++;
  } else if (row->mem_predicted_bytes < rule->known[i].bytes) {
    rule->known[i].bytes = row->mem_predicted_bytes;
  }
}

static bool forbids(const bench_oom_rule *rule, bool copies, const bench_row *row,
                    char reason[512]) {
  int i = find(rule, row->kernel, copies);
  if (i == rule->count || row->mem_predicted_bytes <= rule->known[i].bytes) {
    return false;
  }
  snprintf(reason, 512,
           "a smaller case of this kernel ran out of memory: predicted %.4g GB, here %.4g GB",
           (double)rule->known[i].bytes / 1e9, (double)row->mem_predicted_bytes / 1e9);
  return true;
}

bool bench_oom_rule_forbids(const bench_oom_rule *rule, const bench_row *row, char reason[512]) {
  return forbids(rule, false, row, reason) || (has_copies(row) && forbids(rule, true, row, reason));
}
