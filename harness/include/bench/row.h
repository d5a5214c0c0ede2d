/* bench_row: one line of sweep.csv; bench_head_row: of heads.csv; bench_sample_row: of samples.csv.
 *
 * A column is written once, here: the struct's field, the header, `bench list columns`, the
 * worker's protocol and --filter all come from these lists.
 *   TEXT(name, capacity, help)   missing: ""
 *   INT(name, unit, help)        missing: BENCH_MISSING_INT
 *   REAL(name, unit, help)       missing: NaN
 * A missing value is an empty field in the file, never 0, nan or inf. */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_MISSING_INT INT64_MIN
#define BENCH_SCHEMA_VERSION 1

// clang-format off
#define BENCH_SWEEP_COLUMNS(TEXT, INT, REAL)                                                      \
  INT(schema_version, "", "version of this table")                                                \
  TEXT(run_id, 20, "one run of bench sweep")                                                      \
  TEXT(problem_id, 20, "hash of the work, without the kernel")                                    \
  TEXT(case_id, 20, "hash of the work and the kernel")                                            \
  TEXT(status, 12, "ok skipped wrong oom timeout crashed failed invalid")                         \
  TEXT(reason, 512, "why the status is not ok")                                                   \
  TEXT(kernel, BENCH_NAME_MAX, "family, or family/variant where that was asked for")              \
  TEXT(variant, 32, "implementation that ran")                                                    \
  TEXT(backend, 16, "cpu or cuda")                                                                \
  TEXT(device, 128, "device's own name")                                                          \
  TEXT(dtype, 8, "of Q, K, V and O")                                                              \
  TEXT(scope, 12, "attention, or block with its projections")                                     \
  TEXT(direction, 8, "fwd or bwd")                                                                \
  TEXT(model, 64, "preset or checkpoint that gave the shape")                                     \
  INT(params, "", "parameters of that model")                                                     \
  INT(layers, "", "layers in the timed region")                                                   \
  INT(layers_distinct, "", "of them with Q, K, V of their own")                                   \
  INT(batch, "", "sequences")                                                                     \
  INT(heads_q, "", "query heads")                                                                 \
  INT(heads_kv, "", "key/value heads")                                                            \
  INT(head_dim, "", "elements of a head")                                                         \
  INT(seq_q, "token", "query rows of a sequence")                                                 \
  INT(seq_kv, "token", "keys of a sequence")                                                      \
  TEXT(mask, 256, "which keys a row sees")                                                        \
  REAL(density, "", "visible pairs / (seq_q * seq_kv)")                                           \
  TEXT(input, 96, "source of Q, K and V")                                                         \
  INT(seed, "", "of the inputs and of block masks")                                               \
  TEXT(mode, 12, "cold warm graph sustained")                                                     \
  INT(samples, "", "timed repetitions")                                                           \
  REAL(time_ns_median, "ns", "of the whole timed region")                                         \
  REAL(time_ns_min, "ns", "smallest sample")                                                      \
  REAL(time_ns_p10, "ns", "10th percentile")                                                      \
  REAL(time_ns_p90, "ns", "90th percentile")                                                      \
  REAL(time_ns_mean, "ns", "arithmetic mean")                                                     \
  REAL(time_ns_sd, "ns", "standard deviation, n-1")                                               \
  REAL(time_ns_ci_lo, "ns", "95 % confidence interval of the median, by order statistics")        \
  REAL(time_ns_ci_hi, "ns", "its upper end")                                                      \
  TEXT(stop_reason, 16, "why sampling ended: ci budget max_samples")                              \
  REAL(drift, "", "(median of the last third of samples - of the first) / median")                \
  REAL(autocorrelation, "", "of the ranks of neighbouring samples")                               \
  INT(flops, "FLOP", "exact, over the timed region")                                              \
  TEXT(flops_convention, 32, "how they are counted")                                              \
  INT(bytes_min, "B", "Q, K, V read once and O written once")                                     \
  REAL(tflops, "1e12 FLOP/s", "flops / median time")                                              \
  REAL(gb_per_s, "1e9 B/s", "bytes_min / median time")                                            \
  REAL(tokens_per_s, "token/s", "batch * seq_q / median time")                                    \
  REAL(pct_of_roof, "%", "of the measured roof (bench calibrate)")                                \
  REAL(fraction_of_ideal, "", "t_dense(same family, full) * density / t")                         \
  REAL(sustained_of_burst, "", "mode sustained: time of mode warm / time of this row")            \
  REAL(projection_share, "", "scope block: of projections + attention, each timed alone")         \
  REAL(attention_share, "", "scope block: the rest")                                              \
  REAL(list_build_ns, "ns", "making and uploading its block lists; in no time above")             \
  INT(mem_predicted_bytes, "B", "by the plan; the buffer that flushes the cache is not counted")  \
  INT(mem_peak_bytes, "B", "measured peak: resident set (cpu), device memory (cuda)")             \
  INT(workspace_bytes, "B", "the kernel's scratch")                                               \
  REAL(err_max_abs, "", "largest |O - reference| over the rows checked")                          \
  REAL(err_rel_l2, "", "relative L2 error over the rows checked")                                 \
  REAL(err_tolerance, "", "bound on err_max_abs for this dtype and problem")                      \
  INT(rows_checked, "", "rows of O compared with the fp64 reference")                             \
  REAL(entropy_nats, "nat", "mean over layers and heads of the row entropy")                      \
  REAL(entropy_norm, "", "entropy / log(visible keys)")                                           \
  REAL(distance_tokens, "token", "mean attention distance |i-j|")                                 \
  REAL(distance_nosink_tokens, "token", "the same without key 0")                                 \
  REAL(window64_mass, "", "mass on |i-j| < 64")                                                   \
  REAL(sink_mass, "", "mass on key 0")                                                            \
  REAL(sum_p2, "", "sum of squared weights")                                                      \
  REAL(p_max, "", "largest weight")                                                               \
  REAL(sm_mhz, "MHz", "median clock during the samples: SM (cuda), core (cpu)")                   \
  TEXT(throttle, 64, "throttle reasons")                                                          \
  REAL(steal_pct, "%", "cpu: CPU time that the hypervisor took during the samples")               \
  REAL(load_1min, "", "cpu: load of the machine before the samples")                              \
  REAL(temp_c, "degC", "device temperature")                                                      \
  REAL(power_w, "W", "mean power")                                                                \
  REAL(energy_j, "J", "mode sustained: of one timed region, above the power at rest")             \
  TEXT(energy_valid, 64, "mode sustained: yes, or why energy_j is not to be trusted")             \
  TEXT(kernel_hash, 20, "of the kernel's machine code")                                           \
  TEXT(host, 64, "host name")                                                                     \
  TEXT(gpu_uuid, 64, "of the device")                                                             \
  TEXT(driver, 32, "driver version")                                                              \
  TEXT(cuda, 32, "toolkit version of the build")                                                  \
  TEXT(git_commit, 48, "of the build")                                                            \
  TEXT(timestamp_utc, 32, "when the row was written")

