/* The logic of --resume over every prefix of a recorded run: a run is recorded write by write, and
 * for each number of bytes that may have reached the folder when it was killed, the resume must
 * keep what was whole and settled, make the rest again, and end with the same rows, heads and
 * samples. The same for kills inside the resume, and for power cuts that leave the rows and lose
 * the end of the heads or samples behind them. No worker takes part: what it would say is made up
 * here. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_bench.h"
#include "sinks/folder.h"
#include "src/resume.h"

static const char config_text[] =
    "[sweep]\nname = \"prefixes\"\nkernels = [\"null\", \"vendor\"]\nmodes = [\"cold\", \"warm\"]\n"
    "[[grid]]\nseq = [4, 8, 6]\nheads = [2]\nhead_dim = [32]\n";
enum { ROWS = 12, SAMPLES = 3, FILES = 3, HEADS = 2 };

static const char *const names[FILES] = {"sweep.csv", "heads.csv", "samples.csv"};
static const char commit[] = "0123456789ab";

/* The writes of the recorded run, in their order. */
static struct {
  int file;
  size_t bytes;
  char *text;
} writes[256];
static size_t write_count;
static bool recording;
static int64_t bytes_left = INT64_MAX; /* until this process is killed */

ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);

static int file_of(int fd) {
  char link[64];
  char path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  const char *name = strrchr(path, '/');
  for (int i = 0; name != NULL && i < FILES; i++) {
    if (strcmp(name + 1, names[i]) == 0) {
      return i;
    }
  }
  return -1;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t count) {
  if (recording && file_of(fd) >= 0) {
    writes[write_count].file = file_of(fd);
    writes[write_count].bytes = count;
    writes[write_count].text = malloc(count);
    memcpy(writes[write_count++].text, bytes, count);
  }
  if ((int64_t)count > bytes_left) {
    const ssize_t written = __real_write(fd, bytes, (size_t)bytes_left);
    _exit(written < 0 ? 2 : 0);
  }
  bytes_left -= bytes_left == INT64_MAX ? 0 : (int64_t)count;
  return __real_write(fd, bytes, count);
}

/* What the kernel has is not lost by a kill, and thousands of folders need not reach a disk. */
int __wrap_fdatasync(int fd) {
  (void)fd;
  return 0;
}

int __wrap_fsync(int fd) {
  (void)fd;
  return 0;
}

static bench_config config;
static bench_plan plan;
static bench_target target;

static void make_plan(void) {
  bench_error error;
  target = (bench_target){.backend = bench_backend_find("cpu", &error),
                          .device = {.backend = "cpu",
                                     .name = "a device",
                                     .threads = 1,
                                     .mem_bytes = INT64_C(1) << 34,
                                     .llc_bytes = 1 << 20}};
  assert_int_equal(bench_config_parse("prefixes.toml", ".", config_text, strlen(config_text), NULL,
                                      0, &config, &error),
                   BENCH_OK);
  assert_int_equal(bench_plan_build(&config, &target, &plan, &error), BENCH_OK);
  assert_int_equal(bench_plan_rows(&plan), ROWS);
}

/* Row `index` of the plan as its run would leave it; `status` NULL: well. Returns its samples. */
static size_t make_row(size_t index, const char *status, bench_row *row, double samples[SAMPLES]) {
  const bench_case *planned = &plan.cases[index / plan.mode_count];
  const bench_mode mode = plan.modes[index % plan.mode_count];
  const char *why_not = bench_plan_why_not(planned, mode, &target);
  bench_plan_row(&plan, planned, mode, &target, row);
  bench_text_copy(row->git_commit, sizeof row->git_commit, commit);
  bench_text_copy(row->status, sizeof row->status,
                  why_not != NULL  ? "skipped"
                  : status != NULL ? status
                                   : "ok");
  bench_text_copy(row->reason, sizeof row->reason, why_not != NULL ? why_not : "");
  if (strcmp(row->status, "ok") != 0 && strcmp(row->status, "invalid") != 0) {
    return 0;
  }
  for (int i = 0; i < SAMPLES; i++) {
    samples[i] = (double)index * 1000 + i;
  }
  row->samples = SAMPLES;
  row->time_ns_median = samples[1];
  row->entropy_nats = 0.5;
  return SAMPLES;
}

