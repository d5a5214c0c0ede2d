/* Samples of one timed region: taken until the answer is good enough or the budget is spent.
 *
 * The stop rule is about the goal, not about noise: stop_rule.c. Every sample is kept. Only kernel
 * launches stand between the two ends of the clock.
 *
 * Modes. cold: the last-level cache is emptied before each sample. warm: it is not. graph: each
 * region finds its tensors in no cache, for copies of them are used in turn that fill it five times
 * over; where the backend has graphs, one graph holds a region for every copy, is launched as one,
 * and a sample is a region's share of it. sustained: at least 3 s back to back (6.5 s where energy
 * is read), of which the last half counts, when clocks have settled; a sample is of several
 * regions where they are short, so that what stands between samples is no rest. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/plan.h"
#include "bench/samples.h"
#include "platform/proc.h"
#include "src/energy.h"
#include "src/renew.h"
#include "src/watch.h"

#define MAX_SAMPLES 4096
#define MAX_SUSTAINED_SAMPLES (1 << 20)
#define MAX_COPIES 65536 /* of tensors so small that the caches hold them anyhow */
#define SUSTAINED_BATCH_S 0.01
#define MAX_BATCH (1 << 20)
#define BATCH_GROWTH 16 /* at most, from one try to the next: the first launches are slow */
/* Launches of layers that are enqueued under one hold, but for a region that has more. A layer is
 * some seven kernels at most, and a host that has enqueued about a thousand, all that CUDA's queue
 * takes in, waits for the device, which waits for the host. */
#define HELD_LAYERS 128

/* One measurement in hand. */
typedef struct measuring {
  bench_work *work;
  const bench_timing *timing;
  bench_watch watch;
  void *graph;     /* NULL: launched kernel by kernel */
  int64_t batch;   /* regions of a sample */
  int64_t regions; /* timed so far, those that do not count too */
  double busy_s;   /* that they took */
  bench_renewal renewal;
} measuring;

static bench_code launch_regions(const bench_work *work, const bench_timing *timing, int stages,
                                 int64_t batch, bench_error *error) {
  bench_code code = BENCH_OK;
  for (int64_t r = 0; code == BENCH_OK && r < batch; r++) {
    code = bench_work_launch(work, timing->kernel, timing->workspace, stages, error);
  }
  return code;
}

/* Everything that the clock must not see is done before it starts. */
static bench_code make_ready(const bench_work *work, bench_mode mode, bench_error *error) {
  const bench_backend *backend = work->backend;
  bench_code code = mode == BENCH_MODE_COLD ? backend->flush_cache(work->context, error) : BENCH_OK;
  if (code == BENCH_OK) {
    code = backend->sync(work->context, error);
  }
  if (code == BENCH_OK && backend->hold != NULL) {
    code = backend->hold(work->context, error);
  }
  return code == BENCH_OK ? backend->timer_start(work->context, error) : code;
}

static bench_code time_stages(const bench_work *work, const bench_timing *timing, int stages,
                              double *time_ns, bench_error *error) {
  bench_code code = make_ready(work, timing->mode, error);
  if (code == BENCH_OK) {
    code = launch_regions(work, timing, stages, 1, error);
  }
  return code == BENCH_OK ? work->backend->timer_stop(work->context, time_ns, error) : code;
}

/* The time of one region. */
static bench_code time_region(measuring *m, double *time_ns, bench_error *error) {
  const bench_work *work = m->work;
  const bench_backend *backend = work->backend;
  bench_code code = make_ready(work, m->timing->mode, error);
  if (code == BENCH_OK) {
    code = m->graph != NULL ? backend->graph_launch(work->context, m->graph, error)
                            : launch_regions(work, m->timing, BENCH_STAGE_ALL, m->batch, error);
  }
  if (code == BENCH_OK) {
    code = backend->timer_stop(work->context, time_ns, error);
    *time_ns /= (double)m->batch;
  }
  return code;
}

