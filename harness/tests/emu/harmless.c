#include "harmless.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 256

/* Without what stands around it. */
static void trim(char *text) {
  size_t begin = strspn(text, " \t");
  size_t length = strlen(text + begin);
  memmove(text, text + begin, length + 1);
  while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
    text[--length] = '\0';
  }
}

static void take_field(harmless_entry *entry, const char *line, const char *path) {
  const struct {
    const char *name;
    char *to;
    size_t bytes;
  } fields[] = {{"file: ", entry->file, sizeof entry->file},
                {"operation: ", entry->operation, sizeof entry->operation},
                {"after: ", entry->after, sizeof entry->after},
                {"line: ", entry->line, sizeof entry->line},
                {"reason: ", entry->reason, sizeof entry->reason}};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    const size_t length = strlen(fields[i].name);
    if (strncmp(line, fields[i].name, length) == 0 && fields[i].to[0] == '\0' &&
        strlen(line + length) < fields[i].bytes) {
      memcpy(fields[i].to, line + length, strlen(line + length) + 1);
      return;
    }
  }
  fprintf(stderr, "%s: not a field of an entry, or a second one: %s\n", path, line);
  exit(2);
}

static void end_entry(harmless_list *list, const char *path) {
  const harmless_entry *entry = &list->entries[list->count];
  if (entry->file[0] == '\0') {
    return;
  }
  if (entry->operation[0] == '\0' || entry->line[0] == '\0' || entry->reason[0] == '\0' ||
      list->count + 1 == ENTRIES_MAX) {
    fprintf(stderr, "%s: an entry of %s lacks a field, or there are too many\n", path, entry->file);
    exit(2);
  }
  list->count++;
}

harmless_list harmless_read(const char *path) {
  harmless_list list = {.entries = calloc(ENTRIES_MAX, sizeof *list.entries)};
  FILE *file = fopen(path, "r");
  if (file == NULL || list.entries == NULL) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(2);
  }
  char line[1024];
  while (fgets(line, sizeof line, file) != NULL) {
    trim(line);
    if (line[0] == '\0') {
      end_entry(&list, path);
    } else if (line[0] != '#') {
      take_field(&list.entries[list.count], line, path);
    }
  }
  end_entry(&list, path);
  fclose(file);
  return list;
}

void harmless_free(harmless_list *list) {
  free(list->entries);
  *list = (harmless_list){0};
}

/* The site's source line and the last one before it that is not empty. */
static bool read_source(const emu_site *site, char after[256], char text[256]) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", BENCH_SOURCE_DIR, site->file);
  FILE *file = fopen(site->file[0] == '/' ? site->file : path, "r");
  char line[1024];
  after[0] = '\0';
  text[0] = '\0';
  for (int n = 1; file != NULL && n <= site->line && fgets(line, sizeof line, file) != NULL; n++) {
    trim(line);
    if (n == site->line) {
      snprintf(text, 256, "%.255s", line);
    } else if (line[0] != '\0') {
      snprintf(after, 256, "%.255s", line);
    }
  }
  if (file != NULL) {
    fclose(file);
  }
  return text[0] != '\0';
}

harmless_entry *harmless_find(const harmless_list *list, const emu_site *site, char text[256]) {
  char after[256];
  if (!read_source(site, after, text)) {
    return NULL;
  }
  for (size_t i = 0; i < list->count; i++) {
    harmless_entry *entry = &list->entries[i];
    if (strcmp(entry->file, site->file) == 0 && strcmp(entry->operation, site->operation) == 0 &&
        strcmp(entry->line, text) == 0 && strcmp(entry->after, after) == 0) {
      return entry;
    }
  }
  return NULL;
}