static void write_row(bench_folder *folder, size_t index, const char *status) {
  bench_row row;
  bench_error error;
  double samples[SAMPLES];
  bench_head_row heads[HEADS];
  const size_t count = make_row(index, status, &row, samples);
  for (int i = 0; i < HEADS; i++) {
    bench_table_clear(&bench_head_table, &heads[i]);
    bench_text_copy(heads[i].problem_id, sizeof heads[i].problem_id, row.problem_id);
    heads[i].head = i;
    heads[i].lse = (double)i / 3;
  }
  if (bench_folder_write(folder, &row, heads, count > 0 ? HEADS : 0, samples, NULL, count,
                         &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
}

/* What the recorded run found; of the rows of `vendor` that there is no kernel of it. */
static const char *const found[ROWS] = {
    [0] = NULL, [1] = "crashed", [4] = "invalid", [5] = NULL, [8] = "oom", [9] = "wrong"};

/* Does this row of the recorded run need no second one? */
static bool settles(size_t index) {
  bench_row row;
  double samples[SAMPLES];
  make_row(index, found[index], &row, samples);
  return strcmp(row.status, "ok") == 0 || strcmp(row.status, "skipped") == 0;
}

static const char *folder_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
  return path;
}

static void record(void) {
  bench_folder *folder;
  bench_error error;
  recording = true;
  assert_int_equal(bench_folder_open(folder_of("recorded"), &config, NULL, &folder, &error),
                   BENCH_OK);
  for (size_t i = 0; i < ROWS; i++) {
    write_row(folder, i, found[i]);
  }
  assert_int_equal(bench_folder_close(folder, &error), BENCH_OK);
  recording = false;
}

/* Of one file of the recorded run, or of all (FILES). */
static size_t recorded_bytes(int file) {
  size_t bytes = 0;
  for (size_t i = 0; i < write_count; i++) {
    bytes += file == FILES || writes[i].file == file ? writes[i].bytes : 0;
  }
  return bytes;
}

/* The folder as it was after so many bytes of the recorded run, with *rows whole rows. */
static void lay_out(size_t bytes, size_t *rows) {
  int fds[FILES];
  mkdir(folder_of("cut"), 0777);
  for (int i = 0; i < FILES; i++) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder_of("cut"), names[i]);
    fds[i] = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  }
  *rows = 0;
  for (size_t i = 0; i < write_count && bytes > 0; i++) {
    const size_t part = bytes < writes[i].bytes ? bytes : writes[i].bytes;
    assert_int_equal(__real_write(fds[writes[i].file], writes[i].text, part), part);
    *rows += part == writes[i].bytes && writes[i].file == 0 && i > 0; /* the header is none */
    bytes -= part;
  }
  for (int i = 0; i < FILES; i++) {
    close(fds[i]);
  }
}

/* Opens the folder as --resume does, and makes what is missing. rows: that were whole before;
 * SIZE_MAX: unknown. */
