/* Scope block: the projections around one layer's attention, their tensors and their check. */
#include "src/block.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "src/work.h"

/* Elements of each projection that are compared: with the first or last sequence, head, row and
 * column, and anywhere. */
enum { CORNERS = 16, SEEDED_ELEMENTS = 256 };

const char *bench_block_why_not(const bench_attn *attn, const bench_backend *backend) {
  if (attn->direction != BENCH_FWD) {
    return "scope block has a forward pass only";
  }
  if (attn->seq_q > attn->seq_kv) {
    return "scope block: the projections give a key for every query, so seq_q cannot exceed seq_kv";
  }
  if (attn->input != BENCH_INPUT_NORMAL && attn->input != BENCH_INPUT_UNIFORM) {
    return "scope block: Q, K and V come from its projections, so input must be normal or uniform";
  }
  return backend->gemm_why_not();
}

static size_t bytes_of(const bench_attn *attn, int64_t elements) {
  return (size_t)elements * bench_dtype_bytes(attn->dtype);
}

/* Of the weights of `heads` heads. */
static int64_t weight_elements(const bench_attn *attn, int64_t heads) {
  return attn->d_model * heads * attn->head_dim;
}

/* One tensor from the generator, times `scale`, into backend memory. */
static bench_code fill_tensor(const bench_work *work, bench_input input, uint64_t seed,
                              int64_t layer, bench_tensor tensor, float scale, int64_t elements,
                              void *out, bench_error *error) {
  const bench_backend *backend = work->backend;
  const bench_attn *attn = &work->attn;
  const size_t bytes = bytes_of(attn, elements);
  bench_code code = BENCH_OK;
  void *host = backend->host_memory ? out : malloc(bytes);
  if (host == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no host memory for %zu bytes of weights", bytes);
  }
  bench_input_fill_scaled(input, seed, layer, tensor, scale, attn->dtype, host, elements);
  if (!backend->host_memory) {
    code = backend->upload(work->context, out, host, bytes, error);
    free(host);
  }
  return code;
}

bench_code bench_block_open(const bench_work *work, int64_t layer, bench_block *out,
                            bench_error *error) {
  const bench_attn *attn = &work->attn;
  const float in = 1.0f / sqrtf((float)attn->d_model);
  const float back = 1.0f / sqrtf((float)(attn->heads_q * attn->head_dim));
  const struct {
    bench_input input;
    bench_tensor tensor;
    float scale;
    int64_t elements;
    void **to;
  } tensors[] = {
      {attn->input, BENCH_TENSOR_X, 1.0f, bench_block_x_elements(attn), &out->x},
      {BENCH_INPUT_NORMAL, BENCH_TENSOR_WQ, in, weight_elements(attn, attn->heads_q), &out->wq},
      {BENCH_INPUT_NORMAL, BENCH_TENSOR_WK, in, weight_elements(attn, attn->heads_kv), &out->wk},
      {BENCH_INPUT_NORMAL, BENCH_TENSOR_WV, in, weight_elements(attn, attn->heads_kv), &out->wv},
      {BENCH_INPUT_NORMAL, BENCH_TENSOR_WO, back, weight_elements(attn, attn->heads_q), &out->wo},
  };
  bench_code code = bench_guarded_alloc(work->backend, work->context,
                                        (size_t)bench_block_x_elements(attn) * sizeof(float),
                                        (void **)&out->y, error);
  for (size_t i = 0; code == BENCH_OK && i < sizeof tensors / sizeof tensors[0]; i++) {
    code = work->backend->alloc(work->context, bytes_of(attn, tensors[i].elements), tensors[i].to,
                                error);
    if (code == BENCH_OK) {
      code = fill_tensor(work, tensors[i].input, attn->seed, layer, tensors[i].tensor,
                         tensors[i].scale, tensors[i].elements, *tensors[i].to, error);
    }
  }
  return code;
}

bench_code bench_block_fill(const bench_work *work, const bench_block *block, int64_t layer,
                            uint64_t seed, bench_error *error) {
  return fill_tensor(work, work->attn.input, seed, layer, BENCH_TENSOR_X, 1.0f,
                     bench_block_x_elements(&work->attn), block->x, error);
}

void bench_block_close(const bench_work *work, bench_block *block) {
  void *const owned[] = {block->x, block->wq, block->wk, block->wv, block->wo};
  for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
    work->backend->free(work->context, owned[i]);
  }
  bench_guarded_free(work->backend, work->context, block->y);
  *block = (bench_block){0};
}

