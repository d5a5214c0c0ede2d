/* The table of figures. */
#include "src/plot_figure.h"

#include <string.h>

static bool is_masked(const bench_plot_table *table, size_t row) {
  char text[BENCH_PLOT_TEXT_MAX];
  return strcmp(bench_plot_table_text(table, row, "mask", text), "full") != 0;
}

static bool is_block(const bench_plot_table *table, size_t row) {
  char text[BENCH_PLOT_TEXT_MAX];
  return strcmp(bench_plot_table_text(table, row, "scope", text), "block") == 0;
}

/* Real queries and keys before drawn ones, whose layers are all alike. */
static int real_input_first(const bench_plot_table *table, size_t row) {
  char text[BENCH_PLOT_TEXT_MAX];
  return strncmp(bench_plot_table_text(table, row, "input", text), "model:", 6) == 0 ? 0 : 1;
}

// clang-format off
#define TIME_COLUMNS                                          \
  {"time_ns_median", BENCH_PLOT_NUMBER, "time_ns_median"},    \
  {"time_ns_lo", BENCH_PLOT_TIME_LO, ""},                     \
  {"time_ns_hi", BENCH_PLOT_TIME_HI, ""}
#define RATE_COLUMNS(column)                                  \
  {#column, BENCH_PLOT_NUMBER, #column},                      \
  {#column "_lo", BENCH_PLOT_RATE_LO, #column},               \
  {#column "_hi", BENCH_PLOT_RATE_HI, #column}
#define HEADS_COLUMNS(column)                                 \
  {#column, BENCH_PLOT_MEAN, #column},                        \
  {#column "_min", BENCH_PLOT_LEAST, #column},                \
  {#column "_max", BENCH_PLOT_GREATEST, #column}
#define TEXT_COLUMN(column) {#column, BENCH_PLOT_TEXT, #column}
#define NUMBER_COLUMN(column) {#column, BENCH_PLOT_NUMBER, #column}
/* What a model's preset fixes with its parameters. */
#define OF_A_MODEL {"model", "layers", "heads_q", "heads_kv", "head_dim"}

const bench_plot_figure bench_plot_figures[] = {
    {.name = "throughput", .source = "sweep.csv",
     .shows = "TFLOP/s against sequence length, and the roof where it was measured",
     .nothing = "no ok row has tflops",
     .panels = {{.x = "seq_kv", .series = {"kernel"}, .needs = "tflops"}},
     .columns = {TEXT_COLUMN(kernel), NUMBER_COLUMN(seq_kv), RATE_COLUMNS(tflops),
                 {"roof_tflops", BENCH_PLOT_ROOF, "tflops"}}},
    {.name = "time", .source = "sweep.csv",
     .shows = "median time by kernel against sequence length",
     .nothing = "no ok row has a time",
     .panels = {{.x = "seq_kv", .series = {"kernel"}, .needs = "time_ns_median"}},
     .columns = {TEXT_COLUMN(kernel), NUMBER_COLUMN(seq_kv), TIME_COLUMNS}},
    {.name = "memory", .source = "sweep.csv",
     .shows = "memory predicted and measured against sequence length",
     .nothing = "no ok row has mem_predicted_bytes",
     .panels = {{.x = "seq_kv", .series = {"kernel"}, .needs = "mem_predicted_bytes"}},
     .columns = {TEXT_COLUMN(kernel), NUMBER_COLUMN(seq_kv), NUMBER_COLUMN(mem_peak_bytes),
                 NUMBER_COLUMN(mem_predicted_bytes)}},
    {.name = "scaling", .source = "sweep.csv",
     .shows = "time against layers and against parameters",
     .nothing = "no ok row has a time, with more than one number of layers or parameters",
     .panels = {{.x = "layers", .series = {"kernel"}, .needs = "time_ns_median"},
                {.x = "params", .series = {"kernel"}, .needs = "time_ns_median",
                 .free = OF_A_MODEL}},
     .least_xs = 2,
     .columns = {TEXT_COLUMN(kernel), NUMBER_COLUMN(layers), NUMBER_COLUMN(params), TIME_COLUMNS}},
    {.name = "sparse", .source = "sweep.csv",
     .shows = "fraction of the ideal speed-up against the mask's density",
     .nothing = "no ok row with a mask other than full has fraction_of_ideal",
     .panels = {{.x = "density", .series = {"kernel"}, .free = {"mask"},
                 .needs = "fraction_of_ideal", .wanted = is_masked}},
     .columns = {TEXT_COLUMN(kernel), TEXT_COLUMN(mask), {"kind", BENCH_PLOT_KIND, "mask"},
                 NUMBER_COLUMN(density), RATE_COLUMNS(fraction_of_ideal),
                 {"label", BENCH_PLOT_LABEL, "mask"}, {"label_at", BENCH_PLOT_LABEL_AT, "mask"}}},
    {.name = "entropy", .source = "heads.csv",
     .shows = "normalised attention entropy by layer",
     .nothing = "no row has entropy_norm",
     .panels = {{.x = "layer", .series = {"model", "mask"}, .needs = "entropy_norm",
                 .rank = real_input_first, .within = "problem_id"}},
     .columns = {TEXT_COLUMN(model), TEXT_COLUMN(mask), NUMBER_COLUMN(layer),
                 HEADS_COLUMNS(entropy_norm)}},
    {.name = "distance", .source = "heads.csv",
     .shows = "mean attention distance by layer, with and without the first key",
     .nothing = "no row has distance_tokens",
     .panels = {{.x = "layer", .series = {"model", "mask"}, .needs = "distance_tokens",
                 .rank = real_input_first, .within = "problem_id"}},
     .columns = {TEXT_COLUMN(model), TEXT_COLUMN(mask), NUMBER_COLUMN(layer),
                 HEADS_COLUMNS(distance_tokens), HEADS_COLUMNS(distance_nosink_tokens)}},
    {.name = "shares", .source = "sweep.csv",
     .shows = "shares of the projections and of attention in a block's time, against parameters",
     .nothing = "no ok row of scope block has attention_share",
     .panels = {{.x = "params", .series = {"kernel"}, .needs = "attention_share",
                 .free = OF_A_MODEL, .wanted = is_block}},
     .columns = {TEXT_COLUMN(kernel), NUMBER_COLUMN(params), NUMBER_COLUMN(attention_share),
                 NUMBER_COLUMN(projection_share)}},
};
// clang-format on

const size_t bench_plot_figure_count = sizeof bench_plot_figures / sizeof bench_plot_figures[0];
