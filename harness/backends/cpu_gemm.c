/* bench_gemm on the CPU.
 *
 * Entries that share A are one product with their columns side by side. It is cut into tiles of C,
 * small enough to give every thread some, and a thread takes a tile at a time, a slice of its depth
 * after another: it widens the slice of B once, then goes down the rows a chunk at a time. What is
 * float already is multiplied where it stands. The sums of a tile stay in float until its last
 * slice. */
#include "backends/cpu_gemm.h"

#include <limits.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/blas.h"
#include "cpu/convert.h"

enum {
  TILE_ROWS = 1024,
  TILE_COLUMNS = 512,
  CHUNK_ROWS = 256,
  SLICE = 512,
  TILE_EDGE_MIN = 16,   /* narrower ones are no longer worth a call of sgemm */
  TILES_PER_THREAD = 4, /* so that the last ones do not keep one thread alone at work for long */
};

typedef struct plan {
  const bench_gemm *gemm;
  int64_t shared; /* entries of a product */
  int64_t width;  /* its columns */
  int64_t depth;  /* pieces * k */
  int64_t rows;   /* of a tile */
  int64_t columns;
  int64_t row_tiles;
  int64_t column_tiles;
  int64_t tiles;       /* of all products */
  bool b_side_by_side; /* columns of neighbouring entries are neighbours in B */
  size_t b_floats;     /* scratch of one thread: a slice of B, */
  size_t a_floats;     /* a chunk of A, */
  size_t c_floats;     /* a tile of C */
} plan;

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static void cut(plan *p, int64_t m, int threads) {
  p->rows = least(m, TILE_ROWS);
  p->columns = least(p->width, TILE_COLUMNS);
  for (;;) {
    p->row_tiles = divide_up(m, p->rows);
    p->column_tiles = divide_up(p->width, p->columns);
    p->tiles = p->gemm->count / p->shared * p->row_tiles * p->column_tiles;
    int64_t *longer = p->rows > p->columns ? &p->rows : &p->columns;
    if (p->tiles >= (int64_t)TILES_PER_THREAD * threads || *longer <= TILE_EDGE_MIN) {
      return;
    }
    *longer = divide_up(*longer / 2, TILE_EDGE_MIN) * TILE_EDGE_MIN;
  }
}

static plan plan_of(const bench_gemm *gemm, int threads) {
  plan p = {.gemm = gemm,
            .shared = gemm->stride_a == 0 ? gemm->count : 1,
            .depth = gemm->pieces * gemm->k};
  p.width = p.shared * gemm->n;
  p.b_side_by_side = gemm->transpose_b ? gemm->stride_b == gemm->n * gemm->ldb
                                       : gemm->stride_b == gemm->n && gemm->ldb >= p.width;
  cut(&p, gemm->m, threads);
  const bool fp32 = gemm->dtype == BENCH_FP32;
  const bool one_entry = p.shared == 1;
  const int64_t slice = least(p.depth, SLICE);
  if (!fp32 || !(one_entry || p.b_side_by_side)) {
    p.b_floats = (size_t)(slice * p.columns);
  }
  if (!fp32 || gemm->pieces > 1) {
    p.a_floats = (size_t)(least(p.rows, CHUNK_ROWS) * slice);
  }
  if (gemm->c_dtype != BENCH_FP32 || !one_entry) {
    p.c_floats = (size_t)(p.rows * p.columns);
  }
  return p;
}

/* Whole cache lines. */
static size_t thread_floats(const plan *p) {
  return (p->b_floats + p->a_floats + p->c_floats + 31) / 32 * 32;
}

size_t bench_cpu_gemm_bytes(const bench_gemm *gemm, int threads) {
  const plan p = plan_of(gemm, threads);
  return (size_t)threads * thread_floats(&p) * sizeof(float);
}

/* Elements as floats in `to`. */
static void widen(bench_dtype dtype, const void *tensor, int64_t first, int64_t count, float *to) {
  const float *from = convert_load(dtype, tensor, first, count, to);
  if (from != to) {
    memcpy(to, from, (size_t)count * sizeof *to);
  }
}

