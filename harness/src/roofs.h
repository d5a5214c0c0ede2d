/* Roofs on their way between worker, file and command. */
#ifndef BENCH_SRC_ROOFS_H
#define BENCH_SRC_ROOFS_H

#include <jansson.h>

#include "bench/roofs.h"

/* A member for each roof, null where it was not measured; and back. A new reference. */
json_t *bench_roofs_to_json(const bench_roofs *roofs);
void bench_roofs_from_json(const json_t *json, bench_roofs *out);

/* Name, unit and meaning of roof `index`; NULL behind the last. */
const char *bench_roof_describe(size_t index, const char **unit, const char **help);

#endif
