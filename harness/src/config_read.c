/* Reads a TOML table into a struct as its rows of keys say; see config_read.h. */
#include "src/config_read.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SHOWN = 80, NAMES_SHOWN = 400 };

static const char *kind_name(const bench_toml *node) {
  static const char *const names[] = {
      [BENCH_TOML_TABLE] = "a table",       [BENCH_TOML_LIST] = "a list",
      [BENCH_TOML_STRING] = "a string",     [BENCH_TOML_INTEGER] = "an integer",
      [BENCH_TOML_NUMBER] = "a number",     [BENCH_TOML_BOOLEAN] = "a boolean",
      [BENCH_TOML_DATE] = "a date or time",
  };
  return names[node->kind];
}

/* Appends ", name" to a list of names; false where it has no room for the name. */
static bool add_name(char list[NAMES_SHOWN], const char *name) {
  const size_t length = strlen(list);
  const size_t comma = length > 0 ? 2 : 0;
  const size_t bytes = strlen(name) + 1;
  if (length + comma + bytes > NAMES_SHOWN) {
    return false;
  }
  memcpy(list + length, ", ", comma);
  memcpy(list + length + comma, name, bytes);
  return true;
}

static size_t min3(size_t a, size_t b, size_t c) {
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

/* Levenshtein's distance: how many letters must be added, dropped or changed. */
static size_t edit_distance(const char *a, const char *b) {
  size_t row[BENCH_NAME_MAX + 1];
  size_t length = strlen(b);
  if (length > BENCH_NAME_MAX) {
    return SIZE_MAX;
  }
  for (size_t j = 0; j <= length; j++) {
    row[j] = j;
  }
  for (size_t i = 0; a[i] != '\0'; i++) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < length; j++) {
      size_t above = row[j + 1];
      row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
      diagonal = above;
    }
  }
  return row[length];
}

/* The name that is meant by a word, among those it was compared with. */
typedef struct nearest {
  const char *word;
  const char *name; /* NULL: none is near */
  size_t least;     /* a name at this distance is another word, or no nearer */
} nearest;

static nearest nearest_to(const char *word) {
  return (nearest){.word = word, .least = strlen(word) > 4 ? 3 : 2};
}

static void compare_name(nearest *near, const char *name) {
  size_t distance = edit_distance(name, near->word);
  if (distance < near->least) {
    near->least = distance;
    near->name = name;
  }
}

static bench_code unknown_key(config_reader *reader, const config_table *table,
                              const bench_toml *node) {
  nearest near = nearest_to(node->key);
  char known[NAMES_SHOWN] = "";
  for (size_t i = 0; i < table->count; i++) {
    compare_name(&near, table->keys[i].name);
    (void)add_name(known, table->keys[i].name);
  }
  if (near.name != NULL) {
    return config_fault_key(reader, node, "unknown key \"%.*s\" %s; did you mean \"%s\"?",
                            NAME_SHOWN, node->key, table->where, near.name);
  }
  return config_fault_key(reader, node, "unknown key \"%.*s\" %s; known are %s", NAME_SHOWN,
                          node->key, table->where, known);
}

/* Where the names are too many to list, the nearest is of more help than the first. */
bench_code config_find_name(config_reader *reader, const config_key *key, const bench_toml *node,
                            size_t *index) {
  nearest near = nearest_to(node->string);
  char known[NAMES_SHOWN] = "";
  bool all = true;
  const char *name;
  for (size_t i = 0; (name = key->type->name(i)) != NULL; i++) {
    if (strcmp(name, node->string) == 0) {
      *index = i;
      return BENCH_OK;
    }
    compare_name(&near, name);
    all = all && add_name(known, name);
  }
  if (!all && near.name != NULL) {
    return config_fault(reader, node, "%s: unknown name \"%.*s\"; did you mean \"%s\"?", key->name,
                        NAME_SHOWN, node->string, near.name);
  }
  return config_fault(reader, node, "%s: unknown name \"%.*s\"; known are %s%s", key->name,
                      NAME_SHOWN, node->string, known, all ? "" : ", ...");
}

static bench_code read_integer(config_reader *reader, const config_key *key, const bench_toml *node,
                               void *out) {
  if (node->integer < key->min || node->integer > key->max) {
    return config_fault(reader, node,
                        "%s must be between %" PRId64 " and %" PRId64 ", not %" PRId64, key->name,
                        key->min, key->max, node->integer);
  }
  *(int64_t *)out = node->integer;
  return BENCH_OK;
}

static bool same_integer(const void *a, const void *b) {
  return *(const int64_t *)a == *(const int64_t *)b;
}

const config_type config_integer = {.kinds = CONFIG_KIND(INTEGER),
                                    .what = "an integer",
                                    .bytes = sizeof(int64_t),
                                    .read = read_integer,
                                    .same = same_integer};

static bench_code read_number(config_reader *reader, const config_key *key, const bench_toml *node,
                              void *out) {
  if (!(node->number > 0) || !(node->number <= key->most)) { /* NaN too */
    return config_fault(reader, node, "%s must be above 0 and at most %.10g, not %g", key->name,
                        key->most, node->number);
  }
  *(double *)out = node->number;
  return BENCH_OK;
}

const config_type config_number = {.kinds = CONFIG_KIND(NUMBER) | CONFIG_KIND(INTEGER),
                                   .what = "a number",
                                   .bytes = sizeof(double),
                                   .read = read_number};

static bench_code read_boolean(config_reader *reader, const config_key *key, const bench_toml *node,
                               void *out) {
  *(bool *)out = node->integer != 0;
  return BENCH_OK;
}

