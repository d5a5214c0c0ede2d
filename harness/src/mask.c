/* Masks: their text forms, and the rows and counts of the simple ones.
 *
 * Every simple mask is brought into one normal form (mask_band.h), from which spans, visibility
 * and the exact number of pairs follow without a case for each kind. */
#include "bench/mask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mask_band.h"

#define COUNT_MAX (INT64_C(1) << 24) /* the longest sequence */
#define BLOCK_SIZE_MIN 8
#define BLOCK_SIZE_MAX 1024

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

static bench_code parse_count(const char *name, slice part, int64_t *out, bench_error *error) {
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
  if (value < 1) {
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
  bench_code code = parse_count("window", width, &out->window, error);
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
  bench_code code = parse_count("sink", sink, &out->sink, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (!has_window || !take_prefix(&text, "window:")) {
    return fail_part(error, "sink", sink, "must be followed by \"+window:W\"");
  }
  return parse_count("window", text, &out->window, error);
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
  bench_code code = parse_count("size", part, out, error);
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

static bench_code parse_block(slice text, bench_mask *out, bench_error *error) {
  const slice whole = text;
  bool seen[3] = {false, false, false};
  bool more = true;
  out->kind = BENCH_MASK_BLOCK;
  while (more) {
    slice part = cut(&text, ':', &more);
    slice value = part;
    bench_code code;
    int key;
    if (take_prefix(&value, "density=")) {
      key = 0;
      code = parse_density(value, &out->density, error);
    } else if (take_prefix(&value, "size=")) {
      key = 1;
      code = parse_block_size(value, &out->block, error);
    } else if (take_prefix(&value, "layout=")) {
      key = 2;
      code = parse_layout(value, &out->layout, error);
    } else {
      return fail_part(error, "block", part, "must be density=D, size=B or layout=NAME");
    }
    if (code != BENCH_OK) {
      return code;
    }
    if (seen[key]) {
      return fail_part(error, "block", part, "is given twice");
    }
    seen[key] = true;
  }
  if (!seen[0] || !seen[1]) {
    return fail_part(error, "block", whole, seen[0] ? "size=B is missing" : "density=D is missing");
  }
  return BENCH_OK;
}

bench_code bench_mask_parse(const char *text, bench_mask *out, bench_error *error) {
  bench_mask mask;
  memset(&mask, 0, sizeof mask); /* padding too: equal masks are equal bytes */
  slice rest = {text, strlen(text)};
  bench_code code = BENCH_OK;
  if (equals(rest, "full")) {
    mask.kind = BENCH_MASK_FULL;
  } else if (equals(rest, "causal")) {
    mask.kind = BENCH_MASK_CAUSAL;
  } else if (take_prefix(&rest, "window:")) {
    code = parse_window(rest, &mask, error);
  } else if (take_prefix(&rest, "sink:")) {
    code = parse_sink_window(rest, &mask, error);
  } else if (take_prefix(&rest, "block:")) {
    code = parse_block(rest, &mask, error);
  } else {
    return fail_part(error, "mask", rest,
                     "must be full, causal, window:W, window:W:both, sink:K+window:W or "
                     "block:density=D:size=B:layout=random|skewed");
  }
  if (code == BENCH_OK) {
    memcpy(out, &mask, sizeof mask);
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

void bench_mask_format(const bench_mask *mask, char text[BENCH_MASK_TEXT_MAX]) {
  char density[32];
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
    case BENCH_MASK_BLOCK:
      format_density(mask->density, density);
      snprintf(text, BENCH_MASK_TEXT_MAX, "block:density=%s:size=%" PRId64 ":layout=%s", density,
               mask->block, mask->layout == BENCH_LAYOUT_SKEWED ? "skewed" : "random");
      break;
    default:
      snprintf(text, BENCH_MASK_TEXT_MAX, "full");
  }
}

bool bench_mask_is_simple(const bench_mask *mask) {
  return mask->kind != BENCH_MASK_BLOCK;
}

static int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t clamp64(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : min64(value, high);
}

bench_band bench_mask_band(const bench_attn *attn) {
  const int64_t all = attn->seq_q + attn->seq_kv; /* no two positions are so far apart */
  const int64_t window = min64(attn->mask.window, all);
  switch (attn->mask.kind) {
    case BENCH_MASK_FULL:
      return (bench_band){all, all, 0};
    case BENCH_MASK_WINDOW:
      return (bench_band){attn->mask.both ? window - 1 : 0, window - 1, 0};
    case BENCH_MASK_SINK_WINDOW:
      return (bench_band){0, window - 1, min64(attn->mask.sink, all)};
    default:
      return (bench_band){0, all, 0};
  }
}

int bench_mask_spans(const bench_attn *attn, int64_t row, bench_span spans[2]) {
  const bench_band band = bench_mask_band(attn);
  const int64_t i = row + attn->seq_kv - attn->seq_q;
  const int64_t end = clamp64(i + band.ahead + 1, 0, attn->seq_kv);
  const int64_t begin = clamp64(i - band.behind, 0, end);
  const int64_t sink = min64(band.sink, end);
  int count = 0;
  if (begin <= sink) {
    spans[0] = (bench_span){0, end};
    return end > 0 ? 1 : 0;
  }
  if (sink > 0) {
    spans[count++] = (bench_span){0, sink};
  }
  if (begin < end) {
    spans[count++] = (bench_span){begin, end};
  }
  return count;
}

/* Sum of max(x, 0) over x in [low, high]. */
static int64_t ramp(int64_t low, int64_t high) {
  const int64_t above = high > 0 ? high * (high + 1) / 2 : 0;
  const int64_t below = low > 1 ? (low - 1) * low / 2 : 0;
  return above - below;
}

bench_code bench_mask_pairs(const bench_attn *attn, int64_t *pairs, bench_error *error) {
  if (!bench_mask_is_simple(&attn->mask)) {
    bench_blocklist list;
    bench_code code = bench_blocklist_build(attn, attn->mask.block, &list, error);
    if (code == BENCH_OK) {
      *pairs = list.pairs;
      bench_blocklist_free(&list);
    }
    return code;
  }
  /* Row i sees clamp(i + ahead + 1, 0, seq_kv) keys less the gap max(i - behind - sink, 0). */
  const bench_band band = bench_mask_band(attn);
  const int64_t first = attn->seq_kv - attn->seq_q;
  const int64_t last = attn->seq_kv - 1;
  const int64_t reach = band.ahead + 1;
  *pairs = ramp(first + reach, last + reach) -
           ramp(first + reach - attn->seq_kv, last + reach - attn->seq_kv) -
           ramp(first - band.behind - band.sink, last - band.behind - band.sink);
  return BENCH_OK;
}

bool bench_mask_visible(const bench_attn *attn, const bench_blocklist *list, int64_t row,
                        int64_t key) {
  if (!bench_mask_is_simple(&attn->mask)) {
    return bench_blocklist_visible(list, row, key);
  }
  const bench_band band = bench_mask_band(attn);
  const int64_t i = row + attn->seq_kv - attn->seq_q;
  return key >= 0 && key < attn->seq_kv && key <= i + band.ahead &&
         (key < band.sink || key >= i - band.behind);
}