/* How the tokens are dealt out to products: the rows of one are the tokens of a sequence or, where
 * there are no fewer sequences than tokens in one, a token of each. A product reads all the
 * weights, so there shall be few. */
typedef struct deal {
  bool across; /* the sequences */
  int64_t rows;
  int64_t products;
} deal;

/* `widest` is the most elements between two sequences: rows of a matrix are at most 2^31 - 1 apart
 * in every BLAS. */
static deal deal_out(const bench_attn *attn, int64_t widest) {
  const bool across = attn->batch >= attn->seq_q && widest <= INT32_MAX;
  return across ? (deal){true, attn->batch, attn->seq_q} : (deal){false, attn->seq_q, attn->batch};
}

static int64_t between_rows(const deal *d, int64_t of_sequences, int64_t of_tokens) {
  return d->across ? of_sequences : of_tokens;
}

static int64_t between_products(const deal *d, int64_t of_sequences, int64_t of_tokens) {
  return d->across ? of_tokens : of_sequences;
}

/* All heads of a product at once: X is shared between them, their weights stand side by side. */
static bench_code project_heads(const bench_work *work, const void *x, const void *weights,
                                int64_t heads, void *to, int64_t seq, bench_error *error) {
  const bench_attn *attn = &work->attn;
  const int64_t width = heads * attn->head_dim;
  const int64_t skipped = (seq - attn->seq_q) * attn->head_dim; /* rows that a cache holds */
  const int64_t x_sequence = attn->seq_q * attn->d_model;
  const deal d = deal_out(attn, x_sequence > width * seq ? x_sequence : width * seq);
  bench_code code = BENCH_OK;
  for (int64_t n = 0; code == BENCH_OK && n < d.products; n++) {
    const int64_t x_first = n * between_products(&d, x_sequence, attn->d_model);
    const int64_t to_first = n * between_products(&d, width * seq, attn->head_dim) + skipped;
    const bench_gemm gemm = {.dtype = attn->dtype,
                             .c_dtype = attn->dtype,
                             .m = d.rows,
                             .n = attn->head_dim,
                             .k = attn->d_model,
                             .pieces = 1,
                             .count = heads,
                             .a = (const char *)x + bytes_of(attn, x_first),
                             .b = weights,
                             .c = (char *)to + bytes_of(attn, to_first),
                             .lda = between_rows(&d, x_sequence, attn->d_model),
                             .ldb = width,
                             .ldc = between_rows(&d, width * seq, attn->head_dim),
                             .stride_b = attn->head_dim,
                             .stride_c = seq * attn->head_dim,
                             .alpha = 1.0f};
    code = work->backend->gemm(work->context, &gemm, error);
  }
  return code;
}

bench_code bench_block_project_in(const bench_work *work, const bench_layer *layer,
                                  bench_error *error) {
  const bench_attn *attn = &work->attn;
  const bench_block *block = &layer->block;
  bench_code code =
      project_heads(work, block->x, block->wq, attn->heads_q, layer->q, attn->seq_q, error);
  if (code == BENCH_OK) {
    code = project_heads(work, block->x, block->wk, attn->heads_kv, layer->k, attn->seq_kv, error);
  }
  if (code == BENCH_OK) {
    code = project_heads(work, block->x, block->wv, attn->heads_kv, layer->v, attn->seq_kv, error);
  }
  return code;
}

/* The heads of a token stand apart in O, unless it is the only one of its sequence. */
bench_code bench_block_project_out(const bench_work *work, const bench_layer *layer,
                                   bench_error *error) {
  const bench_attn *attn = &work->attn;
  const int64_t head = attn->seq_q * attn->head_dim;
  const int64_t o_sequence = attn->heads_q * head;
  const int64_t y_sequence = attn->seq_q * attn->d_model;
  const int64_t pieces = attn->seq_q == 1 ? 1 : attn->heads_q;
  const deal d = deal_out(attn, o_sequence > y_sequence ? o_sequence : y_sequence);
  const bench_gemm gemm = {.dtype = attn->dtype,
                           .c_dtype = BENCH_FP32,
                           .m = d.rows,
                           .n = attn->d_model,
                           .k = attn->heads_q / pieces * attn->head_dim,
                           .pieces = pieces,
                           .count = d.products,
                           .a = layer->o,
                           .b = layer->block.wo,
                           .c = layer->block.y,
                           .lda = between_rows(&d, o_sequence, attn->head_dim),
                           .ldb = attn->d_model,
                           .ldc = between_rows(&d, y_sequence, attn->d_model),
                           .stride_piece = head,
                           .stride_a = between_products(&d, o_sequence, attn->head_dim),
                           .stride_c = between_products(&d, y_sequence, attn->d_model),
                           .alpha = 1.0f};
  return work->backend->gemm(work->context, &gemm, error);
}

