/* What a figure shows: the slice with the most points, ties, error bars, labels, and what is never
 * drawn. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"
#include "src/plot_figure.h"
#include "src/plot_gnuplot.h"
#include "src/plot_labels.h"

static bench_plot_table table_of(const char *text) {
  bench_plot_table table;
  bench_error error = {0};
  if (bench_plot_table_read(scratch_file("sweep.csv", text), &table, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  return table;
}

static const bench_plot_figure *figure_of(const char *name) {
  for (size_t i = 0; i < bench_plot_figure_count; i++) {
    if (strcmp(bench_plot_figures[i].name, name) == 0) {
      return &bench_plot_figures[i];
    }
  }
  fail_msg("no figure %s", name);
  return NULL;
}

/* The slice as "ROW ROW / ROW", a slash between series; rows from 0. */
static char *rows_of(const char *text, const bench_plot_axes *axes) {
  static char rows[512];
  char *end = rows;
  bench_plot_table table = table_of(text);
  bench_plot_slice slice;
  bench_error error = {0};
  rows[0] = '\0';
  assert_int_equal(bench_plot_slice_choose(&table, axes, &slice, &error), BENCH_OK);
  for (size_t i = 0; i < slice.count; i++) {
    bool next = i > 0 && slice.points[i].series != slice.points[i - 1].series;
    end += sprintf(end, "%s%s%zu", i > 0 ? " " : "", next ? "/ " : "", slice.points[i].row);
  }
  bench_plot_slice_free(&slice);
  bench_plot_table_free(&table);
  return rows;
}

#define HEADER "status,kernel,dtype,batch,seq_q,seq_kv,tflops\n"

static const bench_plot_axes by_length = {.x = "seq_kv", .series = {"kernel"}, .needs = "tflops"};

static void most_points_on_the_axis(void **state) {
  (void)state;
  /* fp32 has more rows, bf16 more lengths. */
  assert_string_equal(rows_of(HEADER "ok,naive,fp32,1,8,8,1\n"
                                     "ok,flash,fp32,1,8,8,1\n"
                                     "ok,naive,fp32,1,16,16,1\n"
                                     "ok,flash,fp32,1,16,16,1\n"
                                     "ok,flash,bf16,1,32,32,1\n"
                                     "ok,flash,bf16,1,16,16,1\n"
                                     "ok,flash,bf16,1,8,8,1\n",
                              &by_length),
                      "6 5 4");
}

static void then_most_points_of_all(void **state) {
  (void)state;
  assert_string_equal(rows_of(HEADER "ok,flash,fp32,1,8,8,1\n"
                                     "ok,flash,fp32,1,16,16,1\n"
                                     "ok,naive,bf16,1,16,16,1\n"
                                     "ok,flash,bf16,1,8,8,1\n"
                                     "ok,flash,bf16,1,16,16,1\n",
                              &by_length),
                      "2 / 3 4");
}

static void then_first_in_the_file(void **state) {
  (void)state;
  assert_string_equal(rows_of(HEADER "ok,flash,fp32,1,8,8,1\n"
                                     "ok,flash,bf16,1,8,8,1\n"
                                     "ok,flash,fp16,1,8,8,1\n",
                              &by_length),
                      "0");
}

/* Only ok rows with a number are points: not skipped ones, nor missing or not finite values. */
static void what_is_no_point(void **state) {
  (void)state;
  assert_string_equal(rows_of(HEADER "ok,flash,fp32,1,8,8,1\n"
                                     "skipped,flash,fp32,1,16,16,\n"
                                     "wrong,flash,fp32,1,32,32,1\n"
                                     "ok,flash,fp32,1,64,64,\n"
                                     "ok,flash,fp32,1,128,128,nan\n"
                                     "ok,flash,fp32,1,256,256,inf\n"
                                     "ok,flash,fp32,1,512,,1\n",
                              &by_length),
                      "0");
  assert_string_equal(rows_of(HEADER "skipped,flash,fp32,1,16,16,\n", &by_length), "");
}

/* Where a config says tokens, the batch goes with the length. */
static void tokens_are_fixed_for_the_batch(void **state) {
  (void)state;
  const char *text = HEADER
      "ok,flash,fp32,8,8,8,1\n"
      "ok,flash,fp32,4,16,16,1\n"
      "ok,flash,fp32,2,32,32,1\n"
      "ok,flash,fp32,8,64,64,1\n";
  assert_string_equal(rows_of(text, &by_length), "0 1 2");
}