#define BENCH_HEAD_COLUMNS(TEXT, INT, REAL)                                                       \
  TEXT(problem_id, 20, "as in sweep.csv")                                                         \
  TEXT(model, 64, "preset or checkpoint")                                                         \
  INT(layer, "", "from 0")                                                                        \
  INT(head, "", "query head, from 0")                                                             \
  INT(seq_q, "token", "query rows of a sequence")                                                 \
  INT(seq_kv, "token", "keys of a sequence")                                                      \
  TEXT(mask, 256, "which keys a row sees")                                                        \
  TEXT(input, 96, "source of Q and K")                                                            \
  INT(rows, "", "rows averaged: those with at least two visible keys")                            \
  REAL(lse, "nat", "log sum exp of the scaled logits")                                            \
  REAL(max_logit, "", "largest scaled logit")                                                     \
  REAL(entropy_nats, "nat", "-sum p log p")                                                       \
  REAL(entropy_norm, "", "entropy / log(visible keys)")                                           \
  REAL(sum_p2, "", "sum of squared weights")                                                      \
  REAL(p_max, "", "largest weight")                                                               \
  REAL(distance_tokens, "token", "sum p |i-j|")                                                   \
  REAL(distance_nosink_tokens, "token", "key 0 dropped, the rest renormalised")                   \
  REAL(distance_rms_tokens, "token", "sqrt of sum p (i-j)^2")                                     \
  REAL(window16_mass, "", "mass on |i-j| < 16")                                                   \
  REAL(window64_mass, "", "mass on |i-j| < 64")                                                   \
  REAL(window256_mass, "", "mass on |i-j| < 256")                                                 \
  REAL(window1024_mass, "", "mass on |i-j| < 1024")                                               \
  REAL(sink_mass, "", "mass on key 0")                                                            \
  REAL(sink4_mass, "", "mass on keys 0-3")

