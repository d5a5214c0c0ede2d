/* A peer's case: our worker lays out the inputs, the peer computes and times, our worker judges. */
#include "src/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/row.h"

typedef struct peer_kernel {
  char name[BENCH_NAME_MAX];
  bench_supervisor *supervisor;
} peer_kernel;

struct bench_peers {
  bench_supervisor *own;
  bench_supervisor **supervisors;
  size_t supervisor_count;
  peer_kernel *kernels;
  const char **names;
  size_t count;
  char folder[4096]; /* "": none yet */
  bool has_inputs;   /* those of the problem `inputs` lie in the folder */
  uint64_t inputs;
  int64_t layers; /* distinct layers of any problem that lay there, at most */
};

static const char *const input_names[] = {"q", "k", "v", "row_begin", "column", "pattern"};
static const char *const output_names[] = {"o", "lse"};

static void remove_arrays(const bench_peers *peers, const char *const *names, size_t count) {
  for (int64_t l = 0; l < peers->layers; l++) {
    for (size_t i = 0; i < count; i++) {
      char path[4200];
      snprintf(path, sizeof path, "%s/%s%" PRId64 ".bin", peers->folder, names[i], l);
      unlink(path);
    }
  }
}

void bench_peers_close(bench_peers *peers) {
  if (peers == NULL) {
    return;
  }
  for (size_t i = 0; i < peers->supervisor_count; i++) {
    bench_supervisor_close(peers->supervisors[i]);
  }
  if (peers->folder[0] != '\0') {
    remove_arrays(peers, input_names, sizeof input_names / sizeof input_names[0]);
    remove_arrays(peers, output_names, sizeof output_names / sizeof output_names[0]);
    rmdir(peers->folder);
  }
  free(peers->supervisors);
  free(peers->kernels);
  free(peers->names);
  free(peers);
}

/* NULL, or what is wrong with the name of a peer's kernel. */
static const char *name_fault(const bench_peers *peers, const char *name) {
  if (name == NULL || strlen(name) >= BENCH_NAME_MAX || name[0] == '/' ||
      name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_/")] != '\0' ||
      strchr(name, '/') == NULL || strchr(name, '/') != strrchr(name, '/') ||
      strchr(name, '/')[1] == '\0') {
    return "is no FAMILY/VARIANT of a-z, 0-9 and _";
  }
  for (size_t i = 0; i < bench_family_count; i++) {
    if (bench_name_is_of(name, bench_families[i])) {
      return "is of a family of ours";
    }
  }
  for (size_t i = 0; i < peers->count; i++) {
    if (strcmp(peers->kernels[i].name, name) == 0) {
      return "is there twice";
    }
  }
  return NULL;
}

static bench_code add_kernels(bench_peers *peers, const char *command, bench_supervisor *supervisor,
                              bench_error *error) {
  const json_t *list = bench_supervisor_kernels(supervisor);
  const size_t count = json_array_size(list);
  if (count == 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "--peer %s: its hello names no kernels", command);
  }
  peer_kernel *larger = realloc(peers->kernels, (peers->count + count) * sizeof *larger);
  if (larger == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for peers");
  }
  peers->kernels = larger;
  for (size_t i = 0; i < count; i++) {
    const char *name = json_string_value(json_array_get(list, i));
    const char *fault = name_fault(peers, name);
    if (fault != NULL) {
      return bench_fail(error, BENCH_ERR_USAGE, "--peer %s: kernel \"%.64s\" %s", command,
                        name == NULL ? "" : name, fault);
    }
    peer_kernel *kernel = &peers->kernels[peers->count++];
    bench_text_copy(kernel->name, sizeof kernel->name, name);
    kernel->supervisor = supervisor;
  }
  return BENCH_OK;
}

static bench_code start_peer(bench_peers *peers, const char *command, bench_error *error) {
  bench_supervisor **slot = &peers->supervisors[peers->supervisor_count];
  bench_device ignored;
  bench_error why;
  if (strlen(command) >= BENCH_PEER_COMMAND_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE, "--peer: the command is too long");
  }
  bench_code code = bench_supervisor_open_peer(command, peers->own, slot, error);
  if (code != BENCH_OK) {
    return code;
  }
  peers->supervisor_count++;
  code = bench_supervisor_device(*slot, &ignored, &why);
  if (code != BENCH_OK) {
    return bench_fail(error, code, "--peer %.200s: %.250s", command, why.message);
  }
  return add_kernels(peers, command, *slot, error);
}

bench_code bench_peers_open(const char *const *commands, size_t count, bench_supervisor *own,
                            bench_target *target, bench_peers **out, bench_error *error) {
  bench_peers *peers = calloc(1, sizeof *peers);
  bench_code code = BENCH_OK;
  if (peers != NULL) {
    peers->own = own;
    peers->supervisors = calloc(count, sizeof *peers->supervisors);
  }
  if (peers == NULL || peers->supervisors == NULL) {
    free(peers);
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for peers");
  }
  for (size_t i = 0; code == BENCH_OK && i < count; i++) {
    code = start_peer(peers, commands[i], error);
  }
  if (code == BENCH_OK) {
    peers->names = malloc(peers->count * sizeof *peers->names);
    code =
        peers->names != NULL ? BENCH_OK : bench_fail(error, BENCH_ERR_NOMEM, "no memory for peers");
  }
  if (code != BENCH_OK) {
    bench_peers_close(peers);
    return code;
  }
  for (size_t i = 0; i < peers->count; i++) {
    peers->names[i] = peers->kernels[i].name;
  }
  target->peer_kernels = peers->names;
  target->peer_kernel_count = peers->count;
  *out = peers;
  return BENCH_OK;
}

