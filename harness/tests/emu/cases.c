#include "cases.h"

#include <assert.h>
#include <string.h>

#include "bench/backend.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

typedef struct shape {
  int64_t batch, heads_q, heads_kv, head_dim, seq_q, seq_kv;
} shape;

/* Tiles are 64 or 128 rows and 32 to 128 keys, so 65 and 129 leave one over, and 300 goes round a
 * pipeline of three or four stages more than once. With the device's four multiprocessors the
 * larger ones give a block that lasts several tiles. */
static const shape shapes[] = {
    {1, 1, 1, 64, 1, 1},      /* one token */
    {1, 2, 1, 32, 5, 3},      /* less than a tile, rows that see nothing */
    {2, 1, 1, 64, 63, 63},    /* one row short of a tile */
    {1, 1, 1, 128, 64, 64},   /* a tile */
    {1, 2, 2, 64, 65, 65},    /* and one row more */
    {1, 4, 1, 128, 100, 100}, /* one key head for all */
    {1, 1, 1, 80, 129, 129},  /* a head dim that is no power of two */
    {1, 2, 1, 64, 17, 200},   /* fewer rows than keys */
    {1, 1, 1, 96, 200, 17},   /* more rows than keys: most see nothing */
    {1, 4, 2, 64, 1, 300},    /* one row against many keys */
    {2, 6, 3, 32, 4, 333},    /* a few rows, groups of two heads */
    {1, 1, 1, 256, 131, 131}, /* the widest head */
    {1, 2, 1, 64, 300, 300},  /* several tiles both ways */
    {2, 4, 4, 64, 140, 260},  /* more tiles than multiprocessors */
    {1, 1, 1, 128, 257, 520}, /* a long pipeline */
    {1, 4, 1, 128, 2, 470},   /* a past that is split, read once for four heads */
    {8, 1, 1, 128, 1, 520},   /* one that is not, of many sequences */
    {1, 10, 1, 96, 7, 270},   /* more rows to a key head than a tile of them */
    {1, 5, 1, 256, 7, 260},   /* and of the widest head */
    {1, 2, 1, 64, 3, 1100},   /* the longest past */
};

/* Shapes of CASES_FEW and CASES_PROBE, by their place above. */
static const size_t few[] = {4, 7, 12, 15};

static const char *const masks[] = {
    "full",
    "causal",
    "window:1",
    "window:40",
    "window:64:both",
    "sink:4+window:30",
    "block:density=0.5:size=16",
    "block:density=0.4:size=64",
    "block:density=0.6:size=128:layout=skewed",
    "strided:7",
    "bigbird:window=1:global=1:random=1:size=32",
    "topk:blocks=2:size=64",
    "hybrid:causal/window:24@heads=1-1",
    "block:density=0.5:size=96",
};

typedef struct probe {
  size_t shape;
  size_t mask;
} probe;
static const probe probes[] = {{12, 3}, {7, 5},  {4, 7},  {12, 13}, {10, 0},
                               {8, 2},  {15, 1}, {17, 0}, {17, 1},  {12, 7}};

/* Behind shapes x masks: causal and full on two ragged shapes, many rows and few, for each of
 * these. */
static const int64_t head_dims[] = {32, 40, 48, 64, 72, 80, 96, 112, 128, 160, 192, 224, 256};
static const char *const head_dim_masks[] = {"causal", "full"};
static const shape head_dim_shapes[] = {{1, 2, 1, 0, 70, 133}, {1, 2, 1, 0, 3, 270}};

static const bench_dtype dtypes[] = {BENCH_BF16, BENCH_FP16, BENCH_FP32};

size_t case_count(case_set set) {
  switch (set) {
    case CASES_ALL:
      return COUNT(shapes) * COUNT(masks) +
             COUNT(head_dim_shapes) * COUNT(head_dims) * COUNT(head_dim_masks);
    case CASES_FEW:
      return COUNT(few) * COUNT(masks);
    default:
      return COUNT(probes);
  }
}

static void set_mask(const char *text, bench_attn *out) {
  bench_mask_choice choice;
  bench_error error;
  const bench_code code = bench_mask_parse(text, &choice, &error);
  assert(code == BENCH_OK);
  (void)code;
  bench_attn_set_mask(out, &choice);
}

static void set_shape(const shape *from, bench_attn *out) {
  out->batch = from->batch;
  out->heads_q = from->heads_q;
  out->heads_kv = from->heads_kv;
  out->head_dim = from->head_dim;
  out->seq_q = from->seq_q;
  out->seq_kv = from->seq_kv;
}

static void fill(case_set set, size_t index, bench_attn *out) {
  *out = (bench_attn){.layers = 1, .seed = index + 1};
  if (set == CASES_PROBE) {
    set_shape(&shapes[probes[index].shape], out);
    set_mask(masks[probes[index].mask], out);
  } else if (set == CASES_FEW) {
    set_shape(&shapes[few[index / COUNT(masks)]], out);
    set_mask(masks[index % COUNT(masks)], out);
  } else if (index < COUNT(shapes) * COUNT(masks)) {
    set_shape(&shapes[index / COUNT(masks)], out);
    set_mask(masks[index % COUNT(masks)], out);
  } else {
    const size_t n = index - COUNT(shapes) * COUNT(masks);
    set_shape(&head_dim_shapes[n / COUNT(head_dim_masks) / COUNT(head_dims)], out);
    out->head_dim = head_dims[n / COUNT(head_dim_masks) % COUNT(head_dims)];
    set_mask(head_dim_masks[n % COUNT(head_dim_masks)], out);
  }
}

const char *case_problem(case_set set, size_t index, const bench_kernel *kernel,
                         const bench_device *device, bench_attn *out) {
  const char *why_not = NULL;
  fill(set, index, out);
  for (size_t i = 0; i < COUNT(dtypes); i++) {
    out->dtype = dtypes[(index + i) % COUNT(dtypes)];
    const char *reason = bench_kernel_why_not(kernel, out, device);
    if (reason == NULL) {
      return NULL;
    }
    why_not = why_not == NULL ? reason : why_not;
  }
  return why_not;
}
