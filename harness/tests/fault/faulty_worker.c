/* A worker whose `naive` kernel fails in a way that depends on the sequence length: what a crash,
 * a hang, a lie cost must be one row. Everything but the table below is the real worker. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/kernel_tables.h"
#include "src/worker.h"

extern const bench_kernel bench_kernel_cpu_naive_generic;

static bench_code honest(const bench_launch *launch) {
  return bench_kernel_cpu_naive_generic.launch(launch);
}

static bench_code segv(const bench_launch *launch) {
  (void)launch;
  signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would turn the death into an exit */
  raise(SIGSEGV);
  return BENCH_OK;
}

static bench_code killed(const bench_launch *launch) {
  (void)launch;
  kill(getpid(), SIGKILL);
  return BENCH_OK;
}

static bench_code hang(const bench_launch *launch) {
  (void)launch;
  for (;;) {
    pause();
  }
  return BENCH_OK;
}

static bench_code leaves(const bench_launch *launch) {
  (void)launch;
  _exit(3);
  return BENCH_OK;
}

static bench_code out_of_memory(const bench_launch *launch) {
  (void)launch;
  return BENCH_ERR_NOMEM;
}

static bench_code device_fault(const bench_launch *launch) {
  (void)launch;
  return BENCH_ERR_DEVICE;
}

static bench_code cannot_after_all(const bench_launch *launch) {
  return bench_fail(launch->error, BENCH_ERR_UNSUPPORTED, "there is no plan for 29 rows");
}

static bench_code wrong_value(const bench_launch *launch) {
  bench_code code = honest(launch);
  ((float *)launch->o)[bench_attn_q_elements(launch->attn) - 1] += 0.01f;
  return code;
}

static bench_code not_a_number(const bench_launch *launch) {
  bench_code code = honest(launch);
  memset(launch->o, 0xff, sizeof(float));
  return code;
}

static bench_code unwritten_lse(const bench_launch *launch) {
  bench_code code = honest(launch);
  memset(launch->lse, 0xff, sizeof(float));
  return code;
}

static bench_code out_of_bounds(const bench_launch *launch) {
  bench_code code = honest(launch);
  ((float *)launch->o)[bench_attn_q_elements(launch->attn)] = 0;
  return code;
}

/* The answer is right, but a line of the protocol is not. */
static bench_code chatters(const bench_launch *launch) {
  static const char line[] = "progress: 50 %\n";
  ssize_t written = write(STDOUT_FILENO, line, sizeof line - 1);
  (void)written;
  return honest(launch);
}

static const struct {
  int64_t seq;
  bench_code (*launch)(const bench_launch *launch);
} faults[] = {
    {13, segv},          {17, killed},        {19, hang},        {23, leaves},
    {59, out_of_memory}, {31, device_fault},  {37, wrong_value}, {41, not_a_number},
    {43, unwritten_lse}, {47, out_of_bounds}, {53, chatters},    {29, cannot_after_all},
};

static bench_code launch_faulty(const bench_launch *launch) {
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    if (launch->attn->seq_q == faults[i].seq) {
      return faults[i].launch(launch);
    }
  }
  return honest(launch);
}

static const char *faulty_why_not(const bench_attn *attn, const bench_device *device) {
  return bench_kernel_cpu_naive_generic.why_not(attn, device);
}

static size_t faulty_workspace(const bench_attn *attn, const bench_device *device) {
  return bench_kernel_cpu_naive_generic.workspace_bytes == NULL
             ? 0
             : bench_kernel_cpu_naive_generic.workspace_bytes(attn, device);
}

static const bench_kernel faulty = {
    .abi = BENCH_KERNEL_ABI,
    .family = "naive",
    .variant = "faulty",
    .summary = "fails on chosen lengths",
    .why_not = faulty_why_not,
    .workspace_bytes = faulty_workspace,
    .launch = launch_faulty,
};

const bench_kernel_entry bench_kernels_cpu[] = {{&faulty, "0000000000000000"}};
const size_t bench_kernels_cpu_count = 1;

int main(void) {
  return bench_worker_main();
}