const config_type config_boolean = {.kinds = CONFIG_KIND(BOOLEAN),
                                    .what = "true or false",
                                    .bytes = sizeof(bool),
                                    .read = read_boolean};

bool config_is_name(const char *text) {
  size_t length = strlen(text);
  return length > 0 && length < BENCH_NAME_MAX && isalnum((unsigned char)text[0]) != 0 &&
         strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
             length;
}

static bench_code read_name(config_reader *reader, const config_key *key, const bench_toml *node,
                            void *out) {
  if (!config_is_name(node->string)) {
    return config_fault(reader, node,
                        "%s must be 1 to %d letters, digits, '.', '_' or '-', and begin with a "
                        "letter or digit",
                        key->name, BENCH_NAME_MAX - 1);
  }
  memcpy(out, node->string, node->string_bytes + 1);
  return BENCH_OK;
}

const config_type config_name = {
    .kinds = CONFIG_KIND(STRING), .what = "a string", .bytes = BENCH_NAME_MAX, .read = read_name};

static bench_code read_group(config_reader *reader, const config_key *key, const bench_toml *node,
                             void *out) {
  return config_read_table(reader, key->table, node, out, NULL);
}

const config_type config_group = {
    .kinds = CONFIG_KIND(TABLE), .what = "a table", .read = read_group};

static bool fits(const config_type *type, const bench_toml *node) {
  return (type->kinds & 1u << node->kind) != 0;
}

/* Pointer and count of a list in the struct: memcpy, since their types differ from key to key. */
static void *list_items(const config_key *key, const void *base, size_t *count) {
  void *items;
  memcpy(&items, (const char *)base + key->at, sizeof items);
  memcpy(count, (const char *)base + key->count_at, sizeof *count);
  return items;
}

static void set_list(const config_key *key, void *base, void *items, size_t count) {
  memcpy((char *)base + key->at, &items, sizeof items);
  memcpy((char *)base + key->count_at, &count, sizeof count);
}

static void drop_value(const config_key *key, void *base) {
  if (key->list) {
    size_t count;
    char *items = list_items(key, base, &count);
    for (size_t i = 0; key->type->drop != NULL && i < count; i++) {
      key->type->drop(items + i * key->type->bytes);
    }
    free(items);
    set_list(key, base, NULL, 0);
  } else if (key->type->drop != NULL) {
    key->type->drop((char *)base + key->at);
  }
}

void config_drop(const config_table *table, void *base) {
  for (size_t i = 0; i < table->count; i++) {
    if (table->keys[i].table != NULL) {
      config_drop(table->keys[i].table, base);
    } else {
      drop_value(&table->keys[i], base);
    }
  }
}

static bench_code read_entry(config_reader *reader, const config_key *key, const bench_toml *node,
                             char *items, size_t index) {
  const config_type *type = key->type;
  char *entry = items + index * type->bytes;
  if (!fits(type, node)) {
    return config_fault(reader, node, "%s must be %s or a list of such, not %s%s", key->name,
                        type->what, node->key == NULL ? "a list with " : "", kind_name(node));
  }
  return type->read(reader, key, node, entry);
}

static bench_code read_list(config_reader *reader, const config_key *key, const bench_toml *node,
                            void *base) {
  const bool is_list = node->kind == BENCH_TOML_LIST;
  const bench_toml *entries = is_list ? node->item : node;
  const size_t count = is_list ? node->count : 1;
  if (count == 0) {
    return config_fault(reader, node, "%s must not be empty", key->name);
  }
  if (count > CONFIG_LIST_MAX) {
    return config_fault(reader, node, "%s has %zu entries; a list may have %d", key->name, count,
                        CONFIG_LIST_MAX);
  }
  drop_value(key, base);
  char *items = calloc(count, key->type->bytes);
  if (items == NULL) {
    return config_no_memory(reader);
  }
  for (size_t i = 0; i < count; i++) {
    set_list(key, base, items, i);
    bench_code code = read_entry(reader, key, &entries[i], items, i);
    if (code != BENCH_OK) {
      return code;
    }
    set_list(key, base, items, i + 1);
    for (size_t j = 0; j < i; j++) {
      if (key->type->same(items + i * key->type->bytes, items + j * key->type->bytes)) {
        return config_fault(reader, &entries[i], "%s has this entry twice", key->name);
      }
    }
  }
  return BENCH_OK;
}

static bench_code read_value(config_reader *reader, const config_key *key, const bench_toml *node,
                             void *base) {
  if (key->list) {
    return read_list(reader, key, node, base);
  }
  if (!fits(key->type, node)) {
    return config_fault(reader, node, "%s must be %s, not %s", key->name, key->type->what,
                        kind_name(node));
  }
  drop_value(key, base);
  return key->type->read(reader, key, node, (char *)base + key->at);
}

bench_code config_read_table(config_reader *reader, const config_table *table,
                             const bench_toml *node, void *base, const bench_toml **given) {
  for (size_t i = 0; i < node->count; i++) {
    const bench_toml *child = &node->item[i];
    size_t row = 0;
    while (row < table->count && strcmp(table->keys[row].name, child->key) != 0) {
      row++;
    }
    if (row == table->count) {
      return unknown_key(reader, table, child);
    }
    bench_code code = read_value(reader, &table->keys[row], child, base);
    if (code != BENCH_OK) {
      return code;
    }
    if (given != NULL) {
      given[row] = child;
    }
  }
  return BENCH_OK;
}
