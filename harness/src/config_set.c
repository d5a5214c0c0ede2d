/* One --set: "KEY=VALUE" with a dotted key. VALUE is TOML; a bare word, which is not, is taken as
 * a string, so that a shell needs no quotes around sweep.name=x. */
#include <stdlib.h>
#include <string.h>

#include "src/config_read.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define KEY_CHARACTERS LETTERS "0123456789_-."
#define WORD_CHARACTERS LETTERS "0123456789_-./:=+@~%"

/* The one leaf of a tree of dotted keys. */
static bench_toml *leaf_of(bench_toml *root) {
  bench_toml *node = root;
  while (node->kind == BENCH_TOML_TABLE && node->count == 1) {
    node = &node->item[0];
  }
  return node;
}

/* Reads "KEY=0" and puts the word in the place of the 0. */
static bench_code read_word(config_reader *reader, const config_source *source, int origin,
                            size_t value_at, bench_toml *root) {
  char *text = malloc(value_at + 2);
  char *word = strdup(source->text + value_at);
  if (text == NULL || word == NULL) {
    free(text);
    free(word);
    return config_no_memory(reader);
  }
  memcpy(text, source->text, value_at);
  memcpy(text + value_at, "0", 2);
  bench_toml_fault ignored;
  bench_code code = bench_toml_parse(text, value_at + 1, origin, root, &ignored);
  free(text);
  if (code != BENCH_OK) {
    free(word);
    return code;
  }
  bench_toml *leaf = leaf_of(root);
  leaf->kind = BENCH_TOML_STRING;
  leaf->string = word;
  leaf->string_bytes = strlen(word);
  return BENCH_OK;
}

bench_code config_read_set(config_reader *reader, int origin, bench_toml *root) {
  const config_source *source = &reader->sources[origin];
  const char *text = source->text;
  bench_code code = config_check_characters(reader, origin);
  if (code != BENCH_OK) {
    return code;
  }
  if (strchr(text, '\n') != NULL) {
    return config_fault_at(reader, origin, 1, (int)strcspn(text, "\n") + 1, "--set takes one line");
  }
  size_t key_bytes = strspn(text, KEY_CHARACTERS);
  if (key_bytes == 0 || text[key_bytes] != '=') {
    return config_fault_at(reader, origin, 1, (int)key_bytes + 1,
                           "--set takes KEY=VALUE with a dotted key, as in sweep.name=x");
  }
  size_t value_at = key_bytes + 1;
  size_t word_bytes = strspn(text + value_at, WORD_CHARACTERS);
  if (word_bytes > 0 && text[value_at + word_bytes] == '\0') {
    bench_toml_fault ignored;
    bench_toml probe;
    code = bench_toml_parse(text, source->bytes, origin, &probe, &ignored);
    if (code == BENCH_OK) {
      bench_toml_free(&probe);
    } else if (code == BENCH_ERR_USAGE &&
               read_word(reader, source, origin, value_at, root) == BENCH_OK) {
      return BENCH_OK;
    }
  }
  return config_read_text(reader, origin, root);
}
