/* The cpu backend with a clock of the test's own: the time goes on only where the backend is made
 * to work, so that each region's place in it is known exactly. */
#ifndef BENCH_TESTS_MEASURE_DEVICE_H
#define BENCH_TESTS_MEASURE_DEVICE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/cpu.h"
#include "bench/input.h"
#include "bench/plan.h"
#include "src/work.h"

#define LAUNCH_NS 1e6
#define FLUSH_NS 3e6
#define LLC_BYTES (64 << 10)

enum {
  REGIONS_MAX = 40000,
  GRAPH_MAX = 256,
  QUEUE = 1024,
  KERNELS_OF_A_LAYER = 7,
  HEAD_DIM = 16,
  SEQ = 19
};

/* From timer_start to timer_stop. */
typedef struct region {
  int flushes; /* since the region before */
  int64_t launches;
  const void *q; /* of the first launch */
  float v[SEQ];  /* the first value of each row of its V */
  double begin_ns;
  double end_ns;
} region;

static double now_ns;
static double first_ns; /* of the first launch, beside launch_ns */
static double launch_ns;
static double upload_ns;  /* of an upload while a case is timed */
static double tensors_ns; /* of those of more than a row so far */
static double noise;      /* of a launch's time, over the time */
static bool timing;
static bool capturing;
static int64_t layers;
static int64_t held; /* launches enqueued under a hold; -1: nothing is held */
static bool expired; /* the queue was full */
static int flushes;
static const void *computed; /* Q of the last launch that was, in this region */
static uint64_t launches;
static region regions[REGIONS_MAX];
static int64_t region_count;
static bench_launch captured[GRAPH_MAX];
static int64_t captured_count;
static bench_device device;
static const bench_kernel *real;
static bench_backend backend;

double __wrap_bench_proc_monotonic_s(void);
double __wrap_bench_proc_monotonic_s(void) {
  return 1e-9 * now_ns;
}

/* A device of which nothing is known: how busy this machine is does not matter here. */
void __wrap_bench_monitor_take(bench_monitor *monitor, bench_monitor_mark *out);
void __wrap_bench_monitor_take(bench_monitor *monitor, bench_monitor_mark *out) {
  (void)monitor;
  *out = (bench_monitor_mark){.time_s = 1e-9 * now_ns, .cpu = {-1, -1}};
}

static bench_code flush_cache(bench_context *context, bench_error *error) {
  (void)context;
  (void)error;
  assert_false(timing);
  now_ns += FLUSH_NS;
  flushes++;
  return BENCH_OK;
}

static bench_code timer_start(bench_context *context, bench_error *error) {
  (void)context;
  (void)error;
  assert_in_range(region_count, 0, REGIONS_MAX - 1);
  regions[region_count] = (region){.flushes = flushes, .begin_ns = now_ns};
  flushes = 0;
  computed = NULL;
  timing = true;
  return BENCH_OK;
}

static bench_code timer_stop(bench_context *context, double *time_ns, bench_error *error) {
  region *r = &regions[region_count++];
  (void)context;
  (void)error;
  r->end_ns = now_ns;
  *time_ns = r->end_ns - r->begin_ns;
  timing = false;
  held = -1;
  return BENCH_OK;
}

static bench_code hold(bench_context *context, bench_error *error) {
  (void)context;
  (void)error;
  held = expired ? -1 : 0;
  return BENCH_OK;
}

static bool hold_expired(bench_context *context) {
  const bool was = expired;
  (void)context;
  expired = false;
  return was;
}

/* A host whose queue is full waits until the hold ends by itself. */
static void enqueue(void) {
  if (held >= 0 && (held += KERNELS_OF_A_LAYER) > QUEUE) {
    expired = true;
    held = -1;
  }
}

static bench_code upload(bench_context *context, void *to, const void *from, size_t bytes,
                         bench_error *error) {
  now_ns += region_count > 0 ? upload_ns : 0;
  tensors_ns += region_count > 0 && bytes > HEAD_DIM * sizeof(float) ? upload_ns : 0;
  return bench_backend_cpu()->upload(context, to, from, bytes, error);
}

static const bench_device *get_device(const bench_context *context) {
  (void)context;
  return &device;
}

static void look_at_values(const bench_launch *l, float v[SEQ]) {
  for (int row = 0; row < SEQ; row++) {
    v[row] = ((const float *)l->v)[row * HEAD_DIM];
  }
}

/* In most rows: single ones are others in each sample. */
static bool are_others(const float a[SEQ], const float b[SEQ]) {
  int differ = 0;
  for (int row = 0; row < SEQ; row++) {
    differ += a[row] != b[row];
  }
  return differ > 2 * SEQ / 3;
}

/* The kernel computes, so that whatever watches it is content; once in a region what it launches
 * over and over. */
static bench_code launch(const bench_launch *l) {
  if (capturing) {
    assert_in_range(captured_count, 0, GRAPH_MAX - 1);
    captured[captured_count++] = *l;
    return BENCH_OK;
  }
  enqueue();
  region *r = &regions[region_count];
  if (timing && r->launches++ == 0) {
    r->q = l->q;
    look_at_values(l, r->v);
  }
  const double drawn = (double)(bench_hash64(launches++, 0, 0) >> 11) * 0x1p-53;
  now_ns += (launches == 1 ? first_ns : 0) + launch_ns * (1 + noise * (drawn - 0.5));
  if (timing && l->q == computed) {
    return BENCH_OK;
  }
  computed = l->q;
  return real->launch(l);
}

static bench_code graph_begin(bench_context *context, bench_error *error) {
  (void)context;
  (void)error;
  capturing = true;
  return BENCH_OK;
}

static bench_code graph_end(bench_context *context, void **graph, bench_error *error) {
  (void)context;
  (void)error;
  capturing = false;
  *graph = captured;
  return BENCH_OK;
}

static bench_code graph_launch(bench_context *context, void *graph, bench_error *error) {
  (void)context;
  (void)error;
  const bench_launch *all = graph;
  for (int64_t i = 0; i < captured_count; i++) {
    float v[SEQ];
    launch(&all[i]);
    look_at_values(&all[i], v); /* new inputs are those of every copy */
    assert_false(are_others(v, regions[region_count].v));
  }
  return BENCH_OK;
}

static void graph_free(bench_context *context, void *graph) {
  (void)context;
  assert_ptr_equal(graph, captured);
}

static bench_attn problem(void) {
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = layers;
  attn.batch = attn.heads_q = attn.heads_kv = 1;
  attn.head_dim = HEAD_DIM;
  attn.seq_q = attn.seq_kv = SEQ;
  attn.dtype = BENCH_FP32;
  attn.seed = 5;
  attn.mask.kind = BENCH_MASK_CAUSAL;
  return attn;
}

static int reset(void **state) {
  (void)state;
  now_ns = 1e9;
  first_ns = 0;
  launch_ns = LAUNCH_NS;
  upload_ns = tensors_ns = 0;
  noise = 0;
  layers = 1;
  timing = capturing = expired = false;
  held = -1;
  flushes = 0;
  launches = 0;
  region_count = captured_count = 0;
  backend = *bench_backend_cpu();
  backend.flush_cache = flush_cache;
  backend.timer_start = timer_start;
  backend.timer_stop = timer_stop;
  backend.upload = upload;
  backend.clock_mhz = NULL;
  backend.device = get_device;
  return 0;
}

#endif
