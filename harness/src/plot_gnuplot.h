/* Runs gnuplot on one script. */
#ifndef BENCH_PLOT_GNUPLOT_H
#define BENCH_PLOT_GNUPLOT_H

#include <stddef.h>

#include "bench/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The folder of the scripts: beside the program's folder or in it (an unpacked bundle), else in the
 * source tree of the build. BENCH_ERR_ENV if it is in none of them. */
bench_code bench_plot_scripts(char *out, size_t bytes, bench_error *error);

/* `text` as a gnuplot string with nothing in it that gnuplot would expand. The caller frees; NULL
 * if memory is exhausted. */
char *bench_plot_quote(const char *text);

/* gnuplot with `variables` ("a=1;b='x'") on `script`; its messages go to our stderr. gnuplot is
 * missing: BENCH_ERR_ENV; it failed: BENCH_ERR_DEVICE. */
bench_code bench_plot_gnuplot(const char *script, const char *variables, bench_error *error);

#ifdef __cplusplus
}
#endif
#endif