bench_code bench_block_poison(const bench_work *work, const bench_layer *layer,
                              bench_error *error) {
  return work->backend->fill(work->context, layer->block.y, 0xff,
                             (size_t)bench_block_x_elements(&work->attn) * sizeof(float), error);
}

bench_code bench_block_canaries(const bench_work *work, const bench_layer *layer, bool *intact,
                                bench_error *error) {
  return bench_guarded_check(work->backend, work->context, layer->block.y,
                             (size_t)bench_block_x_elements(&work->attn) * sizeof(float), intact,
                             error);
}

/* A tensor as the host sees it; `owned` is what the caller frees. */
static bench_code view(const bench_work *work, const void *tensor, size_t bytes, const void **seen,
                       void **owned, bench_error *error) {
  *owned = NULL;
  *seen = tensor;
  if (work->backend->host_memory) {
    return BENCH_OK;
  }
  *owned = malloc(bytes);
  *seen = *owned;
  return *owned == NULL
             ? bench_fail(error, BENCH_ERR_NOMEM, "no host memory to check %zu bytes", bytes)
             : work->backend->download(work->context, *owned, tensor, bytes, error);
}

static double value_at(bench_dtype dtype, const void *tensor, int64_t index) {
  float value;
  bench_to_float(dtype, (const char *)tensor + (size_t)index * bench_dtype_bytes(dtype), &value, 1);
  return (double)value;
}

/* One projection as the check sees it, by the layouts of attn.h and block.h alone:
 *   from    [batch][pieces][seq_q][depth]
 *   weights [pieces * depth][heads * columns]
 *   result  [batch][heads][seq][columns], of which the last seq_q rows are the projection's */
typedef struct projection {
  const char *name;
  const bench_attn *attn;
  const void *from, *weights, *result;
  int64_t pieces, depth, heads, columns, seq;
  bench_dtype result_dtype;
} projection;

/* Element (b, head, row, column) of a result. */
typedef struct place {
  int64_t b, head, row, column;
} place;

/* The first and the last of everything, and seeded elements. */
static place place_to_check(const projection *p, uint64_t seed, int64_t n) {
  const int64_t batch = p->attn->batch;
  const int64_t rows = p->attn->seq_q;
  if (n < CORNERS) {
    return (place){(n & 1) * (batch - 1), (n >> 1 & 1) * (p->heads - 1), (n >> 2 & 1) * (rows - 1),
                   (n >> 3 & 1) * (p->columns - 1)};
  }
  const uint64_t total = (uint64_t)(batch * p->heads * rows * p->columns);
  const int64_t index = (int64_t)(bench_hash64(seed, 0x626c6f636bu, (uint64_t)n) % total);
  return (place){index / p->columns / rows / p->heads, index / p->columns / rows % p->heads,
                 index / p->columns % rows, index % p->columns};
}

/* Is one element of the result right? A sum of n products in float, in whatever order, is off by at
 * most n u times the sum of their magnitudes, u = 2^-24. Its roundings are independent enough to
 * cancel: with a probability of at least 1 - 2 n exp(-l^2 / 2) it is off by l sqrt(n) u times that
 * at most (Higham and Mary 2019, theorem 3.1), and l = 10 leaves 1e-14 for n = 2^24. The sum is
 * then rounded to the result's type, which keeps the order of numbers. */
static bool element_is_right(const projection *p, place at, double *sum, double *got) {
  const bench_attn *attn = p->attn;
  const int64_t terms = p->pieces * p->depth;
  double magnitude = 0;
  *sum = 0;
  for (int64_t n = 0; n < terms; n++) {
    const int64_t matrix = at.b * p->pieces + n / p->depth;
    const int64_t from = (matrix * attn->seq_q + at.row) * p->depth + n % p->depth;
    const int64_t weight = (n * p->heads + at.head) * p->columns + at.column;
    const double term =
        value_at(attn->dtype, p->from, from) * value_at(attn->dtype, p->weights, weight);
    *sum += term;
    magnitude += fabs(term);
  }
  const double off = fmin((double)terms, 10 * sqrt((double)terms)) * 0x1p-24 * magnitude;
  const int64_t row = (at.b * p->heads + at.head) * p->seq + p->seq - attn->seq_q + at.row;
  *got = value_at(p->result_dtype, p->result, row * p->columns + at.column);
  return *got >= (double)bench_round_to(p->result_dtype, (float)(*sum - off)) &&
         *got <= (double)bench_round_to(p->result_dtype, (float)(*sum + off)); /* no NaN is */
}

