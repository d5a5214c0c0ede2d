/* A peer for tests: attention in double of fp32 inputs, full or causal, and kernels that go wrong
 * in one way each. It knows the protocol and the files, and nothing else of the harness. */
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct problem {
  json_int_t layers;
  json_int_t batch, heads_q, heads_kv, seq_q, seq_kv, dim;
  int causal;
  const char *folder;
} problem;

static void say(json_t *event) {
  json_dumpf(event, stdout, JSON_COMPACT);
  putchar('\n');
  fflush(stdout);
  json_decref(event);
}

static json_t *result(const char *status, const char *reason) {
  return json_pack("{s:s s:s s:s}", "ev", "result", "status", status, "reason", reason);
}

static float *array(const problem *p, const char *name, json_int_t layer, size_t count, int load) {
  char path[4096];
  float *values = calloc(count, sizeof *values);
  snprintf(path, sizeof path, "%s/%s%d.bin", p->folder, name, (int)layer);
  FILE *file = load ? fopen(path, "rb") : NULL;
  if (values == NULL || (load && (file == NULL || fread(values, 4, count, file) != count))) {
    fprintf(stderr, "peer_stub: %s: not there, or too short\n", path);
    exit(1);
  }
  if (file != NULL) {
    fclose(file);
  }
  return values;
}

static void store(const problem *p, const char *name, json_int_t layer, const float *values,
                  size_t count) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s%d.bin", p->folder, name, (int)layer);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(values, 4, count, file) != count || fclose(file) != 0) {
    exit(1);
  }
}

/* One row: `keys` of K and V are seen. Returns the log-sum-exp. */
static double row(const problem *p, const float *q, const float *k, const float *v, json_int_t keys,
                  float *o) {
  double *weight = malloc((size_t)(keys + 1) * sizeof *weight);
  double max = -INFINITY;
  double sum = 0;
  for (json_int_t j = 0; j < keys; j++) {
    weight[j] = 0;
    for (json_int_t d = 0; d < p->dim; d++) {
      weight[j] += (double)q[d] * (double)k[j * p->dim + d];
    }
    weight[j] /= sqrt((double)p->dim);
    max = fmax(max, weight[j]);
  }
  for (json_int_t j = 0; j < keys; j++) {
    weight[j] = exp(weight[j] - max);
    sum += weight[j];
  }
  for (json_int_t d = 0; d < p->dim; d++) {
    double out = 0;
    for (json_int_t j = 0; j < keys; j++) {
      out += weight[j] * (double)v[j * p->dim + d];
    }
    o[d] = keys > 0 ? (float)(out / sum) : 0;
  }
  free(weight);
  return max + log(sum);
}

static void layer(const problem *p, json_int_t l, const char *kernel) {
  const json_int_t rows = p->batch * p->heads_q * p->seq_q;
  const size_t q_count = (size_t)(rows * p->dim);
  const size_t kv_count = (size_t)(p->batch * p->heads_kv * p->seq_kv * p->dim);
  float *q = array(p, "q", l, q_count, 1);
  float *k = array(p, "k", l, kv_count, 1);
  float *v = array(p, "v", l, kv_count, 1);
  float *o = array(p, "o", l, q_count, 0);
  float *lse = array(p, "lse", l, (size_t)rows, 0);
  for (json_int_t r = 0; r < rows; r++) {
    const json_int_t head = r / p->seq_q / (p->heads_q / p->heads_kv);
    const json_int_t position = r % p->seq_q + p->seq_kv - p->seq_q;
    const json_int_t keys = !p->causal ? p->seq_kv : position + 1 < 0 ? 0 : position + 1;
    const json_int_t from = head * p->seq_kv * p->dim;
    lse[r] = (float)row(p, q + r * p->dim, k + from, v + from, keys, o + r * p->dim);
  }
  if (strcmp(kernel, "stub/wrong") == 0) {
    o[q_count - 1] += 0.25f;
  }
  store(p, "o", l, o, q_count - (strcmp(kernel, "stub/short") == 0));
  if (strcmp(kernel, "stub/bare") != 0) {
    lse[0] += strcmp(kernel, "stub/lse") == 0 ? 0.25f : 0;
    store(p, "lse", l, lse, (size_t)rows);
  }
  free(q);
  free(k);
  free(v);
  free(o);
  free(lse);
}

/* Writes its process id to the file STUB_PID, by which a test knows that the case has begun. */
static void tell_pid(void) {
  FILE *file = fopen(getenv("STUB_PID"), "w");
  if (file == NULL || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file) != 0) {
    exit(1);
  }
}

static json_int_t number(const json_t *attn, const char *key) {
  return json_integer_value(json_object_get(attn, key));
}

static void answer(const json_t *request) {
  const char *kernel = json_string_value(json_object_get(request, "kernel"));
  const json_t *attn = json_object_get(request, "attn");
  const char *mask = json_string_value(json_object_get(attn, "mask"));
  const char *dtype = json_string_value(json_object_get(attn, "dtype"));
  const problem p = {.layers = number(request, "layers_distinct"),
                     .batch = number(attn, "batch"),
                     .heads_q = number(attn, "heads_q"),
                     .heads_kv = number(attn, "heads_kv"),
                     .seq_q = number(attn, "seq_q"),
                     .seq_kv = number(attn, "seq_kv"),
                     .dim = number(attn, "head_dim"),
                     .causal = strcmp(mask, "causal") == 0,
                     .folder = json_string_value(json_object_get(request, "folder"))};
  if (strcmp(dtype, "fp32") != 0 || (!p.causal && strcmp(mask, "full") != 0)) {
    say(result("skipped", "the stub knows fp32, full and causal alone"));
    return;
  }
  if (strcmp(kernel, "stub/dies") == 0) {
    abort();
  }
  if (strcmp(kernel, "stub/slow") == 0) {
    tell_pid();
    sleep(7); /* of the 9 s that durable.c grants */
  }
  while (strcmp(kernel, "stub/hangs") == 0 && getenv("STUB_PID") != NULL) {
    tell_pid();
    pause();
  }
  struct timespec begin;
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (json_int_t l = 0; l < p.layers && strcmp(kernel, "stub/idle") != 0; l++) {
    layer(&p, l, kernel);
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  const double time_ns =
      (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
  json_t *told = result("ok", "");
  json_object_set_new(told, "samples", json_pack("[f,f,f]", time_ns, time_ns, time_ns));
  json_object_set_new(
      told, "columns",
      json_pack("{s:s s:f}", "variant", strchr(kernel, '/') + 1, "err_max_abs", 0.0));
  say(told);
}

int main(void) {
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, stdin) > 0) {
    json_t *request = json_loads(line, 0, NULL);
    const char *op = json_string_value(json_object_get(request, "op"));
    if (strcmp(op, "hello") == 0 && getenv("STUB_LACKS") != NULL) {
      say(json_pack("{s:s s:s}", "ev", "error", "reason", "the stub's library is not installed"));
    } else if (strcmp(op, "hello") == 0) {
      const char *names = getenv("STUB_KERNELS");
      json_t *kernels = json_array();
      char *copy = strdup(names != NULL ? names : "stub/right");
      for (char *name = strtok(copy, ","); name != NULL; name = strtok(NULL, ",")) {
        json_array_append_new(kernels, json_string(name));
      }
      free(copy);
      say(json_pack("{s:s s:i s:o}", "ev", "hello", "protocol", 1, "kernels", kernels));
    } else if (strcmp(op, "case") == 0) {
      answer(request);
    }
    json_decref(request);
  }
  free(line);
  return 0;
}
