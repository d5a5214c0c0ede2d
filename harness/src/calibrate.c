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

typedef struct calibration {
  const bench_backend *backend;
  bench_context *context;
  bench_gemm gemm;
  bench_traffic kind;
  void *to;
  void *from;
  size_t bytes;
} calibration;

typedef bench_code launch_fn(calibration *c, bench_error *error);

static bench_code launch_gemm(calibration *c, bench_error *error) {
  return c->backend->gemm(c->context, &c->gemm, error);
}

static bench_code launch_traffic(calibration *c, bench_error *error) {
  return c->backend->traffic(c->context, c->kind, c->to, c->from, c->bytes, error);
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

static bench_code traffic_rate(calibration *c, bench_traffic kind, size_t bytes, double *gb_per_s,
                               bench_error *error) {
  double time_ns = NAN;
  c->kind = kind;
  c->bytes = bytes;
  bench_code code = shortest(c, launch_traffic, &time_ns, error);
  if (code == BENCH_OK) {
    *gb_per_s = (kind == BENCH_TRAFFIC_COPY ? 2.0 : 1.0) * (double)bytes / time_ns;
  }
  return code;
}

static bench_code measure_traffic(calibration *c, bench_roofs *out, bench_error *error) {
  const int64_t told = c->backend->device(c->context)->llc_bytes;
  const size_t llc = (size_t)(told > 0 ? told : BENCH_LLC_PRESUMED_BYTES) / 128 * 128;
  const size_t large = 2 * llc;
  bench_code code = c->backend->alloc(c->context, large, &c->from, error);
  if (code == BENCH_OK) {
    code = c->backend->alloc(c->context, large, &c->to, error);
  }
  if (code == BENCH_OK) {
    code = traffic_rate(c, BENCH_TRAFFIC_READ, large, &out->read_gb_per_s, error);
  }
  if (code == BENCH_OK) {
    code = traffic_rate(c, BENCH_TRAFFIC_WRITE, large, &out->write_gb_per_s, error);
  }
  if (code == BENCH_OK) {
    code = traffic_rate(c, BENCH_TRAFFIC_COPY, large, &out->copy_gb_per_s, error);
  }
  if (code == BENCH_OK) {
    code = traffic_rate(c, BENCH_TRAFFIC_READ, llc / 2, &out->llc_read_gb_per_s, error);
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
  for (size_t i = 0; code == BENCH_OK && backend->gemm_why_not() == NULL && i < 3; i++) {
    code = gemm_rate(&c, gemms[i].dtype, gemms[i].tflops, error);
  }
  if (code == BENCH_OK && backend->clock_mhz != NULL) { /* hot from the matrix products */
    code = backend->clock_mhz(context, &out->sustained_clock_mhz, error);
  }
  return code == BENCH_OK && backend->traffic != NULL ? measure_traffic(&c, out, error) : code;
}
