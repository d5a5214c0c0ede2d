/* Who sleeps, under an otherwise unchanged `bench`: linked in place of the functions by which a
 * process waits for time to pass. Each call adds a line with the function's name to the file
 * SLEEP_LOG. Two waits end by themselves and do not count: for a process to leave, which is asked
 * by waitid() before each nap, and for a file descriptor. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool leaving; /* a process was asked whether it has left */

static void note(const char *name) {
  if (!leaving) {
    FILE *log = fopen(getenv("SLEEP_LOG"), "ae");
    if (log == NULL || fprintf(log, "%s\n", name) < 0 || fclose(log) != 0) {
      abort();
    }
  }
  leaving = false;
}

int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
  leaving = true;
  return __real_waitid(type, id, info, options);
}

int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left) {
  note("nanosleep");
  return __real_nanosleep(time, left);
}

int __real_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                           struct timespec *left);
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                           struct timespec *left);
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                           struct timespec *left) {
  note("clock_nanosleep");
  return __real_clock_nanosleep(clock, flags, time, left);
}

int __real_usleep(useconds_t time_us);
int __wrap_usleep(useconds_t time_us);
int __wrap_usleep(useconds_t time_us) {
  note("usleep");
  return __real_usleep(time_us);
}

unsigned int __real_sleep(unsigned int time_s);
unsigned int __wrap_sleep(unsigned int time_s);
unsigned int __wrap_sleep(unsigned int time_s) {
  note("sleep");
  return __real_sleep(time_s);
}

int __real_poll(struct pollfd *files, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *files, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *files, nfds_t count, int timeout_ms) {
  if (count == 0) {
    note("poll");
  }
  return __real_poll(files, count, timeout_ms);
}

int __real_select(int count, fd_set *read, fd_set *write, fd_set *other, struct timeval *timeout);
int __wrap_select(int count, fd_set *read, fd_set *write, fd_set *other, struct timeval *timeout);
int __wrap_select(int count, fd_set *read, fd_set *write, fd_set *other, struct timeval *timeout) {
  if (count == 0) {
    note("select");
  }
  return __real_select(count, read, write, other, timeout);
}
