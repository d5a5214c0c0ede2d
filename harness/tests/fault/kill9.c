/* kill -9 of the parent, the worker or both at random moments of real sweeps: the CSV always
 * parses, at most the case in hand is lost, and after --resume the set of rows is that of an
 * undisturbed run. test_kill9 [MOMENTS [SEED]] */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/input.h"
#include "platform/proc.h"
#include "run_bench.h"

static const char config[] =
    "[sweep]\nname = \"kill9\"\nkernels = [\"null\", \"naive\", \"flash\", \"vendor\"]\n"
    "modes = [\"cold\", \"warm\"]\nbudget = { case_s = 0.01 }\n[[grid]]\nseq = [16, 50]\n"
    "heads = [2]\nhead_dim = [32]\nmask = [\"full\", \"causal\"]\n";
enum { ROWS = 4 * 2 * 2 * 2 };

static int moments = 100;
static uint64_t seed = 1;

static const char *folder_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  return path;
}

/* Where a sweep says what it does. */
static const char *words_file(const char *name) {
  static char path[300];
  snprintf(path, sizeof path, "%s.words", folder_of(name));
  return path;
}

static pid_t start_sweep(const char *name) {
  char program[4200];
  char file[256];
  snprintf(program, sizeof program, "%s/bin/bench", BENCH_BINARY_DIR);
  snprintf(file, sizeof file, "%s", scratch_file("kill9.toml", config));
  const char *folder = folder_of(name);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    dup2(open("/dev/null", O_RDWR), STDOUT_FILENO);
    dup2(open(words_file(name), O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
    execl(program, "bench", "sweep", file, "--backend", "cpu", "--resume", "--progress", "always",
          "-o", folder, (char *)NULL);
    _exit(127);
  }
  return pid;
}

static pid_t parent_of(pid_t pid) {
  char path[64];
  char text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return -1;
  }
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  const char *behind = strrchr(text, ')');
  return behind == NULL ? -1 : (pid_t)strtol(behind + 4, NULL, 10);
}

/* The workers of a sweep: at most the one that measures and the one that is asked for memory. */
static int workers_of(pid_t parent, pid_t workers[8]) {
  int count = 0;
  DIR *folder = opendir("/proc");
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
    if (isdigit((unsigned char)entry->d_name[0]) && parent_of(pid) == parent && count < 8) {
      workers[count++] = pid;
    }
  }
  closedir(folder);
  return count;
}

/* "case_id mode status" of every row, sorted, as one text. */
static char *row_set(const result_table *table) {
  enum { LINE = 64 };
  char(*lines)[LINE] = calloc(table->rows + 1, LINE);
  char *text = calloc(table->rows + 1, LINE);
  for (size_t row = 0; row < table->rows; row++) {
    snprintf(lines[row], LINE, "%s %s %s\n", table_field(table, row, "case_id"),
             table_field(table, row, "mode"), table_field(table, row, "status"));
  }
  qsort(lines, table->rows, LINE, (int (*)(const void *, const void *))strcmp);
  char *end = text;
  for (size_t row = 0; row < table->rows; row++) {
    end = stpcpy(end, lines[row]);
  }
  free(lines);
  return text;
}

/* Rows that are ok, and that their samples stand behind them. */
static size_t good_rows(const char *name) {
  result_table rows = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
  result_table samples = read_table(folder_of(name), "samples.csv", &bench_sample_table);
  const size_t good = table_count(&rows, "status", "ok");
  size_t promised = 0;
  for (size_t row = 0; row < rows.rows; row++) {
    promised += strtoull(table_field(&rows, row, "samples"), NULL, 10);
  }
  assert_true(samples.rows >= promised);
  table_free(&rows);
  table_free(&samples);
  return good;
}

/* Of a sweep without its worker: it went on to its end, and one row at most is lost. */
static void check_without_worker(const char *words, const result_table *rows) {
  if (strstr(words, "during start") != NULL) {
    return; /* the worker was killed before there was a plan */
  }
  const size_t settled = table_count(rows, "status", "ok") + table_count(rows, "status", "skipped");
  assert_int_equal(rows->rows, ROWS);
  assert_true(settled >= ROWS - 1);
}

/* Of a sweep that was killed itself: whatever was begun before the case in hand has its row. */
static void check_without_parent(const char *words, const result_table *rows) {
  size_t begun = 0; /* with the one in hand, of `missing` when the sweep started */
  size_t missing = 0;
  for (const char *c = words; (c = strchr(c, '[')) != NULL; c++) {
    sscanf(c, "[%zu/%zu", &begun, &missing); /* the last progress line counts */
  }
  assert_true(begun == 0 || rows->rows >= ROWS - missing + begun - 1);
}

static double duration_s; /* of an undisturbed run */
static char *undisturbed;

static void one_run_to_compare_with(void **state) {
  (void)state;
  int status;
  const double start_s = bench_proc_monotonic_s();
  assert_true(waitpid(start_sweep("undisturbed"), &status, 0) > 0);
  duration_s = bench_proc_monotonic_s() - start_s;
  assert_int_equal(WEXITSTATUS(status), 0);
  result_table table = read_table(folder_of("undisturbed"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, ROWS);
  undisturbed = row_set(&table);
  table_free(&table);
}

/* Starts or resumes the sweep and kills something in it. True if it came to its end well before. */
static bool kill_once(const char *name, int moment, int counts[3]) {
  enum { PARENT, WORKER, BOTH };
  const uint64_t random = bench_hash64(seed, 0x6b696c6c, (uint64_t)moment);
  const int victim = moment % 3;
  const double wait_s = (double)(random >> 8 & 0xffff) / 65536 * duration_s * 0.6;
  pid_t pid = start_sweep(name);
  usleep((useconds_t)(wait_s * 1e6));
  const size_t before = good_rows(name);
  pid_t workers[8];
  const int count = workers_of(pid, workers);
  if (victim != WORKER) {
    kill(pid, SIGKILL);
  }
  for (int i = 0; i < count && victim != PARENT; i++) {
    kill(workers[i], SIGKILL);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid); /* without its worker, it goes on to its end */
  for (int i = 0; i < count; i++) {
    assert_true(process_ends(workers[i])); /* no worker outlives its parent */
  }
  char *words = file_text(words_file(name));
  result_table rows = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
  (victim == WORKER ? check_without_worker : check_without_parent)(words, &rows);
  table_free(&rows);
  free(words);
  counts[victim]++;
  assert_true(good_rows(name) >= before); /* only the case in hand may be lost */
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void kill_at_random_moments(void **state) {
  (void)state;
  int counts[3] = {0};
  int sweeps = 0;
  for (int moment = 0; moment < moments; sweeps++) {
    char name[32];
    snprintf(name, sizeof name, "sweep%d", sweeps);
    bool done = false;
    for (int kills = 0; !done && kills < 6 && moment < moments; kills++) {
      done = kill_once(name, moment++, counts);
    }
    int status;
    assert_true(waitpid(start_sweep(name), &status, 0) > 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    result_table table = read_table(folder_of(name), "sweep.csv", &bench_sweep_table);
    char *set = row_set(&table);
    assert_string_equal(set, undisturbed);
    free(set);
    table_free(&table);
  }
  printf("%d kills: %d of the parent, %d of the worker, %d of both, in %d sweeps\n", moments,
         counts[0], counts[1], counts[2], sweeps);
  free(undisturbed);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    moments = (int)strtol(argv[1], NULL, 10);
  }
  if (argc > 2) {
    seed = strtoull(argv[2], NULL, 10);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_run_to_compare_with),
      cmocka_unit_test(kill_at_random_moments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