static bench_code take_sample(measuring *m, bench_measurement *out, bench_verdict *verdict,
                              bench_error *error) {
  bench_work *work = m->work;
  double *clock_mhz = &out->clock_mhz[out->count];
  *clock_mhz = NAN;
  work->set = m->graph == NULL ? m->watch.sample % work->sets : 0;
  bench_code code = bench_watch_before(&m->watch, error);
  if (code == BENCH_OK) {
    code = time_region(m, &out->time_ns[out->count], error);
  }
  if (code == BENCH_OK && work->backend->clock_mhz != NULL) {
    code = work->backend->clock_mhz(work->context, clock_mhz, error);
  }
  if (code == BENCH_OK) {
    code = bench_watch_after(&m->watch, verdict, error);
  }
  work->set = 0;
  if (code == BENCH_OK) {
    m->regions += m->batch;
    m->busy_s += 1e-9 * (double)m->batch * out->time_ns[out->count];
    out->count++;
  }
  return code;
}

/* One launch that nobody times: caches and clocks are then as after any other sample. */
static bench_code warm_up(measuring *m, double *time_ns, bench_error *error) {
  return m->timing->mode == BENCH_MODE_COLD ? BENCH_OK : time_region(m, time_ns, error);
}

/* New inputs for what follows; samples may lie `apart` behind the first and after a look. */
static bench_code renew_inputs(measuring *m, bool apart, bench_error *error) {
  double ignored_ns;
  bool renewed = false;
  if (m->timing->mode == BENCH_MODE_SUSTAINED) {
    return bench_renew_parts(&m->renewal, error);
  }
  bench_code code = apart ? bench_renew_all(&m->renewal, &renewed, error) : BENCH_OK;
  return code == BENCH_OK && renewed ? warm_up(m, &ignored_ns, error) : code;
}

/* Asked before the first sample too, so that an earlier case's hold is not this one's. */
static bool hold_expired(const bench_work *work) {
  return work->backend->hold_expired != NULL && work->backend->hold_expired(work->context);
}

static void report_state(measuring *m, const bench_monitor_mark *from, bench_monitor_report *out) {
  bench_monitor_mark to;
  bench_monitor_take(m->timing->monitor, &to);
  bench_monitor_report_state(from, &to, out);
  if (hold_expired(m->work) && out->fault[0] == '\0') {
    snprintf(out->fault, sizeof out->fault,
             "enqueuing took the host too long, and its own time may be in the samples: mode graph "
             "enqueues all at once");
  }
}

static bench_code sample_until_done(measuring *m, int64_t limit, double *sorted,
                                    bench_measurement *out, bench_verdict *verdict,
                                    bench_error *error) {
  const bool sustained = m->timing->mode == BENCH_MODE_SUSTAINED;
  const double budget_s = m->timing->budget_s;
  bench_monitor *monitor = m->timing->monitor;
  const double span_s =
      sustained ? fmax(fmax(budget_s, BENCH_SUSTAINED_MIN_S), bench_energy_span_s(monitor))
                : budget_s;
  bench_stop_rule rule = {0};
  bench_energy energy;
  bench_code code = BENCH_OK;
  if (sustained) {
    bench_monitor_rest(monitor);
  }
  bench_energy_begin(monitor, &energy);
  bench_renewal_begin(m->work, m->watch.computes, &m->renewal);
  while (code == BENCH_OK && verdict->right) {
    const int64_t looked_at = rule.next_look;
    code = take_sample(m, out, verdict, error);
    const double spent_s =
        bench_proc_monotonic_s() - m->renewal.start_s - m->renewal.spent_s; /* on samples */
    if (sustained && spent_s < span_s / 2) {
      out->count = 0;
    }
    if (sustained) {
      bench_energy_follow(monitor, &energy, m->regions, m->busy_s);
    }
    if (code != BENCH_OK || !verdict->right) {
      break;
    }
    if (!sustained && bench_stop_rule_met(&rule, out->time_ns, out->count, sorted)) {
      out->stop_reason = "ci";
      break;
    }
    if (out->count == limit) {
      out->stop_reason = "max_samples";
      break;
    }
    if (spent_s >= span_s) {
      break;
    }
    const bool looked = looked_at != 0 && rule.next_look != looked_at;
    code = renew_inputs(m, looked || out->count == 1, error);
  }
  report_state(m, &energy.from, &out->state);
  if (sustained) {
    bench_energy_report(monitor, &energy, &out->state);
  }
  return code;
}

