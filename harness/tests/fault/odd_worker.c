/* A foreign worker that speaks the protocol badly, in a way that depends on the sequence length. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/protocol.h"

static void say(json_t *event) {
  json_dumpf(event, stdout, JSON_COMPACT);
  putchar('\n');
  fflush(stdout);
  json_decref(event);
}

/* Three samples of `time_ns`; columns that are not a worker's to say. */
static json_t *result(const char *status, double time_ns) {
  return json_pack("{s:s s:s s:s s:{s:s s:s s:s s:f} s:[f,f,f]}", "ev", "result", "status", status,
                   "reason", "", "columns", "variant", "odd", "case_id", "0", "mode", "never",
                   "time_ns_median", 1.0, "samples", time_ns, time_ns, time_ns);
}

static void answer_case(int64_t seq) {
  double time_ns = (double)seq * 1000;
  switch (seq) {
    case 13:
      say(result("passed", time_ns));
      break;
    case 17:
      say(json_pack("{s:s s:s s:[s]}", "ev", "result", "status", "ok", "samples", "soon"));
      break;
    case 19:
      say(result("ok", time_ns));
      say(result("ok", time_ns));
      break;
    case 23:
      say(result("ok", -1));
      break;
    case 29:
      say(json_object());
      say(result("ok", time_ns));
      break;
    case 31:
      puts("50 % done");
      fflush(stdout);
      break;
    case 37:
      say(result("wrong", time_ns));
      break;
    default:
      say(result("ok", time_ns));
  }
}

int main(void) {
  char *line = NULL;
  size_t capacity = 0;
  bench_device device = {.backend = "cpu", .name = "odd", .numa_node = -1, .threads = 1};
  const char *protocol = getenv("ODD_PROTOCOL");
  while (getline(&line, &capacity, stdin) > 0) {
    json_t *request = json_loads(line, 0, NULL);
    const char *op = json_string_value(json_object_get(request, "op"));
    if (op != NULL && strcmp(op, "hello") == 0) {
      say(json_pack("{s:s s:i s:o}", "ev", "hello", "protocol",
                    protocol == NULL ? BENCH_PROTOCOL : atoi(protocol), "device",
                    bench_device_to_json(&device)));
    } else {
      answer_case(json_integer_value(json_object_get(json_object_get(request, "attn"), "seq_q")));
    }
    json_decref(request);
  }
  free(line);
  return 0;
}
