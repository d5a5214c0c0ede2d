/* The list of planted faults. */
#include "src/fault.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"crash", "abort", "hang",  "slow",
                                    "drift", "oom",   "wrong", "short"};

bench_code bench_fault_next(const char **text, bench_fault *out, bench_error *error) {
  *out = (bench_fault){0};
  if (**text == '\0') {
    return BENCH_OK;
  }
  const char *from = *text;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    size_t length = strlen(kinds[i]);
    if (strncmp(from, kinds[i], length) == 0 && from[length] == '@') {
      out->kind = kinds[i];
      from += length + 1;
      break;
    }
  }
  char *end = NULL;
  errno = 0;
  if (out->kind != NULL && isdigit((unsigned char)*from)) {
    out->number = strtoll(from, &end, 10);
  }
  if (end == NULL || errno != 0 || out->number < 1 || (*end != '\0' && *end != ',') ||
      (*end == ',' && end[1] == '\0')) {
    out->kind = NULL;
    return bench_fail(error, BENCH_ERR_USAGE,
                      BENCH_FAULT_VARIABLE
                      ": \"%.40s\" is not KIND@CASE, as in crash@7; kinds: "
                      "crash abort hang slow drift oom wrong short",
                      *text);
  }
  *text = *end == ',' ? end + 1 : end;
  return BENCH_OK;
}

const char *bench_fault_at(const char *text, int64_t number) {
  bench_fault fault = {0};
  while (text != NULL && bench_fault_next(&text, &fault, NULL) == BENCH_OK && fault.kind != NULL) {
    if (fault.number == number) {
      return fault.kind;
    }
  }
  return NULL;
}