/* One query row of many keys is not the square of that length. */
static void decode_is_apart(void **state) {
  (void)state;
  assert_string_equal(rows_of(HEADER "ok,flash,fp32,1,1,8,1\n"
                                     "ok,flash,fp32,1,8,8,1\n"
                                     "ok,flash,fp32,1,16,16,1\n"
                                     "ok,flash,fp32,1,1,16,1\n"
                                     "ok,flash,fp32,1,32,32,1\n",
                              &by_length),
                      "1 2 4");
}

/* A layer's heads are one point; a line is of one problem, the one with the most layers; and real
 * input goes before drawn input, though that has more layers. */
static void heads_of_one_problem(void **state) {
  (void)state;
  const bench_plot_figure *entropy = figure_of("entropy");
  assert_string_equal(rows_of("problem_id,model,layer,head,seq_q,seq_kv,mask,input,entropy_norm\n"
                              "p0,m,0,0,8,8,full,normal,.5\n"
                              "p0,m,1,0,8,8,full,normal,.5\n"
                              "p0,m,2,0,8,8,full,normal,.5\n"
                              "p1,m,0,0,8,8,full,model:m,.5\n"
                              "p2,m,0,0,8,8,full,model:m,.5\n"
                              "p2,m,0,1,8,8,full,model:m,.5\n"
                              "p2,m,1,0,8,8,full,model:m,.5\n"
                              "p2,m,1,1,8,8,full,model:m,.5\n"
                              "p3,m,1,0,8,8,causal,model:m,.5\n",
                              &entropy->panels[0]),
                      "4 5 6 7 / 8");
}

/* The figure's CSV, or the reason why there is none. */
static char *csv_of(const char *name, const char *sweep, bool ascii) {
  bench_plot_source source = {.sweep = table_of(sweep)};
  bench_plot_style style = {.ascii = ascii, .columns = 126};
  bench_error error = {0};
  char why[BENCH_PLOT_WHY_MAX];
  char *text = NULL;
  size_t bytes = 0;
  FILE *to = open_memstream(&text, &bytes);
  assert_non_null(to);
  bench_code code = bench_plot_figure_write(figure_of(name), &source, &style, to, why, &error);
  fclose(to);
  if (code != BENCH_OK || why[0] != '\0') {
    assert_int_equal(bytes, 0);
    free(text);
    text = strdup(code != BENCH_OK ? error.message : why);
  }
  bench_plot_table_free(&source.sweep);
  return text;
}

#define TIME_HEADER                                                                  \
  "status,kernel,seq_q,seq_kv,tflops,pct_of_roof,time_ns_median,time_ns_p10,"        \
  "time_ns_p90,time_ns_ci_lo,time_ns_ci_hi,mask,device,git_commit,heads_q,heads_kv," \
  "head_dim\n"

static void check_csv(const char *name, const char *sweep, const char *expected) {
  char *text = csv_of(name, sweep, true);
  assert_string_equal(text, expected);
  free(text);
}

static void error_bars_and_roof(void **state) {
  (void)state;
  check_csv("throughput",
            TIME_HEADER
            "ok,flash,8,8,100,50,10,8,20,9,12.5,full,\"A, \"\"B\"\"\",abc,4,2,64\n"
            "ok,flash,16,16,100,,10,8,20,,,full,\"A, \"\"B\"\"\",abc,4,2,64\n",
            "panel,kernel,seq_kv,tflops,tflops_lo,tflops_hi,roof_tflops,slice,bars,origin\n"
            "0,flash,8,100,80,111.111111111111,200,mask full; 4 heads (2 kv) x 64,error bars: 95 % "
            "confidence interval of the median (no bar: too few samples),A; 'B'; commit abc\n"
            "0,flash,16,100,,,,mask full; 4 heads (2 kv) x 64,error bars: 95 % confidence interval "
            "of the median (no bar: too few samples),A; 'B'; commit abc\n");
  check_csv("time", TIME_HEADER "ok,flash,8,8,100,50,10,8,20,,,,,,,,\n",
            "panel,kernel,seq_kv,time_ns_median,time_ns_lo,time_ns_hi,slice,bars,origin\n"
            "0,flash,8,10,8,20,,error bars: 10th to 90th percentile of the samples,\n");
}

