/* Reading a TOML tree into structs by tables of keys: one row says all there is to know of a key.
 *
 * The rows drive the checks (type, range, known names, empty and duplicate entries, unknown keys),
 * the freeing and the lists of names in messages. A fault is told with its place. */
#ifndef BENCH_CONFIG_READ_H
#define BENCH_CONFIG_READ_H

#include "bench/config.h"
#include "src/toml.h"

/* A text that is being read: the file, or one --set. */
typedef struct config_source {
  const char *label; /* stands before LINE:COLUMN in messages */
  const char *text;
  size_t bytes;
} config_source;

typedef struct config_reader {
  const config_source *sources; /* indexed by the origin of a node */
  const char *folder;           /* what relative paths are relative to, "" for none */
  bench_error *error;
} config_reader;

typedef struct config_key config_key;
typedef struct config_table config_table;

#define CONFIG_KIND(name) (1u << BENCH_TOML_##name)

/* How one value is read. A list of them is an array of `bytes` each. */
typedef struct config_type {
  unsigned kinds;   /* that a node may have */
  const char *what; /* "an integer", for messages */
  size_t bytes;
  bench_code (*read)(config_reader *reader, const config_key *key, const bench_toml *node,
                     void *out);
  bool (*same)(const void *a, const void *b); /* for types that stand in lists */
  void (*drop)(void *value);                  /* frees what a value owns; NULL: nothing */
  const char *(*name)(size_t index);          /* known names; NULL at the end */
} config_type;

struct config_key {
  const char *name;
  const config_type *type;
  const config_table *table; /* of a TABLE whose keys lie in the same struct */
  bool list;                 /* a list; a value that stands alone is a list of one */
  size_t at;                 /* offset of the value, or of the pointer to a list */
  size_t count_at;           /* offset of a list's size_t count */
  int64_t min;               /* of an integer, inclusive */
  int64_t max;
  double most; /* of a number, which must also be above 0 */
};

struct config_table {
  const char *where; /* "in [sweep]" */
  const config_key *keys;
  size_t count;
};

#define CONFIG_TABLE(where, keys) \
  { (where), (keys), sizeof(keys) / sizeof((keys)[0]) }
#define CONFIG_LIST_MAX 1024 /* entries; bounds the search for duplicates */

extern const config_type config_integer; /* int64_t, min .. max */
extern const config_type config_number;  /* double, above 0, at most `most` */
extern const config_type config_boolean; /* bool */
extern const config_type config_name;    /* char[BENCH_NAME_MAX], a name that config_is_name */
extern const config_type config_group;   /* the keys of key->table, in the same struct */

/* `base` is the struct that the offsets of the table refer to. A value given before is replaced.
 * given[row] (may be NULL) is set to the node that gave the key of that row. After a failure
 * config_drop frees what there is. */
bench_code config_read_table(config_reader *reader, const config_table *table,
                             const bench_toml *node, void *base, const bench_toml **given);
void config_drop(const config_table *table, void *base);

/* Letters, digits, '.', '_' and '-', the first a letter or digit, short enough for
 * BENCH_NAME_MAX: safe as a part of a path. */
bool config_is_name(const char *text);

/* A string among type->name, by its index. */
bench_code config_find_name(config_reader *reader, const config_key *key, const bench_toml *node,
                            size_t *index);

/* "LABEL:LINE:COLUMN: what is wrong", the line, and a caret below the column. Returns
 * BENCH_ERR_USAGE. */
bench_code config_fault(config_reader *reader, const bench_toml *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bench_code config_fault_key(config_reader *reader, const bench_toml *node, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* at the node's key */
bench_code config_fault_at(config_reader *reader, int origin, int line, int column,
                           const char *format, ...) __attribute__((format(printf, 5, 6)));
bench_code config_no_memory(config_reader *reader);

/* Plain ASCII, newlines, tabs; and not so many dots in a line that tables nest deep. */
bench_code config_check_characters(config_reader *reader, int origin);

/* Checks the characters of sources[origin], reads it as TOML, and checks the characters of its
 * strings and keys after unescaping. The caller frees root with bench_toml_free; after a failure
 * there is nothing to free. */
bench_code config_read_text(config_reader *reader, int origin, bench_toml *root);

/* The same for a "KEY=VALUE" of --set, where a bare word that is not TOML is a string. */
bench_code config_read_set(config_reader *reader, int origin, bench_toml *root);

#endif
