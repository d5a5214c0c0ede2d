/* What a worker's samples say of their row: figures of the device's clock, and whether the samples
 * can stand for one time. A foreign worker's are judged like our own. */
#ifndef BENCH_ROW_SAMPLES_H
#define BENCH_ROW_SAMPLES_H

#include <jansson.h>

#include "bench/row.h"

/* With BENCH_UNSTEADY=allow in the environment an unsteady row stays ok: for tests, which cannot
 * choose their machine. Its figures are written all the same. */
bool bench_unsteady_allowed(void);

/* An ok row whose samples drift or depend on their neighbours becomes invalid, with the reason. */
void bench_row_judge_samples(bench_row *row, const double *samples, size_t count);

/* The device's clock during each of `count` samples, as the worker's answer has it: an array of
 * numbers or null, which is NaN here. NULL where there is none of that length. Fills row->sm_mhz
 * with the median; an ok row of a GPU whose clock was not the same throughout becomes invalid. The
 * caller frees. */
double *bench_row_take_clock(bench_row *row, const json_t *result, size_t count);

#endif