static int64_t result_elements(const projection *p) {
  return p->attn->batch * p->heads * p->seq * p->columns;
}

static bool all_finite(const projection *p) {
  bool finite = true;
#pragma omp parallel for reduction(&& : finite)
  for (int64_t i = 0; i < result_elements(p); i++) {
    finite = finite && isfinite(value_at(p->result_dtype, p->result, i));
  }
  return finite;
}

/* Of a projection that the host can read: the first finding is told. */
static void look_at(const projection *p, uint64_t seed, int64_t layer, bench_verdict *verdict) {
  for (int64_t n = 0; n < CORNERS + SEEDED_ELEMENTS; n++) {
    double expected;
    double got;
    const place at = place_to_check(p, seed, n);
    if (!element_is_right(p, at, &expected, &got)) {
      verdict->right = false;
      snprintf(verdict->reason, sizeof verdict->reason,
               "the %s projection is %.6g, not %.6g, at layer %" PRId64 ", sequence %" PRId64
               ", head %" PRId64 ", row %" PRId64 ", column %" PRId64,
               p->name, got, expected, layer, at.b, at.head, at.row, at.column);
      return;
    }
  }
  if (!all_finite(p)) {
    verdict->right = false;
    snprintf(verdict->reason, sizeof verdict->reason,
             "the %s projection is not finite, or was not written, somewhere in layer %" PRId64,
             p->name, layer);
  }
}

static bench_code check_projection(const bench_work *work, projection p, int64_t layer,
                                   bench_verdict *verdict, bench_error *error) {
  const bench_attn *attn = p.attn;
  const int64_t terms = p.pieces * p.depth;
  const size_t from_bytes = bytes_of(attn, attn->batch * attn->seq_q * terms);
  const size_t weights_bytes = bytes_of(attn, terms * p.heads * p.columns);
  const size_t result_bytes = (size_t)result_elements(&p) * bench_dtype_bytes(p.result_dtype);
  void *owned[3] = {NULL, NULL, NULL};
  bench_code code = view(work, p.from, from_bytes, &p.from, &owned[0], error);
  if (code == BENCH_OK) {
    code = view(work, p.weights, weights_bytes, &p.weights, &owned[1], error);
  }
  if (code == BENCH_OK) {
    code = view(work, p.result, result_bytes, &p.result, &owned[2], error);
  }
  if (code == BENCH_OK && verdict->right) {
    look_at(&p, work->id, layer, verdict);
  }
  for (int i = 0; i < 3; i++) {
    free(owned[i]);
  }
  return code;
}

bench_code bench_block_verify(const bench_work *work, bench_verdict *verdict, bench_error *error) {
  const bench_attn *attn = &work->attn;
  const int64_t d = attn->head_dim;
  bench_code code = BENCH_OK;
  for (int64_t l = 0; code == BENCH_OK && verdict->right && l < work->layers_distinct; l++) {
    const bench_layer *layer = &work->layers[l];
    const bench_block *block = &layer->block;
    const projection all[] = {
        {"query", attn, block->x, block->wq, layer->q, 1, attn->d_model, attn->heads_q, d,
         attn->seq_q, attn->dtype},
        {"key", attn, block->x, block->wk, layer->k, 1, attn->d_model, attn->heads_kv, d,
         attn->seq_kv, attn->dtype},
        {"value", attn, block->x, block->wv, layer->v, 1, attn->d_model, attn->heads_kv, d,
         attn->seq_kv, attn->dtype},
        {"output", attn, layer->o, block->wo, block->y, attn->heads_q, d, 1, attn->d_model,
         attn->seq_q, BENCH_FP32},
    };
    for (size_t i = 0; code == BENCH_OK && i < sizeof all / sizeof all[0]; i++) {
      code = check_projection(work, all[i], l, verdict, error);
    }
  }
  return code;
}