/* A part of the product: of the tile at `row` and `column`, or of a slice or chunk of it. */
typedef struct part {
  int64_t entry; /* the first of the product's */
  int64_t row, rows;
  int64_t column, columns;
  int64_t first, depth; /* the slice */
} part;

/* How many of the columns from `column` on stand side by side in one entry. */
static int64_t run_of(const plan *p, int64_t column, int64_t end) {
  return least(p->gemm->n - column % p->gemm->n, end - column);
}

/* The slice of op(B) and how far its rows are apart: where they stand, or in `to`. */
static const float *slice_of_b(const plan *p, const part *of, float *to, int64_t *ld) {
  const bench_gemm *gemm = p->gemm;
  const int64_t end = of->column + of->columns;
  if (p->b_floats == 0) {
    const int64_t entry = of->entry + of->column / gemm->n;
    const int64_t column = of->column % gemm->n;
    *ld = gemm->ldb;
    return (const float *)gemm->b + entry * gemm->stride_b +
           (gemm->transpose_b ? column * gemm->ldb + of->first : of->first * gemm->ldb + column);
  }
  *ld = gemm->transpose_b ? of->depth : of->columns;
  for (int64_t at = of->column; at < end;) {
    const int64_t run = p->b_side_by_side ? end - at : run_of(p, at, end);
    const int64_t from = (of->entry + at / gemm->n) * gemm->stride_b;
    const int64_t column = at % gemm->n;
    if (gemm->transpose_b) {
      for (int64_t c = 0; c < run; c++) {
        widen(gemm->dtype, gemm->b, from + (column + c) * gemm->ldb + of->first, of->depth,
              to + (at - of->column + c) * of->depth);
      }
    } else {
      for (int64_t k = 0; k < of->depth; k++) {
        widen(gemm->dtype, gemm->b, from + (of->first + k) * gemm->ldb + column, run,
              to + k * of->columns + (at - of->column));
      }
    }
    at += run;
  }
  return to;
}

/* The chunk of A, likewise; pieces stand side by side in `to`. */
static const float *chunk_of_a(const plan *p, const part *of, float *to, int64_t *ld) {
  const bench_gemm *gemm = p->gemm;
  const int64_t from = of->entry * gemm->stride_a + of->row * gemm->lda;
  if (p->a_floats == 0) {
    *ld = gemm->lda;
    return (const float *)gemm->a + from + of->first;
  }
  *ld = of->depth;
  for (int64_t r = 0; r < of->rows; r++) {
    for (int64_t at = of->first; at < of->first + of->depth;) {
      const int64_t run = least(gemm->k - at % gemm->k, of->first + of->depth - at);
      widen(gemm->dtype, gemm->a,
            from + r * gemm->lda + at / gemm->k * gemm->stride_piece + at % gemm->k, run,
            to + r * of->depth + (at - of->first));
      at += run;
    }
  }
  return to;
}

static int64_t index_of_c(const plan *p, const part *of, int64_t row, int64_t column) {
  const bench_gemm *gemm = p->gemm;
  return (of->entry + column / gemm->n) * gemm->stride_c + row * gemm->ldc + column % gemm->n;
}

/* The sums of a tile, rounded, or with `load` what stands in C as floats. */
static void move_tile(const plan *p, const part *of, float *sums, bool load) {
  const bench_gemm *gemm = p->gemm;
  const int64_t end = of->column + of->columns;
  for (int64_t r = 0; r < of->rows; r++) {
    float *row = sums + r * of->columns;
    for (int64_t at = of->column; at < end;) {
      const int64_t run = run_of(p, at, end);
      const int64_t index = index_of_c(p, of, of->row + r, at);
      if (load) {
        widen(gemm->c_dtype, gemm->c, index, run, row + (at - of->column));
      } else {
        convert_store(gemm->c_dtype, row + (at - of->column), run, gemm->c, index);
      }
      at += run;
    }
  }
}