static void resume_and_finish(size_t rows) {
  bench_folder *folder;
  bench_error error;
  bench_resume logic = {.folder = "cut", .commit = commit};
  assert_int_equal(bench_resume_plan_whole(&logic, &plan, &error), BENCH_OK);
  assert_int_equal(bench_resume_plan_selected(&logic, &plan, &target, &error), BENCH_OK);
  const bench_folder_resume resume = {.judge = bench_resume_judge, .context = &logic};
  if (bench_folder_open(folder_of("cut"), &config, &resume, &folder, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  for (size_t i = 0; i < ROWS; i++) {
    bench_row row;
    double samples[SAMPLES];
    make_row(i, NULL, &row, samples);
    const bool there = bench_folder_has_row(folder, row.case_id, row.mode);
    if (rows != SIZE_MAX) {
      assert_int_equal(there, i < rows && settles(i));
    }
    if (!there) {
      write_row(folder, i, NULL);
    }
  }
  assert_int_equal(bench_folder_close(folder, &error), BENCH_OK);
  bench_resume_free(&logic);
}

/* Every planned row once and well, each ok row with its samples, each problem with its heads. */
static void check_whole(void) {
  result_table rows = read_table(folder_of("cut"), "sweep.csv", &bench_sweep_table);
  result_table samples = read_table(folder_of("cut"), "samples.csv", &bench_sample_table);
  result_table heads = read_table(folder_of("cut"), "heads.csv", &bench_head_table);
  assert_int_equal(rows.rows, ROWS);
  assert_int_equal(samples.rows, ROWS / 2 * SAMPLES);
  assert_int_equal(heads.rows, ROWS / 4 * HEADS);
  for (size_t i = 0; i < ROWS; i++) {
    bench_row row;
    double values[SAMPLES];
    size_t found_rows = 0;
    const size_t count = make_row(i, NULL, &row, values);
    for (size_t r = 0; r < ROWS; r++) {
      found_rows += strcmp(table_field(&rows, r, "case_id"), row.case_id) == 0 &&
                    strcmp(table_field(&rows, r, "mode"), row.mode) == 0 &&
                    strcmp(table_field(&rows, r, "status"), row.status) == 0;
    }
    assert_int_equal(found_rows, 1);
    size_t next = 0;
    for (size_t s = 0; s < samples.rows; s++) {
      if (strcmp(table_field(&samples, s, "case_id"), row.case_id) == 0 &&
          strcmp(table_field(&samples, s, "mode"), row.mode) == 0) {
        assert_true(next < count && atof(table_field(&samples, s, "time_ns")) == values[next]);
        next++;
      }
    }
    assert_int_equal(next, count);
    assert_int_equal(table_count(&heads, "problem_id", row.problem_id), HEADS);
  }
  table_free(&rows);
  table_free(&samples);
  table_free(&heads);
}

static void every_prefix(void **state) {
  (void)state;
  make_plan();
  record();
  const size_t total = recorded_bytes(FILES);
  for (size_t bytes = 0; bytes <= total; bytes++) {
    size_t rows;
    lay_out(bytes, &rows);
    result_table before = read_table(folder_of("cut"), "sweep.csv", &bench_sweep_table);
    assert_int_equal(before.rows, rows); /* it parses as it is */
    table_free(&before);
    resume_and_finish(rows);
    check_whole();
  }
  printf("%zu prefixes of %zu writes\n", total + 1, write_count);
}

/* Cuts the last bytes off a file that was laid out whole. */
static void lose_tail(int file, size_t bytes) {
  char path[300];
  const size_t whole = recorded_bytes(file);
  snprintf(path, sizeof path, "%s/%s", folder_of("cut"), names[file]);
  assert_int_equal(truncate(path, (off_t)(bytes < whole ? whole - bytes : 0)), 0);
}

/* The kernel writes files back in any order: the rows may be on the disk before what they stand
 * for. Heads alone, samples alone and both are cut, by every number of bytes. */
static void every_tail_lost(void **state) {
  (void)state;
  enum { HEADS_FILE = 1, SAMPLES_FILE = 2 }; /* of `names`, and bits of `files` */
  size_t most = recorded_bytes(HEADS_FILE);
  most = recorded_bytes(SAMPLES_FILE) > most ? recorded_bytes(SAMPLES_FILE) : most;
  for (size_t bytes = 1; bytes <= most; bytes++) {
    for (int files = HEADS_FILE; files <= (HEADS_FILE | SAMPLES_FILE); files++) {
      size_t rows;
      lay_out(recorded_bytes(FILES), &rows);
      lose_tail(HEADS_FILE, (files & HEADS_FILE) != 0 ? bytes : 0);
      lose_tail(SAMPLES_FILE, (files & SAMPLES_FILE) != 0 ? bytes : 0);
      resume_and_finish(SIZE_MAX);
      check_whole();
    }
  }
  printf("%zu lost tails\n", 3 * most);
}

/* A resume that is itself killed, after so many bytes in steps of STEP. */
static void every_resume_cut_again(void **state) {
  (void)state;
  enum { STEP = 61 };
  size_t bytes = 0;
  size_t kills = 0;
  for (size_t i = 0; i < write_count; i++) {
    bytes += writes[i].bytes;
    bool killed = true;
    for (int64_t cut = 0; killed; cut += STEP) {
      size_t rows;
      lay_out(bytes - writes[i].bytes / 2, &rows);
      pid_t child = fork();
      assert_true(child >= 0);
      if (child == 0) {
        bytes_left = cut;
        resume_and_finish(rows);
        _exit(1); /* came to its end */
      }
      int status;
      assert_int_equal(waitpid(child, &status, 0), child);
      killed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 1));
      resume_and_finish(SIZE_MAX);
      check_whole();
      kills += killed;
    }
  }
  printf("%zu kills inside a resume\n", kills);
  bench_plan_free(&plan);
  bench_config_free(&config);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_prefix),
      cmocka_unit_test(every_tail_lost),
      cmocka_unit_test(every_resume_cut_again),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