/* The graph of one region for every copy. */
static bench_code capture(measuring *m, bench_error *error) {
  bench_work *work = m->work;
  const bench_backend *backend = work->backend;
  bench_code code = backend->graph_begin(work->context, error);
  bench_code launched = code;
  for (work->set = 0; launched == BENCH_OK && work->set < work->sets; work->set++) {
    launched = launch_regions(work, m->timing, BENCH_STAGE_ALL, 1, error);
  }
  work->set = 0;
  if (code == BENCH_OK) { /* what was begun is ended, whatever came between */
    bench_error ignored;
    code = backend->graph_end(work->context, &m->graph, launched == BENCH_OK ? error : &ignored);
  }
  m->batch = work->sets;
  return launched == BENCH_OK ? code : launched;
}

/* What a mode needs besides the layers' own tensors. */
static bench_code prepare_mode(measuring *m, bench_error *error) {
  bench_work *work = m->work;
  const bench_backend *backend = work->backend;
  bench_code code = BENCH_OK;
  if (m->timing->mode == BENCH_MODE_GRAPH) {
    const int64_t one = bench_tensor_bytes(&work->attn, work->layers_distinct);
    const int64_t wanted = BENCH_GRAPH_CACHES * bench_llc_bytes(backend->device(work->context));
    const int64_t sets = (wanted + one - 1) / one;
    code = bench_work_add_sets(work, sets < MAX_COPIES ? sets : MAX_COPIES, error);
    if (code == BENCH_OK && backend->graph_begin != NULL) {
      code = capture(m, error);
    }
  }
  return code;
}

/* The most regions that a sample may have. */
static int64_t batch_limit(const bench_work *work) {
  const int64_t held = HELD_LAYERS / work->attn.layers;
  return work->backend->hold == NULL ? MAX_BATCH : held > 1 ? held : 1;
}

/* Regions to a sample: one, but where the device would rest between two. By trying, for the first
 * regions are no measure of those that follow. */
static bench_code choose_batch(measuring *m, double region_ns, bench_error *error) {
  const int64_t limit = batch_limit(m->work);
  bench_code code = BENCH_OK;
  for (;;) {
    const double wanted = ceil(SUSTAINED_BATCH_S * 1e9 / fmax(region_ns, 1));
    const double next = fmin(fmin(wanted, BATCH_GROWTH * (double)m->batch), (double)limit);
    if (code != BENCH_OK || next < 2 * (double)m->batch) {
      return code;
    }
    m->batch = (int64_t)next;
    code = time_region(m, &region_ns, error);
  }
}

static bench_code sample(measuring *m, bench_measurement *out, bench_verdict *verdict,
                         bench_error *error) {
  const bool sustained = m->timing->mode == BENCH_MODE_SUSTAINED;
  const int64_t limit = sustained ? MAX_SUSTAINED_SAMPLES : MAX_SAMPLES;
  double region_ns = 0;
  out->time_ns = malloc((size_t)limit * sizeof(double));
  out->clock_mhz = malloc((size_t)limit * sizeof(double));
  double *sorted = malloc((size_t)limit * sizeof(double));
  bench_code code = BENCH_OK;
  if (out->time_ns == NULL || out->clock_mhz == NULL || sorted == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory for samples");
  }
  if (code == BENCH_OK) {
    code = prepare_mode(m, error);
  }
  if (code == BENCH_OK) {
    code = warm_up(m, &region_ns, error);
  }
  if (code == BENCH_OK) {
    code = sustained ? choose_batch(m, region_ns, error) : BENCH_OK;
  }
  if (code == BENCH_OK) {
    code = sample_until_done(m, limit, sorted, out, verdict, error);
  }
  free(sorted);
  return code;
}

