/* The table of bad checkpoints: one row a fault, each with its exact message. */
#ifndef BENCH_TEST_BAD_TABLE_H
#define BENCH_TEST_BAD_TABLE_H

#include <stddef.h>

#include "model_maker.h"

/* The good checkpoint that every row changes in one place. */
extern const made_shape bad_base;
#define BAD_BASE_DATA_BYTES 2368

/* How messages begin; "@" stands for the checkpoint's folder. */
#define IN_CONFIG "@/config.json: "
#define IN_FILE "@/model.safetensors: "

/* A row's tree: config.json, the whole header, or a tensor's entry by its name. */
#define CONFIG "config"
#define HEADER "header"

typedef struct bad_checkpoint {
  const char *name;
  const char *tree; /* NULL: `mutate` changes it */
  const char *key;
  const char *value; /* JSON; NULL: the key is removed */
  void (*mutate)(made_model *made);
  const char *message;
} bad_checkpoint;

extern const bad_checkpoint bad_checkpoints[];
extern const size_t bad_checkpoint_count;

#endif
