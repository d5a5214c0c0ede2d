/* config.json of a Hugging Face checkpoint: the shape of a Llama model, checked and bounded, so
 * that no product of two of its numbers can overflow. What would change the computation and is not
 * implemented (RoPE scaling, biases, sliding windows, ...) is refused, never ignored. */
#ifndef BENCH_MODEL_CONFIG_JSON_H
#define BENCH_MODEL_CONFIG_JSON_H

#include <stddef.h>

#include "bench/model.h"

/* Fills the fields of `out` that config.json gives: layers to tied. `label` begins messages. */
bench_code bench_config_json_parse(const char *label, const void *bytes, size_t size,
                                   bench_model_info *out, bench_error *error);

#endif
