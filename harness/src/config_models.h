/* Reading model presets from a text of [[model]] tables; bench_models reads the one compiled in. */
#ifndef BENCH_CONFIG_MODELS_H
#define BENCH_CONFIG_MODELS_H

#include "bench/config.h"

/* A preset is refused if its family does not have one of its keys, needs another, or counts a
 * total that is not the stated one. `label` stands for the file in messages. The caller frees with
 * config_models_free; after a failure there is nothing to free. */
bench_code config_models_parse(const char *label, const char *text, size_t bytes,
                               bench_model_shape **models, size_t *count, bench_error *error);
void config_models_free(bench_model_shape *models, size_t count);

#endif
