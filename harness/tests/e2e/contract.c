/* Sentences of the contract that users and scripts rely on, word for word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_bench.h"

static const char config[] =
    "[sweep]\nname = \"contract\"\nkernels = [\"flash\"]\nmodes = [\"warm\"]\n"
    "budget = { case_s = 0.01 }\n"
    "[[grid]]\nseq = [64]\nheads = [2]\nhead_dim = [32]\nmask = [\"causal\", \"full\"]\n";

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  return path;
}

static int run_small(const char *name, const char *text, const char *options) {
  char file[256];
  snprintf(file, sizeof file, "%s", scratch_file("contract.toml", text));
  bench_outcome outcome =
      run_bench("", "sweep %s --backend cpu -o %s %s", file, path_of(name), options);
  int status = outcome.exit_status;
  outcome_free(&outcome);
  return status;
}

/* The header as it is promised, not as the table has it. */
static void columns_in_their_order(void **state) {
  (void)state;
  static const char sweep[] =
      "schema_version,run_id,problem_id,case_id,status,reason,kernel,variant,backend,device,dtype,"
      "scope,direction,model,params,layers,layers_distinct,batch,heads_q,heads_kv,head_dim,seq_q,"
      "seq_kv,mask,density,input,seed,mode,samples,time_ns_median,time_ns_min,time_ns_p10,"
      "time_ns_p90,time_ns_mean,time_ns_sd,time_ns_ci_lo,time_ns_ci_hi,stop_reason,flops,"
      "flops_convention,bytes_min,tflops,gb_per_s,tokens_per_s,pct_of_roof,fraction_of_ideal,"
      "projection_share,attention_share,list_build_ns,"
      "mem_predicted_bytes,mem_peak_bytes,workspace_bytes,err_max_abs,err_rel_l2,err_tolerance,"
      "rows_checked,entropy_nats,entropy_norm,distance_tokens,distance_nosink_tokens,"
      "window64_mass,sink_mass,sum_p2,p_max,sm_mhz,throttle,temp_c,power_w,energy_j,energy_valid,"
      "kernel_hash,host,gpu_uuid,driver,cuda,git_commit,timestamp_utc\n";
  static const char heads[] =
      "problem_id,model,layer,head,seq_q,seq_kv,mask,input,rows,lse,max_logit,entropy_nats,"
      "entropy_norm,sum_p2,p_max,distance_tokens,distance_nosink_tokens,distance_rms_tokens,"
      "window16_mass,window64_mass,window256_mass,window1024_mass,sink_mass,sink4_mass\n";
  static const char *const files[][2] = {{"sweep.csv", sweep},
                                         {"heads.csv", heads},
                                         {"samples.csv", "case_id,mode,index,time_ns,sm_mhz\n"}};
  assert_int_equal(run_small("columns", config, ""), 0);
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char path[300];
    char line[4096];
    snprintf(path, sizeof path, "%s/%s", path_of("columns"), files[i][0]);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_string_equal(line, files[i][1]);
  }
}