static void run_tile(const plan *p, part tile, float *scratch) {
  const bench_gemm *gemm = p->gemm;
  float *const b_scratch = scratch;
  float *const a_scratch = b_scratch + p->b_floats;
  const bool apart = p->c_floats > 0;
  float *c = apart ? a_scratch + p->a_floats
                   : (float *)gemm->c + index_of_c(p, &tile, tile.row, tile.column);
  const int64_t ldc = apart ? tile.columns : gemm->ldc;
  if (apart && gemm->beta != 0) {
    move_tile(p, &tile, c, true);
  }
  part now = tile;
  for (now.first = 0; now.first < p->depth; now.first += SLICE) {
    int64_t lda;
    int64_t ldb;
    now.depth = least(p->depth - now.first, SLICE);
    const float *b = slice_of_b(p, &now, b_scratch, &ldb);
    for (int64_t done = 0; done < tile.rows; done += CHUNK_ROWS) {
      now.row = tile.row + done;
      now.rows = least(tile.rows - done, CHUNK_ROWS);
      const float *a = chunk_of_a(p, &now, a_scratch, &lda);
      bench_blas_sgemm()(BENCH_BLAS_ROW_MAJOR, BENCH_BLAS_PLAIN,
                         gemm->transpose_b ? BENCH_BLAS_TRANSPOSED : BENCH_BLAS_PLAIN,
                         (int)now.rows, (int)now.columns, (int)now.depth, gemm->alpha, a, (int)lda,
                         b, (int)ldb, now.first == 0 ? gemm->beta : 1.0f, c + done * ldc, (int)ldc);
    }
  }
  if (apart) {
    move_tile(p, &tile, c, false);
  }
}

static part tile_at(const plan *p, int64_t tile) {
  part at = {.row = tile % p->row_tiles * p->rows,
             .column = tile / p->row_tiles % p->column_tiles * p->columns,
             .entry = tile / p->row_tiles / p->column_tiles * p->shared};
  at.rows = least(p->gemm->m - at.row, p->rows);
  at.columns = least(p->width - at.column, p->columns);
  return at;
}

/* Takes the scratch now, and not in a timed region. */
static bench_code take_scratch(bench_cpu_gemm_scratch *scratch, size_t bytes, bench_error *error) {
  if (scratch->bytes >= bytes) {
    return BENCH_OK;
  }
  bench_cpu_gemm_free(scratch);
  scratch->memory = aligned_alloc(128, bytes);
  if (scratch->memory == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for a matrix product");
  }
  memset(scratch->memory, 0, bytes);
  scratch->bytes = bytes;
  return BENCH_OK;
}

bench_code bench_cpu_gemm(const bench_gemm *gemm, int threads, bench_cpu_gemm_scratch *scratch,
                          bench_error *error) {
  const plan p = plan_of(gemm, threads);
  if (bench_blas_sgemm() == NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "OpenBLAS (libopenblas.so.0) is not installed");
  }
  if (gemm->lda > INT_MAX || gemm->ldb > INT_MAX || gemm->ldc > INT_MAX) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "OpenBLAS takes rows of at most 2^31 elements");
  }
  const bench_code code = take_scratch(scratch, bench_cpu_gemm_bytes(gemm, threads), error);
  if (code != BENCH_OK) {
    return code;
  }
#pragma omp parallel num_threads(threads)
  {
    const size_t own = (size_t)omp_get_thread_num() * thread_floats(&p);
#pragma omp for schedule(dynamic)
    for (int64_t tile = 0; tile < p.tiles; tile++) {
      run_tile(&p, tile_at(&p, tile), own > 0 ? scratch->memory + own : scratch->memory);
    }
  }
  return BENCH_OK;
}

void bench_cpu_gemm_free(bench_cpu_gemm_scratch *scratch) {
  free(scratch->memory);
  *scratch = (bench_cpu_gemm_scratch){0};
}
