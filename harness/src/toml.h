/* A TOML document as a plain tree for C, read by toml++ (toml_shim.cpp).
 *
 * Every node knows where its value and its key stand in the text, both counted from 1, so that a
 * message about either can show the place. Children stand in the order of the text.
 *
 * The text must be ASCII without control characters other than newline and tab: toml++ 3.3 was
 * fuzzed for such text only, and the callers refuse any other first. */
#ifndef BENCH_TOML_H
#define BENCH_TOML_H

#include <stddef.h>
#include <stdint.h>

#include "bench/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bench_toml_kind {
  BENCH_TOML_TABLE,
  BENCH_TOML_LIST,
  BENCH_TOML_STRING,
  BENCH_TOML_INTEGER,
  BENCH_TOML_NUMBER,
  BENCH_TOML_BOOLEAN,
  BENCH_TOML_DATE, /* any date or time; its value is not kept */
} bench_toml_kind;

typedef struct bench_toml bench_toml;
struct bench_toml {
  bench_toml_kind kind;
  int line;         /* of the value; of the header for a table that has one */
  int column;       /* likewise */
  int key_line;     /* 0 for the root and for entries of a list */
  int key_column;   /* likewise */
  int origin;       /* as given to bench_toml_parse */
  char *key;        /* NULL for the root and for entries of a list; may hold escaped bytes */
  size_t key_bytes; /* its length, terminating zero not counted */
  char *string;     /* STRING; may hold escaped bytes */
  size_t string_bytes;
  int64_t integer;  /* INTEGER, and 0 or 1 of a BOOLEAN */
  double number;    /* NUMBER, and INTEGER converted */
  bench_toml *item; /* TABLE, LIST */
  size_t count;
};

/* Where and why a text is not TOML. */
typedef struct bench_toml_fault {
  int line;
  int column;
  char message[256];
} bench_toml_fault;

/* Reads `bytes` bytes of text into `root`, a TABLE, whose nodes all carry `origin`. The caller
 * frees with bench_toml_free; after a failure (BENCH_ERR_USAGE with a fault, or BENCH_ERR_NOMEM)
 * there is nothing to free. */
bench_code bench_toml_parse(const char *text, size_t bytes, int origin, bench_toml *root,
                            bench_toml_fault *fault);
void bench_toml_free(bench_toml *root);

#ifdef __cplusplus
}
#endif
#endif
