/* bench ratios on a stored result: golden/ratios, whose expected numbers were worked out apart from
 * the program, and what it says of files that it cannot compare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"

#define STORED BENCH_SOURCE_DIR "/harness/tests/golden/ratios"

static void prints(const char *options, const char *file, const char *err) {
  char path[512];
  snprintf(path, sizeof path, STORED "/%s", file);
  char *expected = file_text(path);
  bench_outcome outcome = run_bench("", "ratios %s %s", STORED, options);
  assert_int_equal(outcome.exit_status, 0);
  assert_string_equal(outcome.out, expected);
  assert_string_equal(outcome.err, err);
  outcome_free(&outcome);
  free(expected);
}

static void of_the_best_peer(void **state) {
  (void)state;
  prints("", "best.txt", "bench ratios: times of ours with no peer's beside them: 1\n");
  prints("--csv", "best.csv", "bench ratios: times of ours with no peer's beside them: 1\n");
}

static void of_a_named_peer(void **state) {
  (void)state;
  prints("--peer naive", "naive.txt",
         "bench ratios: times of ours with no peer's beside them: 3\n");
}

/* What is left of a burst is told with a peer or without one, and only where it is known. */
static void of_what_is_sustained(void **state) {
  (void)state;
  scratch_file("sweep.csv",
               "problem_id,status,kernel,variant,backend,device,dtype,scope,direction,layers,batch,"
               "heads_q,heads_kv,head_dim,seq_q,seq_kv,mask,input,mode,time_ns_median,"
               "time_ns_ci_lo,time_ns_ci_hi,tflops,fraction_of_ideal,sustained_of_burst\n"
               "p,ok,flash,avx2,cpu,c,fp32,attention,fwd,1,1,2,2,32,64,64,full,normal,warm,"
               "1700000,,,1,,\n"
               "p,ok,flash,avx2,cpu,c,fp32,attention,fwd,1,1,2,2,32,64,64,full,normal,sustained,"
               "2000000,1990000,2010000,1,,0.85\n"
               "p,invalid,naive,generic,cpu,c,fp32,attention,fwd,1,1,2,2,32,64,64,full,normal,"
               "sustained,2000000,,,1,,0.75\n");
  bench_outcome outcome = run_bench("", "ratios %s", scratch_folder());
  assert_int_equal(outcome.exit_status, 3);
  assert_non_null(strstr(outcome.out, "of_burst: time with mode warm / time with mode sustained"));
  assert_non_null(strstr(outcome.out,
                         "mode sustained\n    ms  ci_pct  of_burst\n"
                         "2.0000     0.5     0.850\n"));
  assert_null(strstr(outcome.out, "0.750"));
  outcome_free(&outcome);
  outcome = run_bench("", "ratios %s --csv", scratch_folder());
  assert_string_equal(outcome.out, "");
  outcome_free(&outcome);
}

/* The next peer would flatter ours where it is the fastest whose time cannot be trusted. */
static void not_of_the_second_best(void **state) {
  (void)state;
  static const char rows[] =
      "problem_id,status,kernel,variant,backend,device,dtype,scope,direction,layers,batch,heads_q,"
      "heads_kv,head_dim,seq_q,seq_kv,mask,input,mode,time_ns_median,time_ns_ci_lo,time_ns_ci_hi,"
      "tflops,fraction_of_ideal\n"
      "p,ok,flash,avx2,cpu,c,fp32,attention,fwd,1,1,2,2,32,64,64,full,normal,warm,2000000,,,1,\n"
      "p,ok,torch/math,math,cpu,c,fp32,attention,fwd,1,1,2,2,32,64,64,full,normal,warm,9000000,,,1,"
      "\n"
      "p,invalid,blas,openblas,cpu,c,fp32,attention,fwd,1,1,2,2,32,64,64,full,normal,warm,%s,,,1,"
      "\n";
  char text[2048];
  snprintf(text, sizeof text, rows, "1900000");
  scratch_file("sweep.csv", text);
  bench_outcome outcome = run_bench("", "ratios %s", scratch_folder());
  assert_int_equal(outcome.exit_status, 3);
  assert_string_equal(outcome.out, "");
  assert_non_null(strstr(outcome.err, "times of ours whose fastest peer's row is invalid: 1\n"));
  outcome_free(&outcome);
  snprintf(text, sizeof text, rows, "9100000"); /* an invalid row that is not the fastest */
  scratch_file("sweep.csv", text);
  outcome = run_bench("", "ratios %s", scratch_folder());
  assert_int_equal(outcome.exit_status, 0);
  assert_non_null(strstr(outcome.out, "4.500"));
  assert_string_equal(outcome.err, "");
  outcome_free(&outcome);
}

