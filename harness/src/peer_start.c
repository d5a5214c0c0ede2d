/* A peer's command and the watcher beside it: see peer_start.h. */
#include "src/peer_start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than a parent that lives leaves a peer, which it then kills itself. */
#define LEAVE_WITHIN_S 3

static void watch(void) {
  signal(SIGINT, SIG_IGN); /* sent to the whole job, they are no reason to stop watching */
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  close(STDOUT_FILENO); /* whose end tells the parent that the peer is gone */
  struct pollfd parent = {.fd = STDIN_FILENO}; /* no events: requests are not for the watcher */
  while (poll(&parent, 1, -1) <= 0) {
  }
  sleep(LEAVE_WITHIN_S);
  kill(0, SIGKILL); /* the group, and the watcher with it */
}

/* Of a process between that ends at once: the peer must not find a child that it did not make. */
static bool start_watcher(void) {
  const pid_t between = fork();
  if (between == 0) {
    const pid_t watcher = fork();
    if (watcher == 0) {
      watch();
    }
    _exit(watcher > 0 ? 0 : 1);
  }
  int status;
  return between > 0 && waitpid(between, &status, 0) == between && status == 0;
}

int bench_peer_start(const char *command) {
  if (start_watcher()) {
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  }
  fprintf(stderr, "bench: cannot start the peer %s: %s\n", command, strerror(errno));
  return 4;
}