bench_code bench_peers_at(bench_peers *peers, const char *folder, bench_error *error) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/.peers", folder) >= (int)sizeof path ||
      (mkdir(path, 0777) != 0 && errno != EEXIST) || realpath(path, peers->folder) == NULL) {
    peers->folder[0] = '\0';
    return bench_fail(error, BENCH_ERR_ENV, "%s/.peers: cannot be made: %s", folder,
                      strerror(errno));
  }
  return BENCH_OK;
}

void bench_peers_wait_like_own(bench_peers *peers) {
  for (size_t i = 0; i < peers->supervisor_count; i++) {
    bench_supervisor_wait_like(peers->supervisors[i], peers->own);
  }
}

bench_supervisor *bench_peers_supervisor(bench_peers *peers, size_t peer) {
  return peers->kernels[peer - 1].supervisor;
}

static bool is_ok(const json_t *result) {
  const char *status = json_string_value(json_object_get(result, "status"));
  return status != NULL && (strcmp(status, "ok") == 0 || strcmp(status, "invalid") == 0);
}

static json_t *failed_step(const char *step, const char *reason) {
  return json_pack("{s:s s:s s:o}", "ev", "result", "status", "failed", "reason",
                   json_sprintf("%s: %.400s", step, reason));
}

/* The request to our own worker in one of its modes for peers. Where that is not ok, *result is
 * what becomes of the case. */
static bench_answer ask_own(bench_peers *peers, const json_t *request, const char *mode,
                            double limit_s, json_t **result) {
  char reason[512] = "";
  json_t *own = json_copy((json_t *)request);
  json_object_set_new(own, "mode", json_string(mode));
  json_object_set_new(own, "stats", json_false());
  const bench_answer answer =
      bench_supervisor_request(peers->own, own, limit_s, NULL, NULL, result, reason);
  json_decref(own);
  if (answer == BENCH_STOPPED) {
    return answer;
  }
  if (answer != BENCH_ANSWERED) {
    *result = failed_step(mode, reason);
  } else if (json_object_get(*result, "status") == NULL) {
    const char *said = json_string_value(json_object_get(*result, "reason"));
    json_t *failed = failed_step(mode, said == NULL ? "no status" : said);
    json_decref(*result);
    *result = failed;
  }
  return BENCH_ANSWERED;
}

static bench_answer lay_out(bench_peers *peers, const bench_problem *problem, const json_t *request,
                            double limit_s, json_t **result) {
  if (peers->has_inputs && peers->inputs == problem->id) {
    return BENCH_ANSWERED;
  }
  remove_arrays(peers, input_names, sizeof input_names / sizeof input_names[0]);
  peers->has_inputs = false;
  if (peers->layers < problem->layers_distinct) {
    peers->layers = problem->layers_distinct;
  }
  const bench_answer answer = ask_own(peers, request, "export", limit_s, result);
  if (answer == BENCH_ANSWERED && is_ok(*result)) {
    peers->has_inputs = true;
    peers->inputs = problem->id;
    json_decref(*result);
    *result = NULL;
  }
  return answer;
}

/* Our worker's verdict takes the place of what the peer may have said of its errors. */
static bench_answer judge(bench_peers *peers, const json_t *request, double limit_s,
                          json_t **result) {
  json_t *verdict = NULL;
  const bench_answer answer = ask_own(peers, request, "judge", limit_s, &verdict);
  if (answer != BENCH_ANSWERED) {
    json_decref(*result);
    *result = NULL;
    return answer;
  }
  json_t *columns = json_object_get(*result, "columns");
  if (!json_is_object(columns)) {
    columns = json_object();
    json_object_set_new(*result, "columns", columns);
  }
  json_object_update(columns, json_object_get(verdict, "columns"));
  if (!is_ok(verdict)) {
    json_object_set(*result, "status", json_object_get(verdict, "status"));
    json_object_set(*result, "reason", json_object_get(verdict, "reason"));
  }
  json_decref(verdict);
  return BENCH_ANSWERED;
}

bench_answer bench_peers_case(bench_peers *peers, size_t peer, const bench_problem *problem,
                              const json_t *request, double limit_s, json_t **result,
                              char reason[512]) {
  json_t *asked = json_copy((json_t *)request);
  json_object_set_new(asked, "folder", json_string(peers->folder));
  *result = NULL;
  bench_answer answer = lay_out(peers, problem, asked, limit_s, result);
  if (answer == BENCH_ANSWERED && *result == NULL) {
    remove_arrays(peers, output_names, sizeof output_names / sizeof output_names[0]);
    answer = bench_supervisor_request(bench_peers_supervisor(peers, peer), asked, limit_s, NULL,
                                      NULL, result, reason);
    if (answer == BENCH_ANSWERED && is_ok(*result)) {
      answer = judge(peers, asked, limit_s, result);
    }
  }
  json_decref(asked);
  return answer;
}