/* What computes nothing is no peer, however fast, but where it is asked for: the share of memory's
 * rate that a kernel reaches. */
static void memory_where_it_is_asked_for(void **state) {
  (void)state;
  scratch_file("sweep.csv",
               "problem_id,status,kernel,variant,backend,device,dtype,scope,direction,layers,batch,"
               "heads_q,heads_kv,head_dim,seq_q,seq_kv,mask,input,mode,time_ns_median,"
               "time_ns_ci_lo,time_ns_ci_hi,tflops,fraction_of_ideal\n"
               "p,ok,flash,avx2,cpu,c,fp32,attention,fwd,1,1,2,2,32,1,64,full,normal,cold,2000000,"
               ",,1,\n"
               "p,ok,memory,avx2,cpu,c,fp32,attention,fwd,1,1,2,2,32,1,64,full,normal,cold,1500000,"
               ",,,\n"
               "p,ok,blas,openblas,cpu,c,fp32,attention,fwd,1,1,2,2,32,1,64,full,normal,cold,"
               "9000000,,,1,\n");
  static const char *const asked[][2] = {{"", "4.500"}, {"--peer memory", "0.750"}};
  for (int i = 0; i < 2; i++) {
    bench_outcome outcome = run_bench("", "ratios %s %s", scratch_folder(), asked[i][0]);
    assert_int_equal(outcome.exit_status, 0);
    assert_non_null(strstr(outcome.out, asked[i][1]));
    assert_null(strstr(outcome.out, asked[1 - i][1]));
    outcome_free(&outcome);
  }
}

/* The stored result with one text replaced, as a folder of its own. */
static void refuses(const char *from, const char *to, const char *options, int status,
                    const char *message) {
  char *text = file_text(STORED "/sweep.csv");
  char *changed = calloc(1, 1 << 17);
  size_t used = 0;
  for (const char *at = text; *at != '\0';) {
    const bool found = strncmp(at, from, strlen(from)) == 0;
    used += (size_t)sprintf(changed + used, "%.*s", found ? (int)strlen(to) : 1, found ? to : at);
    at += found ? strlen(from) : 1;
  }
  scratch_file("sweep.csv", changed);
  bench_outcome outcome = run_bench("", "ratios %s %s", scratch_folder(), options);
  if (outcome.exit_status != status || strstr(outcome.err, message) == NULL ||
      outcome.out[0] != '\0') {
    fail_msg("%s -> %s: exit status %d:\n%s%s", from, to, outcome.exit_status, outcome.out,
             outcome.err);
  }
  outcome_free(&outcome);
  free(changed);
  free(text);
}

static void refuses_what_it_cannot_compare(void **state) {
  (void)state;
  refuses("time_ns_ci_lo", "lower", "", 2, "sweep.csv:1: there is no column time_ns_ci_lo");
  refuses(",seq_q", ",queries", "", 2, "sweep.csv:1: there is no column seq_q");
  refuses("1782000", "fast", "", 2, "sweep.csv:9: time_ns_ci_lo: \"fast\" is not a number");
  refuses(",274.9,", ",274.9", "", 2, "sweep.csv:3: ");
  refuses("ok", "failed", "", 3, "sweep.csv: no time of ours stands beside one of a peer");
  refuses("ok", "ok", "--peer torch/none", 3, "no time of ours stands beside one of torch/none");
  bench_outcome outcome = run_bench("", "ratios %s/none", scratch_folder());
  assert_int_equal(outcome.exit_status, 2);
  outcome_free(&outcome);
}

static void refuses_bad_usage(void **state) {
  (void)state;
  static const char *const arguments[] = {"ratios", "ratios a b", "ratios a --peer", "ratios -x"};
  refuses_usage(arguments, sizeof arguments / sizeof arguments[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_the_best_peer),
      cmocka_unit_test(of_a_named_peer),
      cmocka_unit_test(not_of_the_second_best),
      cmocka_unit_test(of_what_is_sustained),
      cmocka_unit_test(memory_where_it_is_asked_for),
      cmocka_unit_test(refuses_what_it_cannot_compare),
      cmocka_unit_test(refuses_bad_usage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
