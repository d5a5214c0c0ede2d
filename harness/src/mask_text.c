/* The text forms of masks: parse and format. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/mask.h"

#define COUNT_MAX (INT64_C(1) << 24) /* the longest sequence */
#define BLOCK_SIZE_MIN 8
#define BLOCK_SIZE_MAX 1024
#define BIGBIRD_BLOCK 64 /* where the text names no size, as in the paper */

/* A piece of the text: not terminated. */
typedef struct slice {
  const char *text;
  size_t length;
} slice;

/* The part of *rest up to `separator`, which is taken off *rest; all of it if there is none. */
static slice cut(slice *rest, char separator, bool *found) {
  const char *at = memchr(rest->text, separator, rest->length);
  slice part = *rest;
  *found = at != NULL;
  if (at != NULL) {
    part.length = (size_t)(at - rest->text);
    *rest = (slice){at + 1, rest->length - part.length - 1};
  } else {
    *rest = (slice){rest->text + rest->length, 0};
  }
  return part;
}

static bool equals(slice part, const char *word) {
  return part.length == strlen(word) && memcmp(part.text, word, part.length) == 0;
}

static bool take_prefix(slice *part, const char *prefix) {
  size_t length = strlen(prefix);
  if (part->length < length || memcmp(part->text, prefix, length) != 0) {
    return false;
  }
  *part = (slice){part->text + length, part->length - length};
  return true;
}

static bench_code fail_part(bench_error *error, const char *name, slice part, const char *what) {
  return bench_fail(error, BENCH_ERR_USAGE, "%s \"%.*s\": %s", name,
                    (int)(part.length < 200 ? part.length : 200), part.text, what);
}

static bench_code parse_count(const char *name, slice part, int64_t least, int64_t *out,
                              bench_error *error) {
  int64_t value = 0;
  for (size_t i = 0; i < part.length; i++) {
    if (part.text[i] < '0' || part.text[i] > '9') {
      return fail_part(error, name, part, "not a whole number");
    }
    if (value <= COUNT_MAX) {
      value = value * 10 + (part.text[i] - '0');
    }
  }
  if (part.length == 0) {
    return fail_part(error, name, part, "a number is missing");
  }
  if (value < least) {
    return fail_part(error, name, part, "must be at least 1");
  }
  if (value > COUNT_MAX) {
    return fail_part(error, name, part, "must be at most 16777216");
  }
  *out = value;
  return BENCH_OK;
}

