/* The .npy header: "\x93NUMPY", a version, a length and a Python dictionary as text, such as
 *   {'descr': '<u2', 'fortran_order': False, 'shape': (3, 4), }
 * The reader below knows just enough of Python's literals for these three keys. */
#include "model/npy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "model/json_read.h"

typedef struct cursor {
  const char *label;
  const char *start; /* of the file: offsets in messages count from here */
  const char *at;
  const char *end;
  bench_error *error;
} cursor;

static bench_code fault(const cursor *from, const char *what) {
  return bench_fail(from->error, BENCH_ERR_USAGE, "%s: %s at byte %td of the .npy header",
                    from->label, what, from->at - from->start);
}

static void skip_spaces(cursor *from) {
  while (from->at < from->end && (*from->at == ' ' || *from->at == '\n')) {
    from->at++;
  }
}

static bool take(cursor *from, char wanted) {
  skip_spaces(from);
  bool found = from->at < from->end && *from->at == wanted;
  from->at += found ? 1 : 0;
  return found;
}

static bool take_word(cursor *from, const char *word) {
  skip_spaces(from);
  size_t length = strlen(word);
  bool found = (size_t)(from->end - from->at) >= length && memcmp(from->at, word, length) == 0;
  from->at += found ? length : 0;
  return found;
}

static bench_code take_string(cursor *from, char text[32]) {
  const char quote = take(from, '\'') ? '\'' : take(from, '"') ? '"' : '\0';
  if (quote == '\0') {
    return fault(from, "a string is expected");
  }
  size_t length = 0;
  while (from->at < from->end && *from->at != quote && *from->at != '\0' && length < 31) {
    text[length++] = *from->at++;
  }
  text[length] = '\0';
  return take(from, quote) ? BENCH_OK : fault(from, "a string does not end");
}

static bench_code take_descr(cursor *from, bench_npy *out) {
  static const struct {
    const char *name;
    int width;
    int is_signed;
  } known[] = {{"<i2", 2, 1}, {"<i4", 4, 1}, {"<i8", 8, 1}, {"|u1", 1, 0},
               {"<u1", 1, 0}, {"<u2", 2, 0}, {"<u4", 4, 0}, {"<u8", 8, 0}};
  char name[32];
  bench_code code = take_string(from, name);
  if (code != BENCH_OK) {
    return code;
  }
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (strcmp(name, known[i].name) == 0) {
      out->width = known[i].width;
      out->is_signed = known[i].is_signed;
      return BENCH_OK;
    }
  }
  return bench_fail(from->error, BENCH_ERR_USAGE,
                    "%s: dtype '%s' is not supported (little-endian i2 i4 i8 u1 u2 u4 u8)",
                    from->label, bench_quote(name).text);
}

static bench_code take_order(cursor *from) {
  if (take_word(from, "False")) {
    return BENCH_OK;
  }
  if (take_word(from, "True")) {
    return bench_fail(from->error, BENCH_ERR_USAGE,
                      "%s: Fortran order is not supported, save the array in C order", from->label);
  }
  return fault(from, "True or False is expected");
}

static bench_code take_count(cursor *from, int64_t *out) {
  skip_spaces(from);
  const char *digits = from->at;
  *out = 0;
  while (from->at < from->end && *from->at >= '0' && *from->at <= '9') {
    if (__builtin_mul_overflow(*out, 10, out) ||
        __builtin_add_overflow(*out, *from->at - '0', out)) {
      return fault(from, "a dimension exceeds 2^63");
    }
    from->at++;
  }
  return from->at > digits ? BENCH_OK : fault(from, "a dimension is expected");
}

/* "(3,)" or "(3, 4)" */
static bench_code take_shape(cursor *from, bench_npy *out) {
  int rank = 0;
  out->elements = 1;
  if (!take(from, '(')) {
    return fault(from, "a shape is expected");
  }
  for (bool more = true; more && !take(from, ')'); rank++) {
    int64_t count;
    bench_code code = take_count(from, &count);
    if (code != BENCH_OK) {
      return code;
    }
    if (__builtin_mul_overflow(out->elements, count, &out->elements)) {
      return fault(from, "the product of the shape exceeds 2^63");
    }
    if (!take(from, ',')) {
      more = false;
      if (!take(from, ')')) {
        return fault(from, "')' is expected");
      }
    }
  }
  if (rank < 1 || rank > 2) {
    return bench_fail(from->error, BENCH_ERR_USAGE,
                      "%s: an array of %d dimensions, 1 or 2 are supported", from->label, rank);
  }
  return BENCH_OK;
}

static bench_code take_dictionary(cursor *from, bench_npy *out) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  unsigned seen = 0;
  if (!take(from, '{')) {
    return fault(from, "'{' is expected");
  }
  while (!take(from, '}')) {
    char key[32];
    bench_code code = take_string(from, key);
    if (code != BENCH_OK) {
      return code;
    }
    unsigned which = 0;
    while (which < 3 && strcmp(key, keys[which]) != 0) {
      which++;
    }
    if (which == 3 || (seen & 1u << which) != 0) {
      return fault(from, which == 3 ? "an unknown key ends" : "a repeated key ends");
    }
    seen |= 1u << which;
    if (!take(from, ':')) {
      return fault(from, "':' is expected");
    }
    code = which == 0   ? take_descr(from, out)
           : which == 1 ? take_order(from)
                        : take_shape(from, out);
    if (code != BENCH_OK) {
      return code;
    }
    if (!take(from, ',') && (from->at == from->end || *from->at != '}')) {
      return fault(from, "',' or '}' is expected");
    }
  }
  return seen == 7u ? BENCH_OK : fault(from, "descr, fortran_order or shape is missing");
}

/* Version, header length and where the dictionary starts. */
static bench_code frame(const char *label, const unsigned char *bytes, size_t size, size_t *start,
                        size_t *length, bench_error *error) {
  if (size < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: not a .npy file", label);
  }
  if (bytes[6] < 1 || bytes[6] > 3) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: version %d of .npy is not supported (1 to 3)",
                      label, bytes[6]);
  }
  *start = bytes[6] == 1 ? 10 : 12;
  *length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
  if (bytes[6] > 1 && size >= 12) {
    *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  }
  if (size < *start || *length > size - *start) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: the .npy header goes beyond the end of the file",
                      label);
  }
  return BENCH_OK;
}

bench_code bench_npy_parse(const char *label, const void *bytes, size_t size, bench_npy *out,
                           bench_error *error) {
  size_t start = 0;
  size_t length = 0;
  bench_code code = frame(label, bytes, size, &start, &length, error);
  if (code != BENCH_OK) {
    return code;
  }
  const char *text = bytes;
  cursor from = {label, text, text + start, text + start + length, error};
  code = take_dictionary(&from, out);
  if (code != BENCH_OK) {
    return code;
  }
  skip_spaces(&from);
  if (from.at != from.end) {
    return fault(&from, "nothing more is expected");
  }
  out->data = start + length;
  int64_t wanted;
  if (__builtin_mul_overflow(out->elements, (int64_t)out->width, &wanted) ||
      (uint64_t)wanted != size - out->data) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: %zu bytes of data for %" PRId64 " integers of %d bytes", label,
                      size - out->data, out->elements, out->width);
  }
  return BENCH_OK;
}
