/* The error text and the exit status of a code. */
#include "bench/status.h"

#include <stdarg.h>
#include <stdio.h>

#undef bench_fail /* the static analyzer's */

bench_code bench_fail(bench_error *error, bench_code code, const char *format, ...) {
  if (error != NULL) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    for (char *c = error->message; *c != '\0'; c++) { /* messages travel as JSON: no torn UTF-8 */
      *c = (unsigned char)*c < 0x80 ? *c : '?';
    }
    error->code = code;
  }
  return code;
}

int bench_exit_status(bench_code code) {
  switch (code) {
    case BENCH_OK:
      return 0;
    case BENCH_ERR_USAGE:
      return 2;
    case BENCH_ERR_UNSUPPORTED:
      return 3;
    case BENCH_ERR_NOMEM:
    case BENCH_ERR_DEVICE:
      return 1;
    case BENCH_ERR_ENV:
      return 4;
  }
  return 1;
}
