/* The file of harmless sites: calls that may be left out without harm, each with the reason why it
 * stands in the kernel all the same. Entries are five lines, apart by an empty one:
 *   file: kernels/cuda/naive.cu
 *   operation: sync_threads
 *   after: the source line before the call
 *   line: the call's own source line
 *   reason: a sentence
 * so that an entry follows the call when lines move. # starts a comment. */
#ifndef BENCH_TEST_EMU_HARMLESS_H
#define BENCH_TEST_EMU_HARMLESS_H

#include <stdbool.h>
#include <stddef.h>

#include "emu/emu.h"

typedef struct harmless_entry {
  char file[256];
  char operation[64];
  char after[256];
  char line[256];
  char reason[512];
  bool was_true; /* the site was left out and no one noticed */
} harmless_entry;

typedef struct harmless_list {
  harmless_entry *entries;
  size_t count;
} harmless_list;

/* Exits with 2 and a sentence where the file is not as above. */
harmless_list harmless_read(const char *path);
void harmless_free(harmless_list *list);

/* The entry for a site, by the text of its source; NULL: none. `text` gets the site's line. */
harmless_entry *harmless_find(const harmless_list *list, const emu_site *site, char text[256]);

#endif
