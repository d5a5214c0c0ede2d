/* What a call can answer, and the one error text that travels up to main.
 *
 * Rule: a function that can fail returns a bench_code and fills a bench_error at the place where
 * the fault is known; every level above only relays it; main prints it once and turns the code
 * into the exit status. Nothing here allocates. */
#ifndef BENCH_STATUS_H
#define BENCH_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bench_code {
  BENCH_OK = 0,
  BENCH_ERR_USAGE,       /* bad flag, config, checkpoint or text file: exit 2 */
  BENCH_ERR_UNSUPPORTED, /* cannot be done on this device or build: reason of a skipped row */
  BENCH_ERR_NOMEM,       /* host or device memory is exhausted: status oom */
  BENCH_ERR_DEVICE,      /* a device or library call failed: status failed */
  BENCH_ERR_ENV,         /* the environment failed (disk full, no permission): exit 4 */
} bench_code;

typedef struct bench_error {
  bench_code code;
  char message[2048]; /* one sentence; a config error may carry the line and a caret below it */
} bench_error;

/* Fills `error` (which may be NULL) and returns `code`, so that a fault reads
 * `return bench_fail(error, BENCH_ERR_USAGE, "%s: no such file", path);`. */
bench_code bench_fail(bench_error *error, bench_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* it sees one file at a time: the answer is `code`, not BENCH_OK */
#define bench_fail(error, code, ...) ((void)bench_fail(error, code, __VA_ARGS__), (code))
#endif

/* The exit status of the command line contract for a code. */
int bench_exit_status(bench_code code);

#ifdef __cplusplus
}
#endif
#endif
