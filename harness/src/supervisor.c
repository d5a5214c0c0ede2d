/* The parent's side of a worker, which runs in a process group of its own, so that Ctrl-C reaches
 * only the parent: it then decides what becomes of the case in hand. */
#include "src/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/row.h"
#include "platform/proc.h"
#include "sinks/file.h"
#include "src/json_lines.h"
#include "src/protocol.h"

/* How long a fresh worker may take to open its device: a CUDA context on a busy node. */
#define HELLO_TIMEOUT_S 120.0

/* After so long a killed worker, stuck in the kernel, is left behind. */
#define UNKILLABLE_S 10.0

/* The file that runs now, whatever has been built in its place since. */
static char this_executable[] = "/proc/self/exe";

struct bench_supervisor {
  char program[BENCH_PEER_COMMAND_MAX];
  bool peer;       /* then `program` is a command for the shell */
  json_t *kernels; /* of the peer's hello */
  char backend[16];
  int device_index;
  int threads;
  const volatile int *stop;
  int patience; /* wishes to stop that a running request outlives */
  bench_idle_fn *idle;
  void *idle_context;
  pid_t pid; /* 0: none runs */
  int to_worker;
  int from_worker;
  bench_json_lines lines;
  char phase[32];
  bench_device device;
};

bench_code bench_supervisor_open(const char *program, const char *backend, int device, int threads,
                                 const volatile int *stop, bench_supervisor **out,
                                 bench_error *error) {
  bench_supervisor *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for a worker");
  }
  snprintf(s->program, sizeof s->program, "%s", program != NULL ? program : this_executable);
  bench_text_copy(s->backend, sizeof s->backend, backend);
  s->device_index = device;
  s->threads = threads;
  s->stop = stop;
  *out = s;
  return BENCH_OK;
}

bench_code bench_supervisor_open_peer(const char *command, const bench_supervisor *like,
                                      bench_supervisor **out, bench_error *error) {
  bench_code code = bench_supervisor_open_like(like, out, error);
  if (code == BENCH_OK) {
    snprintf((*out)->program, sizeof(*out)->program, "%s", command);
    (*out)->peer = true;
    (*out)->threads = like->device.threads;
  }
  return code;
}

const json_t *bench_supervisor_kernels(const bench_supervisor *s) {
  return s->kernels;
}

bench_code bench_supervisor_open_like(const bench_supervisor *like, bench_supervisor **out,
                                      bench_error *error) {
  bench_code code = bench_supervisor_open(like->program, like->backend, like->device_index,
                                          like->threads, like->stop, out, error);
  if (code == BENCH_OK) {
    bench_supervisor_wait_like(*out, like);
  }
  return code;
}

void bench_supervisor_finish_requests(bench_supervisor *s) {
  s->patience = 1;
}

void bench_supervisor_on_idle(bench_supervisor *s, bench_idle_fn *idle, void *context) {
  s->idle = idle;
  s->idle_context = context;
}

void bench_supervisor_wait_like(bench_supervisor *s, const bench_supervisor *like) {
  s->patience = like->patience;
  s->idle = like->idle;
  s->idle_context = like->idle_context;
}

static void idle(const bench_supervisor *s) {
  if (s->idle != NULL) {
    s->idle(s->idle_context);
  }
}

/* Waits for the worker to leave, for a time. WNOWAIT: its status stays to be read, and of a zombie
 * that leads a group the group's number is not used again. */
static void await_exit(const bench_supervisor *s, double for_s) {
  const struct timespec pause = {.tv_nsec = 1000000};
  const double deadline_s = bench_proc_monotonic_s() + for_s;
  siginfo_t gone = {0};
  while (waitid(P_PID, (id_t)s->pid, &gone, WEXITED | WNOHANG | WNOWAIT) == 0 && gone.si_pid == 0 &&
         bench_proc_monotonic_s() < deadline_s) {
    idle(s);
    nanosleep(&pause, NULL);
  }
}

/* Ends the worker and returns its wait status. Its pipes are closed first, so that one that only
 * waits for requests leaves by itself; one that is still there after `grace_s` is killed. */
static int reap(bench_supervisor *s, double grace_s) {
  int status = 0;
  close(s->to_worker);
  close(s->from_worker);
  await_exit(s, grace_s);
  kill(-s->pid, SIGKILL); /* the group: the children of a wrapper too */
  await_exit(s, UNKILLABLE_S);
  waitpid(s->pid, &status, WNOHANG);
  s->pid = 0;
  s->lines.used = 0;
  return status;
}