static void reasons(void **state) {
  (void)state;
  check_csv("throughput", TIME_HEADER "skipped,flash,8,8,,,,,,,,,,,,,\n", "no ok row has tflops");
  check_csv("scaling", "status,kernel,layers,params,time_ns_median\nok,flash,1,,5\nok,naive,1,,6\n",
            "no ok row has a time, with more than one number of layers or parameters");
  check_csv("entropy", HEADER, "there is no heads.csv");
  char *text = csv_of("shares", HEADER, true);
  assert_non_null(strstr(text, "has no column params"));
  free(text);
  text = csv_of("throughput", HEADER "ok,flash,fp32,1,8,8,fast\n", true);
  assert_non_null(strstr(text, "sweep.csv:2: tflops: \"fast\" is not a number"));
  free(text);
}

static void mask_names(void **state) {
  (void)state;
  static const struct {
    const char *mask;
    const char *label;
    const char *kind;
  } cases[] = {
      {"causal", "causal", "causal"},
      {"sink:4+window:256", "sink:4+window:256", "sink:+window:"},
      {"block:density=0.25:size=64:layout=random", "block:size=64:layout=random",
       "block:size=64:layout=random"},
      {"block:density=0.25", "block", "block"},
      {"", "", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[BENCH_PLOT_MASK_MAX];
    bench_plot_mask_label(cases[i].mask, text);
    assert_string_equal(text, cases[i].label);
    bench_plot_mask_kind(cases[i].mask, text);
    assert_string_equal(text, cases[i].kind);
  }
}

/* Labels stand apart, in the order of the densities, within the axis, at either end of it. */
static void check_labels(const char *text) {
  bench_plot_table table = table_of(text);
  bench_plot_slice slice;
  bench_plot_label *labels;
  size_t count;
  bench_error error = {0};
  assert_int_equal(bench_plot_slice_choose(&table, &figure_of("sparse")->panels[0], &slice, &error),
                   BENCH_OK);
  assert_int_equal(bench_plot_labels_make(&table, &slice, &labels, &count, &error), BENCH_OK);
  assert_int_equal(count, 4);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(labels[i].row, 3 - i);
    assert_true(labels[i].at >= 0 && labels[i].at <= 1);
    assert_true(i == 0 || labels[i].at - labels[i - 1].at > 0.05);
  }
  free(labels);
  bench_plot_slice_free(&slice);
  bench_plot_table_free(&table);
}

static void labels_have_room(void **state) {
  (void)state;
  check_labels(
      "status,kernel,mask,density,fraction_of_ideal\n"
      "ok,flash,d,0.5,1\nok,flash,c,0.499,1\nok,flash,b,0.498,1\n"
      "ok,flash,a,0.1,1\nok,blas,b,0.498,1\n");
  check_labels(
      "status,kernel,mask,density,fraction_of_ideal\n"
      "ok,flash,d,0.5,1\nok,flash,c,0.102,1\nok,flash,b,0.101,1\n"
      "ok,flash,a,0.1,1\n");
}

static void captions_break_where_a_line_is_full(void **state) {
  (void)state;
  bench_plot_table table = table_of(
      "dtype,mask,seq_q,seq_kv,layers,mode,batch,heads_q,heads_kv,"
      "head_dim\nbf16,causal,1,512,16,cold,2,8,8,64\n");
  static const bench_plot_axes axes = {.x = "params"};
  bench_plot_style style = {.columns = 126};
  char text[BENCH_PLOT_CAPTION_MAX];
  bench_plot_caption(&table, &axes, false, 0, &style, 200, text);
  assert_string_equal(text,
                      "dtype bf16 · mask causal · 512 tokens · seq_q 1 · 8 heads × 64 · "
                      "16 layers · batch 2 · cold");
  bench_plot_caption(&table, &axes, false, 0, &style, 26, text);
  assert_string_equal(text,
                      "dtype bf16 · mask causal|512 tokens · seq_q 1|8 heads × 64 · "
                      "16 layers|batch 2 · cold");
  bench_plot_table_free(&table);
}

static void quoting(void **state) {
  (void)state;
  char *text = bench_plot_quote("a/b-c_d.e \"'`\\\n");
  assert_string_equal(text, "\"a/b-c_d.e\\040\\042\\047\\140\\134\\012\"");
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(most_points_on_the_axis),
      cmocka_unit_test(then_most_points_of_all),
      cmocka_unit_test(then_first_in_the_file),
      cmocka_unit_test(what_is_no_point),
      cmocka_unit_test(tokens_are_fixed_for_the_batch),
      cmocka_unit_test(decode_is_apart),
      cmocka_unit_test(heads_of_one_problem),
      cmocka_unit_test(error_bars_and_roof),
      cmocka_unit_test(reasons),
      cmocka_unit_test(mask_names),
      cmocka_unit_test(labels_have_room),
      cmocka_unit_test(captions_break_where_a_line_is_full),
      cmocka_unit_test(quoting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
