/* One sweep from options to exit status: the path that `bench sweep` and `bench check` share. */
#ifndef BENCH_SWEEP_H
#define BENCH_SWEEP_H

#include <stddef.h>

#include "bench/config.h"
#include "bench/plan.h"
#include "bench/roofs.h"
#include "sinks/folder.h"
#include "src/base_times.h"
#include "src/oom_rule.h"
#include "src/peers.h"
#include "src/supervisor.h"

typedef enum bench_progress {
  BENCH_PROGRESS_AUTO,
  BENCH_PROGRESS_ALWAYS,
  BENCH_PROGRESS_NEVER
} bench_progress;

typedef struct bench_sweep_options {
  const char *config_path;
  const char *folder;  /* NULL: results/<date>-<time>_<host>_<name> */
  const char *backend; /* "auto", "cpu", "cuda" */
  int device;
  const char **filters; /* KEY=GLOB */
  size_t filter_count;
  const char **sets; /* KEY=VALUE */
  size_t set_count;
  int shard; /* 1 .. shards */
  int shards;
  bool dry_run;
  bool resume;
  bool force;     /* with resume: whatever the folder's rows are of */
  bool check_lse; /* statistics once more by LSE identities */
  bool json;
  const char **peers; /* commands */
  size_t peer_count;
  const char *roofs_path; /* of bench calibrate, or NULL */
  bench_roofs *roofs;     /* where they are read to */
  bench_progress progress;
  json_t *command; /* the words of the command line as given, for the manifest */
} bench_sweep_options;

/* Returns the exit status; errors are printed. */
int bench_sweep(const bench_sweep_options *options);

/* Opens a worker on the wanted backend and says what device it has; `auto` is cuda if a device
 * answers, else cpu. The caller closes the supervisor. BENCH_WORKER in the environment names
 * another worker program. */
bench_code bench_target_open(const char *backend, int device, bench_supervisor **supervisor,
                             bench_target *target, bench_error *error);

/* SIGINT and SIGTERM add one; SIGPIPE is ignored. */
extern volatile int bench_stop;
void bench_catch_signals(void);

/* True if the row matches every KEY=GLOB. Keys are columns of sweep.csv, and seq for seq_q. */
bool bench_filter_match(const char *const *filters, size_t count, const bench_row *row);
/* Every filter has a known key. */
bench_code bench_filter_check(const char *const *filters, size_t count, bench_error *error);

/* The request for one case and mode ("cold", ..., or "check") without statistics, a new
 * reference. `whole`: all rows are verified, whatever they cost. */
json_t *bench_case_request(const bench_problem *problem, const bench_case *planned,
                           const char *mode, double case_s, bool whole);

/* Rows by status. */
typedef struct bench_tally {
  int64_t rows;
  int64_t by_status[BENCH_STATUS_COUNT];
} bench_tally;

/* After a fault that may stick to the device, a kernel that may have written where it should not,
 * or memory that ran out, the worker is replaced. */
bool bench_status_needs_restart(const char *status);

/* What a run needs and what it adds to. */
typedef struct bench_run {
  const bench_config *config;
  const bench_plan *plan;
  const bench_target *target;
  bench_supervisor *supervisor;
  bench_peers *peers; /* NULL: none */
  bench_folder *folder;
  const bench_sweep_options *options;
  const char *run_id;
  bench_oom_rule *oom;    /* what is known of exhausted memory; grows */
  bench_base_times *base; /* times that others are set against; grows */
  bench_tally *tally;
} bench_run;

/* Asks the worker for every wanted mode of every case that has no row yet, and writes a row for
 * each. */
bench_code bench_run_plan(const bench_run *run, bench_error *error);

/* The machine, build, config and command as JSON; `bench info` shows it too. New reference. */
json_t *bench_manifest_machine(void);
json_t *bench_manifest_build(void);

#endif