void bench_supervisor_restart(bench_supervisor *s) {
  if (s->pid != 0) {
    reap(s, 1.0);
  }
}

void bench_supervisor_close(bench_supervisor *s) {
  if (s == NULL) {
    return;
  }
  bench_supervisor_restart(s);
  json_decref(s->kernels);
  free(s->lines.buffer);
  free(s);
}

static bench_code spawn_worker(bench_supervisor *s, bench_error *error) {
  int down[2];
  int up[2];
  if (pipe2(down, O_CLOEXEC) != 0) {
    return bench_fail(error, BENCH_ERR_ENV, "cannot make a pipe: %s", strerror(errno));
  }
  if (pipe2(up, O_CLOEXEC) != 0) {
    close(down[0]);
    close(down[1]);
    return bench_fail(error, BENCH_ERR_ENV, "cannot make a pipe: %s", strerror(errno));
  }
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  char *const own[] = {s->program, (char *)"--worker", NULL};
  char *const peer[] = {this_executable, (char *)"--peer", s->program, NULL};
  char *const *arguments = s->peer ? peer : own;
  int failed = posix_spawn(&s->pid, arguments[0], &actions, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(down[0]);
  close(up[1]);
  s->to_worker = down[1];
  s->from_worker = up[0];
  s->lines.used = 0;
  if (failed != 0) {
    close(s->to_worker);
    close(s->from_worker);
    s->pid = 0;
    return bench_fail(error, BENCH_ERR_ENV, "cannot start the worker %s: %s", s->program,
                      strerror(failed));
  }
  return BENCH_OK;
}

/* False if the worker is gone (EPIPE): the reader finds out why. */
static bool send_line(bench_supervisor *s, const json_t *request) {
  char *text = json_dumps(request, JSON_COMPACT);
  if (text == NULL) {
    return false;
  }
  size_t length = strlen(text);
  text[length] = '\n'; /* json_dumps' terminator; the length is kept */
  const bool sent =
      bench_file_write(s->to_worker, "the worker", text, length + 1, NULL) == BENCH_OK;
  free(text);
  return sent;
}

typedef enum read_outcome {
  READ_LINE,
  READ_GARBAGE,
  READ_END,
  READ_TIMEOUT,
  READ_STOPPED
} read_outcome;

/* One line, parsed, reading as needed until the deadline. */
static read_outcome read_event(bench_supervisor *s, double deadline_s, json_t **event) {
  for (;;) {
    if (bench_json_lines_take(&s->lines, event)) {
      return *event == NULL ? READ_GARBAGE : READ_LINE;
    }
    if (*s->stop > s->patience) {
      return READ_STOPPED;
    }
    idle(s);
    double left_s = deadline_s - bench_proc_monotonic_s();
    if (left_s <= 0) {
      return READ_TIMEOUT;
    }
    struct pollfd wait = {.fd = s->from_worker, .events = POLLIN};
    int ready = poll(&wait, 1, left_s < 0.2 ? (int)(left_s * 1e3) + 1 : 200);
    if (ready <= 0) {
      continue; /* a slice of the waiting is over, or a signal came */
    }
    switch (bench_json_lines_fill(&s->lines, s->from_worker)) {
      case BENCH_JSON_LINES_MORE:
        break;
      case BENCH_JSON_LINES_END:
        return READ_END;
      case BENCH_JSON_LINES_TOO_LONG:
        return READ_GARBAGE;
    }
  }
}

static bench_answer describe_death(bench_supervisor *s, int64_t oom_kills_before, char *reason) {
  int status = reap(s, 2.0);
  if (WIFSIGNALED(status)) {
    int number = WTERMSIG(status);
    if (number == SIGKILL && bench_proc_oom_kills() > oom_kills_before) {
      snprintf(reason, 512, "the worker was killed for memory during %s", s->phase);
      return BENCH_OOM_KILLED;
    }
    snprintf(reason, 512, "the worker was killed by signal %d (%s) during %s", number,
             strsignal(number), s->phase);
  } else {
    snprintf(reason, 512, "the worker exited with status %d during %s", WEXITSTATUS(status),
             s->phase);
  }
  return BENCH_CRASHED;
}

/* Reads events of one request until the one that ends it. */
static bench_answer converse(bench_supervisor *s, double timeout_s, bench_event_fn *on_event,
                             void *context, json_t **result, char reason[512]) {
  int64_t oom_kills = bench_proc_oom_kills();
  double deadline_s = bench_proc_monotonic_s() + timeout_s;
  for (;;) {
    json_t *event = NULL;
    switch (read_event(s, deadline_s, &event)) {
      case READ_LINE:
        break;
      case READ_GARBAGE:
        snprintf(reason, 512, "the worker wrote a line that is not JSON during %s", s->phase);
        reap(s, 0);
        return BENCH_CRASHED;
      case READ_END: {
        bench_answer death = describe_death(s, oom_kills, reason);
        return *s->stop > 0 ? BENCH_STOPPED : death; /* a signal to the whole job ends both */
      }
      case READ_TIMEOUT:
        snprintf(reason, 512, "no answer within %.3g s, during %s; the worker was killed",
                 timeout_s, s->phase);
        reap(s, 0);
        return BENCH_TIMED_OUT;
      case READ_STOPPED:
        snprintf(reason, 512, "stopped");
        reap(s, 0);
        return BENCH_STOPPED;
    }
    const char *kind = json_string_value(json_object_get(event, "ev"));
    if (kind == NULL) {
      kind = "";
    }
    if (strcmp(kind, "hello") == 0 || strcmp(kind, "result") == 0 || strcmp(kind, "error") == 0) {
      *result = event;
      return BENCH_ANSWERED;
    }
    if (strcmp(kind, "phase") == 0) {
      const char *name = json_string_value(json_object_get(event, "name"));
      bench_text_copy(s->phase, sizeof s->phase, name == NULL ? "?" : name);
    }
    if (on_event != NULL) {
      on_event(context, event);
    }
    json_decref(event);
  }
}

bench_code bench_supervisor_device(bench_supervisor *s, bench_device *out, bench_error *error) {
  if (s->pid == 0) {
    bench_code code = spawn_worker(s, error);
    if (code != BENCH_OK) {
      return code;
    }
    bench_text_copy(s->phase, sizeof s->phase, "start");
    json_t *hello =
        json_pack("{s:s s:i s:s s:i s:i}", "op", "hello", "protocol", BENCH_PROTOCOL, "backend",
                  s->backend, "device", s->device_index, "threads", s->threads);
    send_line(s, hello);
    json_decref(hello);
    json_t *answer = NULL;
    char reason[512];
    if (converse(s, HELLO_TIMEOUT_S, NULL, NULL, &answer, reason) != BENCH_ANSWERED) {
      return bench_fail(error, BENCH_ERR_DEVICE, "%s", reason);
    }
    const char *why = json_string_value(json_object_get(answer, "reason"));
    json_int_t spoken = json_integer_value(json_object_get(answer, "protocol"));
    if (why == NULL && spoken != BENCH_PROTOCOL) {
      code = bench_fail(error, BENCH_ERR_USAGE, "the worker speaks protocol %d, not %d",
                        (int)spoken, BENCH_PROTOCOL);
    } else if (why != NULL) {
      code = bench_fail(
          error,
          json_is_true(json_object_get(answer, "usage")) ? BENCH_ERR_USAGE : BENCH_ERR_UNSUPPORTED,
          "%s", why);
    } else {
      json_decref(s->kernels);
      s->kernels = json_incref(json_object_get(answer, "kernels"));
      if (!s->peer) {
        code = bench_device_from_json(json_object_get(answer, "device"), &s->device, error);
      }
    }
    json_decref(answer);
    if (code != BENCH_OK) {
      reap(s, 0);
      return code;
    }
  }
  *out = s->device;
  return BENCH_OK;
}

/* A worker that spoke unasked would answer this case with the last one's result, and one that died
 * while idle is no fault of this case. */
static void drop_if_out_of_step(bench_supervisor *s) {
  struct pollfd early = {.fd = s->from_worker, .events = POLLIN};
  if (s->pid != 0 && (s->lines.used > 0 || poll(&early, 1, 0) > 0)) {
    reap(s, 0);
  }
}

bench_answer bench_supervisor_request(bench_supervisor *s, const json_t *request, double timeout_s,
                                      bench_event_fn *on_event, void *context, json_t **result,
                                      char reason[512]) {
  bench_device device;
  bench_error error;
  *result = NULL;
  drop_if_out_of_step(s);
  if (bench_supervisor_device(s, &device, &error) != BENCH_OK) {
    snprintf(reason, 512, "the worker does not start: %.400s", error.message);
    return *s->stop ? BENCH_STOPPED : BENCH_CRASHED;
  }
  bench_text_copy(s->phase, sizeof s->phase, "request");
  send_line(s, request); /* a worker that is gone shows when its answer is read */
  return converse(s, timeout_s, on_event, context, result, reason);
}
