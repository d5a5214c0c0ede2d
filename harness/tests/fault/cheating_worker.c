/* A worker whose `naive` kernel cheats in a way that depends on the sequence length. All are right
 * when they are verified first, but for the one that has the mask wrong. The machine is said to
 * have a small cache, so that neither emptying it nor filling it takes long. Linked with
 * --wrap=bench_backend_find. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu.h"
#include "backends/kernel_tables.h"
#include "src/worker.h"

extern const bench_kernel bench_kernel_cpu_naive_generic;

static bench_code honest(const bench_launch *launch) {
  return bench_kernel_cpu_naive_generic.launch(launch);
}

static size_t o_bytes(const bench_attn *attn) {
  return (size_t)bench_attn_q_elements(attn) * bench_dtype_bytes(attn->dtype);
}

/* Computes once for each pair of pointers. */
static bench_code answers_by_pointer(const bench_launch *launch) {
  static const void *seen[1024][2];
  static size_t count;
  for (size_t i = 0; i < count; i++) {
    if (seen[i][0] == launch->q && seen[i][1] == launch->o) {
      return BENCH_OK;
    }
  }
  if (count < 1024) {
    seen[count][0] = launch->q;
    seen[count++][1] = launch->o;
  }
  return honest(launch);
}

/* Keeps its last answer, and gives it again where the first and last values of Q are the same. */
static bench_code answers_from_memory(const bench_launch *launch) {
  static float first;
  static float last;
  static void *o;
  static void *lse;
  const float *q = launch->q;
  const int64_t elements = bench_attn_q_elements(launch->attn);
  const size_t lse_bytes = (size_t)bench_attn_rows(launch->attn) * sizeof(float);
  if (o != NULL && q[0] == first && q[elements - 1] == last) {
    memcpy(launch->o, o, o_bytes(launch->attn));
    memcpy(launch->lse, lse, lse_bytes);
    return BENCH_OK;
  }
  const bench_code code = honest(launch);
  first = q[0];
  last = q[elements - 1];
  free(o);
  free(lse);
  o = malloc(o_bytes(launch->attn));
  lse = malloc(lse_bytes);
  memcpy(o, launch->o, o_bytes(launch->attn));
  memcpy(lse, launch->lse, lse_bytes);
  return code;
}

static bench_code has_the_mask_wrong(const bench_launch *launch) {
  bench_attn full = *launch->attn;
  memset(&full.mask, 0, sizeof full.mask); /* BENCH_MASK_FULL */
  bench_launch other = *launch;
  other.attn = &full;
  return honest(&other);
}

/* Verification launches once; from then on every other launch does nothing. */
static bench_code rests_while_timed(const bench_launch *launch) {
  static int64_t launches;
  return launches++ % 2 == 0 ? honest(launch) : BENCH_OK;
}

/* Leaves out the last half of the rows once it has been verified. */
static bench_code does_half_while_timed(const bench_launch *launch) {
  static int64_t launches;
  if (launches++ == 0) {
    return honest(launch);
  }
  bench_attn half = *launch->attn;
  half.heads_q = half.heads_kv = 1;
  bench_launch other = *launch;
  other.attn = &half;
  return honest(&other);
}

static bench_code writes_outside_while_timed(const bench_launch *launch) {
  static int64_t launches;
  const bench_code code = honest(launch);
  if (launches++ > 0) {
    ((float *)launch->o)[bench_attn_q_elements(launch->attn)] = 0;
  }
  return code;
}

/* The second launch finds its work done. */
static bench_code writes_its_inputs(const bench_launch *launch) {
  const bench_code code = honest(launch);
  memset((void *)launch->k, 0, sizeof(float));
  return code;
}

/* Rows that somebody poisoned, which are all of them when it is verified. */
static bench_code computes_what_is_watched(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const size_t row_bytes = (size_t)attn->head_dim * sizeof(float);
  const int64_t rows = bench_attn_rows(attn);
  bench_launch apart = *launch;
  apart.o = malloc(o_bytes(attn));
  apart.lse = malloc((size_t)rows * sizeof(float));
  const bench_code code = honest(&apart);
  for (int64_t row = 0; row < rows; row++) {
    if (isnan(launch->lse[row])) {
      launch->lse[row] = apart.lse[row];
      memcpy((char *)launch->o + (size_t)row * row_bytes,
             (const char *)apart.o + (size_t)row * row_bytes, row_bytes);
    }
  }
  free(apart.o);
  free(apart.lse);
  return code;
}

static const struct {
  int64_t seq;
  bench_code (*launch)(const bench_launch *launch);
} cheats[] = {
    {13, answers_by_pointer},    {17, answers_from_memory},        {19, has_the_mask_wrong},
    {23, rests_while_timed},     {29, writes_outside_while_timed}, {31, writes_its_inputs},
    {37, does_half_while_timed}, {41, computes_what_is_watched},
};

static bench_code launch_cheating(const bench_launch *launch) {
  for (size_t i = 0; i < sizeof cheats / sizeof cheats[0]; i++) {
    if (launch->attn->seq_q == cheats[i].seq) {
      return cheats[i].launch(launch);
    }
  }
  return honest(launch);
}

static const char *why_not(const bench_attn *attn, const bench_device *device) {
  return bench_kernel_cpu_naive_generic.why_not(attn, device);
}

static size_t workspace_bytes(const bench_attn *attn, const bench_device *device) {
  return bench_kernel_cpu_naive_generic.workspace_bytes == NULL
             ? 0
             : bench_kernel_cpu_naive_generic.workspace_bytes(attn, device);
}

static const bench_kernel cheating = {
    .abi = BENCH_KERNEL_ABI,
    .family = "naive",
    .variant = "cheating",
    .summary = "cheats on chosen lengths",
    .why_not = why_not,
    .workspace_bytes = workspace_bytes,
    .launch = launch_cheating,
};

const bench_kernel_entry bench_kernels_cpu[] = {{&cheating, "0000000000000000"}};
const size_t bench_kernels_cpu_count = 1;

static const bench_device *small_device(const bench_context *context) {
  static bench_device device;
  device = *bench_backend_cpu()->device(context);
  device.llc_bytes = 1 << 20;
  return &device;
}

static bench_code leave_cache(bench_context *context, bench_error *error) {
  (void)context;
  (void)error;
  return BENCH_OK;
}

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not);

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not) {
  static bench_backend small;
  (void)name;
  (void)why_not;
  small = *bench_backend_cpu();
  small.device = small_device;
  small.flush_cache = leave_cache;
  return &small;
}

int main(void) {
  return bench_worker_main();
}