/* What the last timed launch has left, and what the kernel makes of inputs that it has not seen. */
static bench_code look_again(bench_work *work, const bench_timing *timing, bench_verdict *verdict,
                             bench_error *error) {
  static const struct {
    bench_judge *judge;
    const char *what;
  } looks[] = {{bench_verify_left, "what the last sample left"},
               {bench_verify_unseen, "on new inputs behind it"}};
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && verdict->right && i < sizeof looks / sizeof looks[0];
       i++) {
    bench_verdict found;
    code = looks[i].judge(work, timing->kernel, timing->workspace, timing->workspace_bytes,
                          bench_watch_secret(), &found, error);
    if (code == BENCH_OK && !found.right) {
      verdict->right = false;
      snprintf(verdict->reason, sizeof verdict->reason, "right before it was timed, but %s: %.400s",
               looks[i].what, found.reason);
    }
  }
  return code;
}

bench_code bench_measure(bench_work *work, const bench_timing *timing, bench_measurement *out,
                         bench_verdict *verdict, bench_error *error) {
  measuring m = {.work = work, .timing = timing, .batch = 1};
  *out = (bench_measurement){.stop_reason = "budget"};
  hold_expired(work);
  bench_code code = bench_watch_open(work, timing->kernel, &m.watch, error);
  if (code == BENCH_OK) {
    code = sample(&m, out, verdict, error);
  }
  if (m.graph != NULL) {
    work->backend->graph_free(work->context, m.graph);
  }
  bench_work_drop_sets(work);
  if (code == BENCH_OK && m.watch.computes) {
    code = look_again(work, timing, verdict, error);
  }
  if (code != BENCH_OK) {
    bench_measurement_free(out);
  }
  return code;
}

void bench_measurement_free(bench_measurement *measurement) {
  free(measurement->time_ns);
  free(measurement->clock_mhz);
  *measurement = (bench_measurement){0};
}

/* Samples of each stage, taken in turn so that a drift of the machine meets both. */
#define SHARE_SAMPLES 15
#define SHARE_SAMPLES_MIN 3
#define SHARE_BUDGET 0.25 /* of the case's */

bench_code bench_measure_shares(bench_work *work, const bench_timing *timing,
                                double *projection_share, double *attention_share,
                                bench_error *error) {
  static const int stages[] = {BENCH_STAGE_PROJECTIONS, BENCH_STAGE_ATTENTION};
  double times[2][SHARE_SAMPLES];
  double sorted[SHARE_SAMPLES];
  int64_t count = 0;
  bench_code code = BENCH_OK;
  const double end_s = bench_proc_monotonic_s() + SHARE_BUDGET * timing->budget_s;
  while (code == BENCH_OK && count < SHARE_SAMPLES &&
         (count < SHARE_SAMPLES_MIN || bench_proc_monotonic_s() < end_s)) {
    for (int s = 0; code == BENCH_OK && s < 2; s++) {
      code = time_stages(work, timing, stages[s], &times[s][count], error);
    }
    count++;
  }
  if (code != BENCH_OK) {
    return code;
  }
  bench_summary summaries[2];
  for (int s = 0; s < 2; s++) {
    bench_summarize(times[s], count, sorted, &summaries[s]);
  }
  const double both = summaries[0].median + summaries[1].median;
  if (both > 0) {
    *projection_share = summaries[0].median / both;
    *attention_share = summaries[1].median / both;
  }
  return BENCH_OK;
}