/* The figures of a row, from its own columns. */
static void figures_follow(void **state) {
  (void)state;
  result_table table = read_table(path_of("columns"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 2);
  assert_string_equal(table_field(&table, 0, "mask"), "full"); /* first, whatever the config says */
  double median[2];
  for (size_t row = 0; row < 2; row++) {
    double pairs = row == 0 ? 64.0 * 64 : 64.0 * 65 / 2;
    double flops = 2 * 2 * (32.0 + 32) * pairs;
    median[row] = atof(table_field(&table, row, "time_ns_median"));
    assert_true(atof(table_field(&table, row, "flops")) == flops);
    assert_true(atof(table_field(&table, row, "bytes_min")) == 4.0 * 2 * 64 * 32 * 4);
    assert_float_equal(atof(table_field(&table, row, "tflops")) * 1e3 * median[row] / flops, 1,
                       1e-6);
    assert_float_equal(atof(table_field(&table, row, "tokens_per_s")) * median[row] / 64e9, 1,
                       1e-6);
  }
  double ideal = median[0] * atof(table_field(&table, 1, "density")) / median[1];
  assert_float_equal(atof(table_field(&table, 1, "fraction_of_ideal")) / ideal, 1, 1e-6);
  table_free(&table);
}

/* What a block list costs has its own column: filled in where a kernel launches with one. */
static void lists_are_timed_apart(void **state) {
  (void)state;
  static const char *const wanted[][2] = {{"flash", "causal"},
                                          {"sparse", "causal"},
                                          {"flash", "block:density=0.5:size=16:layout=random"}};
  static const char text[] =
      "[sweep]\nname = \"lists\"\nkernels = [\"flash\", \"sparse\"]\nmodes = [\"warm\"]\n"
      "budget = { case_s = 0.01 }\n[[grid]]\nseq = [64]\nheads = [2]\nhead_dim = [32]\n"
      "mask = [\"causal\", \"block:density=0.5:size=16\"]\n";
  assert_int_equal(run_small("lists", text, ""), 0);
  result_table table = read_table(path_of("lists"), "sweep.csv", &bench_sweep_table);
  int seen = 0;
  for (size_t row = 0; row < table.rows; row++) {
    for (int i = 0; i < 3; i++) {
      if (strcmp(table_field(&table, row, "kernel"), wanted[i][0]) == 0 &&
          strcmp(table_field(&table, row, "mask"), wanted[i][1]) == 0) {
        const char *time = table_field(&table, row, "list_build_ns");
        assert_true(i == 0 ? *time == '\0' : atof(time) > 0);
        seen |= 1 << i;
      }
    }
  }
  assert_int_equal(seen, 7);
  table_free(&table);
}

static void case_ids(const char *folder, char ids[64]) {
  result_table table = read_table(path_of(folder), "sweep.csv", &bench_sweep_table);
  size_t used = 0;
  for (size_t row = 0; row < table.rows; row++) {
    used += (size_t)snprintf(ids + used, 64 - used, "%s", table_field(&table, row, "case_id"));
  }
  table_free(&table);
}

/* Ids hash the work: no budget, no name, no folder; but the seed. */
static void ids_are_of_the_work(void **state) {
  (void)state;
  char first[64];
  char second[64];
  assert_int_equal(
      run_small("ids", config, "--set sweep.name=other --set sweep.budget.case_s=0.02"), 0);
  assert_int_equal(run_small("seed", config, "--seed 9"), 0);
  case_ids("columns", first);
  case_ids("ids", second);
  assert_string_equal(first, second);
  case_ids("seed", second);
  assert_string_not_equal(first, second);
}

#define MODEL_CONFIG(folder)                                               \
  "[sweep]\nname = \"model\"\nkernels = [\"flash\"]\nmodes = [\"warm\"]\n" \
  "budget = { case_s = 0.01 }\n[[grid]]\nseq = [32]\ninput = [\"model:" folder "\"]\n"

static void copy_checkpoint(const char *name) {
  char command[1024];
  snprintf(command, sizeof command, "cp -r %s/configs/checkpoints/kjv-1m %s", BENCH_SOURCE_DIR,
           path_of(name));
  assert_int_equal(system(command), 0);
}

/* A checkpoint is its content, wherever it lies and whatever its folder is called. */
static void checkpoints_are_known_by_content(void **state) {
  (void)state;
  char first[64];
  char second[64];
  copy_checkpoint("one");
  copy_checkpoint("two");
  assert_int_equal(run_small("of_one", MODEL_CONFIG("one"), ""), 0);
  assert_int_equal(run_small("of_two", MODEL_CONFIG("two"), ""), 0);
  case_ids("of_one", first);
  case_ids("of_two", second);
  assert_string_equal(first, second);
}

/* A bad checkpoint is told before anything is made. */
static void nan_weights_are_bad_input(void **state) {
  (void)state;
  char command[1024];
  copy_checkpoint("nan");
  snprintf(command, sizeof command,
           "f=%s/model.safetensors; n=$(stat -c %%s $f); printf '\\000\\176' | "
           "dd of=$f bs=1 seek=$((n - 2)) conv=notrunc 2>/dev/null",
           path_of("nan"));
  assert_int_equal(system(command), 0);
  assert_int_equal(run_small("of_nan", MODEL_CONFIG("nan"), ""), 2);
  assert_int_not_equal(access(path_of("of_nan"), 0), 0);
}

/* Standard streams that are closed or full corrupt nothing and are told. */
static void standard_streams(void **state) {
  (void)state;
  char command[1024];
  snprintf(command, sizeof command, "'%s/bin/bench' sweep %s --backend cpu -o %s >&- 2>&- <&-",
           BENCH_BINARY_DIR, scratch_file("contract.toml", config), path_of("closed"));
  assert_int_equal(system(command), 0);
  result_table table = read_table(path_of("closed"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 2);
  table_free(&table);
  snprintf(command, sizeof command, "'%s/bin/bench' list columns >/dev/full 2>/dev/null",
           BENCH_BINARY_DIR);
  assert_int_equal(system(command) >> 8 & 0xff, 4);
}

/* A batch system ends a job by SIGTERM to all of it: no row is lost and none is made up. */
static void job_is_terminated(void **state) {
  (void)state;
  char command[1024];
  snprintf(command, sizeof command,
           "'%s/bin/bench' sweep %s --backend cpu -o %s --set 'sweep.modes=[\"sustained\"]' "
           ">/dev/null 2>&1 & pid=$!; sleep 1.5; worker=$(pgrep -P $pid); kill $worker $pid; "
           "wait $pid",
           BENCH_BINARY_DIR, scratch_file("contract.toml", config), path_of("terminated"));
  assert_int_equal(system(command) >> 8 & 0xff, 130);
  result_table table = read_table(path_of("terminated"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&table, "status", "ok"), table.rows);
  table_free(&table);
}

/* kill -9 of the parent in the middle; what was committed stays and the rest is done. */
static void killed_and_resumed(void **state) {
  (void)state;
  char command[1024];
  snprintf(command, sizeof command,
           "'%s/bin/bench' sweep %s --backend cpu -o %s --set 'sweep.modes=[\"sustained\"]' "
           ">/dev/null 2>&1 & pid=$!; sleep 4.5; kill -9 $pid; wait $pid 2>/dev/null; true",
           BENCH_BINARY_DIR, scratch_file("contract.toml", config), path_of("killed"));
  assert_int_equal(system(command), 0);
  assert_int_equal(run_small("killed", config, "--resume --set 'sweep.modes=[\"sustained\"]'"), 0);
  result_table table = read_table(path_of("killed"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 2);
  assert_int_equal(table_count(&table, "status", "ok"), 2);
  table_free(&table);
  result_table heads = read_table(path_of("killed"), "heads.csv", &bench_head_table);
  assert_int_equal(heads.rows, 4);
  table_free(&heads);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(columns_in_their_order),
      cmocka_unit_test(figures_follow),
      cmocka_unit_test(lists_are_timed_apart),
      cmocka_unit_test(ids_are_of_the_work),
      cmocka_unit_test(checkpoints_are_known_by_content),
      cmocka_unit_test(nan_weights_are_bad_input),
      cmocka_unit_test(standard_streams),
      cmocka_unit_test(job_is_terminated),
      cmocka_unit_test(killed_and_resumed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