#define BENCH_SAMPLE_COLUMNS(TEXT, INT, REAL)                                                     \
  TEXT(case_id, 20, "as in sweep.csv")                                                            \
  TEXT(mode, 12, "as in sweep.csv")                                                               \
  INT(index, "", "in the order taken, from 0")                                                    \
  REAL(time_ns, "ns", "of the whole timed region")                                                \
  REAL(sm_mhz, "MHz", "device clock during the sample")
// clang-format on

#define BENCH_FIELD_TEXT(name, capacity, help) char name[capacity];
#define BENCH_FIELD_INT(name, unit, help) int64_t name;
#define BENCH_FIELD_REAL(name, unit, help) double name;

typedef struct bench_row {
  BENCH_SWEEP_COLUMNS(BENCH_FIELD_TEXT, BENCH_FIELD_INT, BENCH_FIELD_REAL)
} bench_row;

typedef struct bench_head_row {
  BENCH_HEAD_COLUMNS(BENCH_FIELD_TEXT, BENCH_FIELD_INT, BENCH_FIELD_REAL)
} bench_head_row;

typedef struct bench_sample_row {
  BENCH_SAMPLE_COLUMNS(BENCH_FIELD_TEXT, BENCH_FIELD_INT, BENCH_FIELD_REAL)
} bench_sample_row;

typedef enum bench_column_type { BENCH_TEXT, BENCH_INT, BENCH_REAL } bench_column_type;

typedef struct bench_column {
  const char *name;
  bench_column_type type;
  size_t offset;   /* of the field in its row */
  size_t capacity; /* TEXT: bytes with the terminator */
  const char *unit;
  const char *help;
} bench_column;

typedef struct bench_table {
  const bench_column *columns;
  size_t count;
  size_t row_bytes;
} bench_table;

extern const bench_table bench_sweep_table;  /* of bench_row */
extern const bench_table bench_head_table;   /* of bench_head_row */
extern const bench_table bench_sample_table; /* of bench_sample_row */

/* The values of the column `status`. */
#define BENCH_STATUS_COUNT 8
extern const char *const bench_status_names[BENCH_STATUS_COUNT]; /* "ok", "skipped", the failures */
int bench_status_index(const char *status);                      /* -1: none of them */

/* NULL if there is no such column. */
const bench_column *bench_table_find(const bench_table *table, const char *name);

/* Every field missing. */
void bench_table_clear(const bench_table *table, void *row);

/* One field as text, "" if missing, newlines as blanks. A real is the shortest of %.15g to %.17g
 * that reads back as the same number. Returns text. */
#define BENCH_FIELD_TEXT_MAX 640
const char *bench_field_format(const bench_column *column, const void *row,
                               char text[BENCH_FIELD_TEXT_MAX]);

void bench_field_set_text(const bench_column *column, void *row, const char *value);

/* A whole row from its fields as text, in the order of the table; what is no number is missing. */
void bench_row_parse(const bench_table *table, char *const *fields, void *row);

/* The columns that say where and when the row was made. */
void bench_row_finish(bench_row *row);

/* Copies text into a field or buffer of `capacity` bytes, cut at a character if it is too long. */
void bench_text_copy(char *to, size_t capacity, const char *from);

#ifdef __cplusplus
}
#endif
#endif