static bench_code parse_window(slice text, bench_mask *out, bench_error *error) {
  bool has_sides;
  slice width = cut(&text, ':', &has_sides);
  out->kind = BENCH_MASK_WINDOW;
  bench_code code = parse_count("window", width, 1, &out->window, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (has_sides && !equals(text, "both")) {
    return fail_part(error, "window sides", text, "only \"both\" may follow the width");
  }
  out->both = has_sides;
  return BENCH_OK;
}

static bench_code parse_sink_window(slice text, bench_mask *out, bench_error *error) {
  bool has_window;
  slice sink = cut(&text, '+', &has_window);
  out->kind = BENCH_MASK_SINK_WINDOW;
  bench_code code = parse_count("sink", sink, 1, &out->sink, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (!has_window || !take_prefix(&text, "window:")) {
    return fail_part(error, "sink", sink, "must be followed by \"+window:W\"");
  }
  return parse_count("window", text, 1, &out->window, error);
}

static bench_code parse_strided(slice text, bench_mask *out, bench_error *error) {
  out->kind = BENCH_MASK_STRIDED;
  return parse_count("strided", text, 1, &out->stride, error);
}

/* strtod also knows hexadecimal, infinities and leading blanks, which are no densities. */
static bench_code parse_density(slice part, double *out, bench_error *error) {
  char digits[64];
  if (part.length == 0 || part.length >= sizeof digits) {
    return fail_part(error, "density", part, "not a number");
  }
  memcpy(digits, part.text, part.length);
  digits[part.length] = '\0';
  char *end;
  *out = strtod(digits, &end);
  if (strspn(digits, "0123456789.eE+-") != part.length || end != digits + part.length) {
    return fail_part(error, "density", part, "not a number");
  }
  if (!(*out > 0.0 && *out <= 1.0)) {
    return fail_part(error, "density", part, "must be above 0 and at most 1");
  }
  return BENCH_OK;
}

static bench_code parse_block_size(slice part, int64_t *out, bench_error *error) {
  bench_code code = parse_count("size", part, 1, out, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (*out < BLOCK_SIZE_MIN || *out > BLOCK_SIZE_MAX || *out % 8 != 0) {
    return fail_part(error, "size", part, "must be a multiple of 8 from 8 to 1024");
  }
  return BENCH_OK;
}

static bench_code parse_layout(slice part, bench_block_layout *out, bench_error *error) {
  if (equals(part, "random")) {
    *out = BENCH_LAYOUT_RANDOM;
  } else if (equals(part, "skewed")) {
    *out = BENCH_LAYOUT_SKEWED;
  } else {
    return fail_part(error, "layout", part, "must be random or skewed");
  }
  return BENCH_OK;
}

/* One key=value of the masks that are given by blocks. */
typedef struct mask_key {
  const char *name;
  enum { KEY_COUNT, KEY_COUNT_OR_NONE, KEY_SIZE, KEY_DENSITY, KEY_LAYOUT } type;
  size_t at; /* of the field in bench_mask */
  bool required;
  const char *form; /* as messages name it */
} mask_key;

typedef struct mask_form {
  const char *name;
  bench_mask_kind kind;
  const char *keys_text; /* what may stand between colons */
  mask_key keys[4];      /* name NULL: no more */
} mask_form;

#define AT(field) offsetof(bench_mask, field)
static const mask_form forms[] = {
    {"block",
     BENCH_MASK_BLOCK,
     "must be density=D, size=B or layout=NAME",
     {{"density=", KEY_DENSITY, AT(density), true, "density=D"},
      {"size=", KEY_SIZE, AT(block), true, "size=B"},
      {"layout=", KEY_LAYOUT, AT(layout), false, "layout=NAME"}}},
    {"bigbird",
     BENCH_MASK_BIGBIRD,
     "must be window=W, global=G, random=R or size=B",
     {{"window=", KEY_COUNT, AT(window), true, "window=W"},
      {"global=", KEY_COUNT_OR_NONE, AT(global), true, "global=G"},
      {"random=", KEY_COUNT_OR_NONE, AT(random), true, "random=R"},
      {"size=", KEY_SIZE, AT(block), false, "size=B"}}},
    {"topk",
     BENCH_MASK_TOPK,
     "must be blocks=N or size=B",
     {{"blocks=", KEY_COUNT, AT(keep), true, "blocks=N"},
      {"size=", KEY_SIZE, AT(block), true, "size=B"}}},
};
enum { FORM_COUNT = sizeof forms / sizeof forms[0], KEYS_MAX = 4 };

static bench_code parse_key(const mask_key *key, slice value, bench_mask *out, bench_error *error) {
  char name[16];
  snprintf(name, sizeof name, "%.*s", (int)strlen(key->name) - 1, key->name);
  void *field = (char *)out + key->at;
  switch (key->type) {
    case KEY_DENSITY:
      return parse_density(value, field, error);
    case KEY_SIZE:
      return parse_block_size(value, field, error);
    case KEY_LAYOUT:
      return parse_layout(value, field, error);
    default:
      return parse_count(name, value, key->type == KEY_COUNT ? 1 : 0, field, error);
  }
}

/* The keys of a form in any order, each once. */
static bench_code parse_form(const mask_form *form, slice text, bench_mask *out,
                             bench_error *error) {
  const slice whole = text;
  bool seen[KEYS_MAX] = {false};
  bool more = true;
  out->kind = form->kind;
  while (more) {
    const slice part = cut(&text, ':', &more);
    slice value = part;
    int k = 0;
    while (k < KEYS_MAX && form->keys[k].name != NULL && !take_prefix(&value, form->keys[k].name)) {
      k++;
    }
    if (k == KEYS_MAX || form->keys[k].name == NULL) {
      return fail_part(error, form->name, part, form->keys_text);
    }
    bench_code code = parse_key(&form->keys[k], value, out, error);
    if (code != BENCH_OK) {
      return code;
    }
    if (seen[k]) {
      return fail_part(error, form->name, part, "is given twice");
    }
    seen[k] = true;
  }
  for (int k = 0; k < KEYS_MAX && form->keys[k].name != NULL; k++) {
    if (form->keys[k].required && !seen[k]) {
      char what[64];
      snprintf(what, sizeof what, "%s is missing", form->keys[k].form);
      return fail_part(error, form->name, whole, what);
    }
  }
  if (form->kind == BENCH_MASK_BIGBIRD && out->block == 0) {
    out->block = BIGBIRD_BLOCK;
  }
  return BENCH_OK;
}

/* Any mask but a hybrid. */
static bench_code parse_pure(slice text, bench_mask *out, bench_error *error) {
  if (equals(text, "full")) {
    out->kind = BENCH_MASK_FULL;
    return BENCH_OK;
  }
  if (equals(text, "causal")) {
    out->kind = BENCH_MASK_CAUSAL;
    return BENCH_OK;
  }
  slice rest = text;
  if (take_prefix(&rest, "window:")) {
    return parse_window(rest, out, error);
  }
  if (take_prefix(&rest, "sink:")) {
    return parse_sink_window(rest, out, error);
  }
  if (take_prefix(&rest, "strided:")) {
    return parse_strided(rest, out, error);
  }
  for (int f = 0; f < FORM_COUNT; f++) {
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%s:", forms[f].name);
    if (take_prefix(&rest, prefix)) {
      return parse_form(&forms[f], rest, out, error);
    }
  }
  return fail_part(error, "mask", text,
                   "must be full, causal, window:W, window:W:both, sink:K+window:W, strided:S, "
                   "block:density=D:size=B:layout=random|skewed, "
                   "bigbird:window=W:global=G:random=R, topk:blocks=N:size=B or "
                   "hybrid:MASK/MASK@heads=A-B|layers=A-B");
}

/* "heads=A-B" or "layers=A-B". */
static bench_code parse_shares(slice text, bench_mask *out, bench_error *error) {
  slice rest = text;
  bool has_second = false;
  if (take_prefix(&rest, "heads=")) {
    out->over = BENCH_HYBRID_HEADS;
  } else if (take_prefix(&rest, "layers=")) {
    out->over = BENCH_HYBRID_LAYERS;
  } else {
    return fail_part(error, "hybrid", text, "must be heads=A-B or layers=A-B");
  }
  const slice first = cut(&rest, '-', &has_second);
  if (!has_second) {
    return fail_part(error, "hybrid", text, "must name two shares, A-B");
  }
  bench_code code = parse_count("hybrid", first, 1, &out->share[0], error);
  return code == BENCH_OK ? parse_count("hybrid", rest, 1, &out->share[1], error) : code;
}

static bench_code parse_hybrid(slice text, bench_mask_choice *out, bench_error *error) {
  bool has_shares;
  bool has_second;
  slice rest = text;
  slice second = cut(&rest, '@', &has_shares);
  if (!has_shares) {
    return fail_part(error, "hybrid", text, "\"@heads=A-B\" or \"@layers=A-B\" is missing");
  }
  const slice first = cut(&second, '/', &has_second);
  if (!has_second) {
    return fail_part(error, "hybrid", first, "must name two masks, MASK/MASK");
  }
  bench_code code = parse_pure(first, &out->part[0], error);
  if (code == BENCH_OK) {
    code = parse_pure(second, &out->part[1], error);
  }
  if (code == BENCH_OK) {
    out->mask.kind = BENCH_MASK_HYBRID;
    code = parse_shares(rest, &out->mask, error);
  }
  const int64_t a = out->part[0].block;
  const int64_t b = out->part[1].block;
  if (code == BENCH_OK && out->mask.over == BENCH_HYBRID_HEADS && a > 0 && b > 0 && a != b) {
    return fail_part(error, "hybrid", text, "masks over heads must have blocks of the same size");
  }
  return code;
}

bench_code bench_mask_parse(const char *text, bench_mask_choice *out, bench_error *error) {
  bench_mask_choice choice;
  memset(&choice, 0, sizeof choice); /* padding too: equal masks are equal bytes */
  slice rest = {text, strlen(text)};
  const bench_code code = take_prefix(&rest, "hybrid:") ? parse_hybrid(rest, &choice, error)
                                                        : parse_pure(rest, &choice.mask, error);
  if (code == BENCH_OK) {
    memcpy(out, &choice, sizeof choice);
  }
  return code;
}

/* The fewest digits that strtod reads back as the same value. */
static void format_density(double density, char text[32]) {
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, density);
    if (strtod(text, NULL) == density) {
      return;
    }
  }
}

static void format_pure(const bench_mask *mask, char text[BENCH_MASK_TEXT_MAX]) {
  char number[32];
  switch (mask->kind) {
    case BENCH_MASK_CAUSAL:
      snprintf(text, BENCH_MASK_TEXT_MAX, "causal");
      break;
    case BENCH_MASK_WINDOW:
      snprintf(text, BENCH_MASK_TEXT_MAX, "window:%" PRId64 "%s", mask->window,
               mask->both ? ":both" : "");
      break;
    case BENCH_MASK_SINK_WINDOW:
      snprintf(text, BENCH_MASK_TEXT_MAX, "sink:%" PRId64 "+window:%" PRId64, mask->sink,
               mask->window);
      break;
    case BENCH_MASK_STRIDED:
      snprintf(text, BENCH_MASK_TEXT_MAX, "strided:%" PRId64, mask->stride);
      break;
    case BENCH_MASK_BLOCK:
      format_density(mask->density, number);
      snprintf(text, BENCH_MASK_TEXT_MAX, "block:density=%s:size=%" PRId64 ":layout=%s", number,
               mask->block, mask->layout == BENCH_LAYOUT_SKEWED ? "skewed" : "random");
      break;
    case BENCH_MASK_BIGBIRD:
      snprintf(number, sizeof number, ":size=%" PRId64, mask->block);
      snprintf(text, BENCH_MASK_TEXT_MAX,
               "bigbird:window=%" PRId64 ":global=%" PRId64 ":random=%" PRId64 "%s", mask->window,
               mask->global, mask->random, mask->block == BIGBIRD_BLOCK ? "" : number);
      break;
    case BENCH_MASK_TOPK:
      snprintf(text, BENCH_MASK_TEXT_MAX, "topk:blocks=%" PRId64 ":size=%" PRId64, mask->keep,
               mask->block);
      break;
    default:
      snprintf(text, BENCH_MASK_TEXT_MAX, "full");
  }
}

void bench_mask_format(const bench_mask *mask, const bench_mask part[2],
                       char text[BENCH_MASK_TEXT_MAX]) {
  if (mask->kind != BENCH_MASK_HYBRID) {
    format_pure(mask, text);
    return;
  }
  char parts[2][BENCH_MASK_TEXT_MAX];
  format_pure(&part[0], parts[0]);
  format_pure(&part[1], parts[1]);
  snprintf(text, BENCH_MASK_TEXT_MAX, "hybrid:%.96s/%.96s@%s=%" PRId64 "-%" PRId64, parts[0],
           parts[1], mask->over == BENCH_HYBRID_HEADS ? "heads" : "layers", mask->share[0],
           mask->share[1]);
}
