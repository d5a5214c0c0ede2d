/* After a case ran out of memory, no larger case of its kernel is launched: a case that is sure to
 * fail may take the machine down with it. Mode graph keeps copies of the tensors, which are in no
 * prediction: what runs out there says nothing of the other modes. Zero-initialise before use. */
#ifndef BENCH_OOM_RULE_H
#define BENCH_OOM_RULE_H

#include "bench/row.h"

#define BENCH_OOM_KNOWN_MAX 64

typedef struct bench_oom_rule {
  struct {
    char kernel[BENCH_NAME_MAX];
    bool copies;   /* known of mode graph alone */
    int64_t bytes; /* the smallest prediction of a case that ran out of memory */
  } known[BENCH_OOM_KNOWN_MAX];
  int count;
} bench_oom_rule;

/* Both read kernel, mode and mem_predicted_bytes of the row. */
void bench_oom_rule_note(bench_oom_rule *rule, const bench_row *row);
/* True if the row's case is larger than one that ran out of memory; `reason` says so. */
bool bench_oom_rule_forbids(const bench_oom_rule *rule, const bench_row *row, char reason[512]);

#endif
