/* The smallest exhausted case of each kernel. */
#include "src/oom_rule.h"

#include <stdio.h>
#include <string.h>

static int find(const bench_oom_rule *rule, const char *kernel) {
  int i = 0;
  while (i < rule->count && strcmp(rule->known[i].kernel, kernel) != 0) {
    i++;
  }
  return i;
}

void bench_oom_rule_note(bench_oom_rule *rule, const bench_row *row) {
  int i = find(rule, row->kernel);
  if (i == BENCH_OOM_KERNELS_MAX) {
    return; /* more kernels than there are families: the rule spares launches, it is no proof */
  }
  if (i == rule->count) {
    bench_text_copy(rule->known[i].kernel, sizeof rule->known[i].kernel, row->kernel);
    rule->known[i].bytes = row->mem_predicted_bytes;
    rule->count++;
  } else if (row->mem_predicted_bytes < rule->known[i].bytes) {
    rule->known[i].bytes = row->mem_predicted_bytes;
  }
}

bool bench_oom_rule_forbids(const bench_oom_rule *rule, const bench_row *row, char reason[512]) {
  int i = find(rule, row->kernel);
  if (i == rule->count || row->mem_predicted_bytes <= rule->known[i].bytes) {
    return false;
  }
  snprintf(reason, 512,
           "a smaller case of this kernel ran out of memory: predicted %.4g GB, here %.4g GB",
           (double)rule->known[i].bytes / 1e9, (double)row->mem_predicted_bytes / 1e9);
  return true;
}
