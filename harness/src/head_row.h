/* One line of heads.csv from one head's statistics. */
#ifndef BENCH_HEAD_ROW_H
#define BENCH_HEAD_ROW_H

#include "bench/row.h"
#include "bench/stat.h"

void bench_head_row_fill(const bench_attn *attn, uint64_t problem_id, int64_t layer, int64_t head,
                         const bench_stat_core *from, bench_head_row *row);

#endif
