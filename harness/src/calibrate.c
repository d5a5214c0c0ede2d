/* The roofs of a device, measured: the shortest of many repetitions, for a roof is what can be
 * reached. Inputs are random: zeros draw less power and run faster. */
#include <math.h>
#include <stdlib.h>

#include "bench/input.h"
#include "bench/roofs.h"
#include "platform/proc.h"

#define ROOF_S 0.7 /* spent on each */
#define REPEATS_MIN 3
#define REPEATS_MAX 1000
#define GEMM_EDGE_HOST 2048 /* of the matrices: long enough to reach full speed */
#define GEMM_EDGE_DEVICE 8192
#define SEED 20
/* So much that what a cache keeps of a stream, or a launch's microseconds, are next to nothing. */
#define MEMORY_BYTES_HOST ((size_t)1 << 28)
#define MEMORY_BYTES_DEVICE ((size_t)1 << 30)
#define LLC_PASSES 16

typedef struct calibration {
  const bench_backend *backend;
  bench_context *context;
  bench_gemm gemm;
  bench_traffic kind;
  void *to;
  void *from;
  size_t bytes;
  int passes;
  double flops; /* of multiply-adds */
} calibration;

typedef bench_code launch_fn(calibration *c, bench_error *error);

static bench_code launch_gemm(calibration *c, bench_error *error) {
  return c->backend->gemm(c->context, &c->gemm, error);
}

static bench_code launch_traffic(calibration *c, bench_error *error) {
  return c->backend->traffic(c->context, c->kind, c->to, c->from, c->bytes, c->passes, error);
}

static bench_code launch_multiply_add(calibration *c, bench_error *error) {
  return c->backend->multiply_add(c->context, &c->flops, error);
}

/* The shortest time, after one launch that opens libraries and touches memory. */
static bench_code shortest(calibration *c, launch_fn *launch, double *time_ns, bench_error *error) {
  bench_code code = launch(c, error);
  if (code == BENCH_OK) {
    code = c->backend->sync(c->context, error);
  }
  const double end_s = bench_proc_monotonic_s() + ROOF_S;
  *time_ns = INFINITY;
  for (int i = 0;
       code == BENCH_OK && i < REPEATS_MAX && (i < REPEATS_MIN || bench_proc_monotonic_s() < end_s);
       i++) {
    double taken_ns = NAN;
    code = c->backend->timer_start(c->context, error);
    if (code == BENCH_OK) {
      code = launch(c, error);
    }
    if (code == BENCH_OK) {
      code = c->backend->timer_stop(c->context, &taken_ns, error);
    }
    *time_ns = fmin(*time_ns, taken_ns);
  }
  return code;
}

/* Random matrices A and B, and room for C. */
static bench_code gemm_rate(calibration *c, bench_dtype dtype, double *tflops, bench_error *error) {
  const int64_t edge = c->backend->host_memory ? GEMM_EDGE_HOST : GEMM_EDGE_DEVICE;
  const size_t bytes = (size_t)(edge * edge) * bench_dtype_bytes(dtype);
  void *matrices[3] = {NULL, NULL, NULL};
  void *host = malloc(bytes);
  bench_code code = host != NULL
                        ? BENCH_OK
                        : bench_fail(error, BENCH_ERR_NOMEM, "no memory for a matrix to multiply");
  for (int i = 0; code == BENCH_OK && i < 3; i++) {
    code = c->backend->alloc(c->context, bytes, &matrices[i], error);
    if (code == BENCH_OK && i < 2) {
      bench_input_fill(BENCH_INPUT_NORMAL, SEED, i, BENCH_TENSOR_Q, dtype, host, edge * edge);
      code = c->backend->upload(c->context, matrices[i], host, bytes, error);
    }
  }
  c->gemm = (bench_gemm){.dtype = dtype,
                         .c_dtype = dtype,
                         .m = edge,
                         .n = edge,
                         .k = edge,
                         .pieces = 1,
                         .count = 1,
                         .a = matrices[0],
                         .b = matrices[1],
                         .c = matrices[2],
                         .lda = edge,
                         .ldb = edge,
                         .ldc = edge,
                         .alpha = 1.0f};
  double time_ns = NAN;
  if (code == BENCH_OK) {
    code = shortest(c, launch_gemm, &time_ns, error);
  }
  if (code == BENCH_OK) {
    *tflops = 2.0 * (double)edge * (double)edge * (double)edge / time_ns / 1e3;
  }
  for (int i = 0; i < 3; i++) {
    c->backend->free(c->context, matrices[i]);
  }
  free(host);
  return code;
}

static bench_code multiply_add_rate(calibration *c, double *tflops, bench_error *error) {
  double time_ns = NAN;
  bench_code code = shortest(c, launch_multiply_add, &time_ns, error);
  if (code == BENCH_OK) {
    *tflops = c->flops / time_ns / 1e3;
  }
  return code;
}

static bench_code traffic_rate(calibration *c, bench_traffic kind, size_t bytes, int passes,
                               double *gb_per_s, bench_error *error) {
  double time_ns = NAN;
  c->kind = kind;
  c->bytes = bytes;
  c->passes = passes;
  bench_code code = shortest(c, launch_traffic, &time_ns, error);
  if (code == BENCH_OK) {
    *gb_per_s = (kind == BENCH_TRAFFIC_COPY ? 2.0 : 1.0) * (double)bytes * passes / time_ns;
  }
  return code;
}

static bench_code measure_traffic(calibration *c, bench_roofs *out, bench_error *error) {
  const size_t llc = (size_t)bench_llc_bytes(c->backend->device(c->context)) / 256 * 256;
  const size_t least = c->backend->host_memory ? MEMORY_BYTES_HOST : MEMORY_BYTES_DEVICE;
  const size_t large = 2 * llc > least ? 2 * llc : least;
  const struct {
    bench_traffic kind;
    size_t bytes;
    int passes;
    double *gb_per_s;
  } table[] = {
      {BENCH_TRAFFIC_READ, large, 1, &out->read_gb_per_s},
      {BENCH_TRAFFIC_WRITE, large, 1, &out->write_gb_per_s},
      {BENCH_TRAFFIC_COPY, large, 1, &out->copy_gb_per_s},
      {BENCH_TRAFFIC_READ, llc / 4, LLC_PASSES, &out->llc_read_gb_per_s},
  };
  bench_code code = c->backend->alloc(c->context, large, &c->from, error);
  if (code == BENCH_OK) {
    code = c->backend->alloc(c->context, large, &c->to, error);
  }
  for (size_t i = 0; code == BENCH_OK && i < sizeof table / sizeof table[0]; i++) {
    code =
        traffic_rate(c, table[i].kind, table[i].bytes, table[i].passes, table[i].gb_per_s, error);
  }
  c->backend->free(c->context, c->to);
  c->backend->free(c->context, c->from);
  return code;
}

bench_code bench_roofs_measure(const bench_backend *backend, bench_context *context,
                               bench_roofs *out, bench_error *error) {
  calibration c = {.backend = backend, .context = context};
  const struct {
    bench_dtype dtype;
    double *tflops;
  } gemms[] = {{BENCH_FP32, &out->gemm_fp32_tflops},
               {BENCH_FP16, &out->gemm_fp16_tflops},
               {BENCH_BF16, &out->gemm_bf16_tflops}};
  bench_code code = BENCH_OK;
#define ROOF(name, unit, help) out->name = NAN;
  BENCH_ROOFS(ROOF)
#undef ROOF
  if (backend->multiply_add != NULL) {
    code = multiply_add_rate(&c, &out->fma_fp32_tflops, error);
  }
  for (size_t i = 0; code == BENCH_OK && backend->gemm_why_not() == NULL && i < 3; i++) {
    code = gemm_rate(&c, gemms[i].dtype, gemms[i].tflops, error);
  }
  if (code == BENCH_OK && backend->clock_mhz != NULL) { /* hot from the matrix products */
    code = backend->clock_mhz(context, &out->sustained_clock_mhz, error);
  }
  return code == BENCH_OK && backend->traffic != NULL ? measure_traffic(&c, out, error) : code;
}
