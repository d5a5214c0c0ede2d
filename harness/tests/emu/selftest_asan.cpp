/* AddressSanitizer and UndefinedBehaviorSanitizer see into emulated memory: each stray access ends
 * the process with a report that names its line. Each runs in a process of its own. */
#include <sys/wait.h>
#include <unistd.h>

#include "selftest.h"

namespace {

enum Stray { NONE, STATIC, DYNAMIC, GLOBAL, LOCAL, MISALIGNED };
constexpr int LINE_OF_STRAY = __LINE__ + 22; /* of the one place where all of them happen */

struct Places {
  float *global;
  int64_t index;
  Stray stray;
};

void stray_kernel(Places places) {
  BENCH_SHARED(float, slot, [8]);
  BENCH_DYN_SMEM(memory, 16);
  volatile float local[8];
  for (int i = 0; i < 8; i++) {
    local[i] = 1.0f;
  }
  sync_threads();
  volatile char *at = reinterpret_cast<volatile char *>(places.global);
  at = places.stray == STATIC ? reinterpret_cast<volatile char *>(slot) : at;
  at = places.stray == DYNAMIC ? reinterpret_cast<volatile char *>(memory) : at;
  at = places.stray == LOCAL ? reinterpret_cast<volatile char *>(local) : at;
  at += places.stray == MISALIGNED ? 2 : 0;
  if (thread_x() == 3) {
    *reinterpret_cast<volatile float *>(at + 4 * places.index) = 2.0f;
  }
}

/* What a child prints to stderr, and whether it ended well. */
bool run_in_child(const Places &places, char *text, size_t bytes) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    set_options("schedule=fifo");
    _exit(BENCH_LAUNCH(stray_kernel, 1, 32, 32, nullptr, places) == BENCH_OK ? 0 : 1);
  }
  close(ends[1]);
  size_t used = 0;
  ssize_t got;
  while ((got = read(ends[0], text + used, bytes - 1 - used)) > 0) {
    used += (size_t)got;
  }
  text[used] = '\0';
  close(ends[0]);
  int status;
  waitpid(child, &status, 0);
  return status == 0;
}

void strays_name_their_line(void **state) {
  (void)state;
  static char text[1 << 20];
  float *global = static_cast<float *>(emu_memory_take(32));
  const Places good[] = {
      {global, 7, GLOBAL}, {global, 7, STATIC}, {global, 7, DYNAMIC}, {global, 0, LOCAL}};
  for (const Places &places : good) {
    if (!run_in_child(places, text, sizeof text)) {
      fail_msg("%s", text);
    }
  }
  const Places bad[] = {{global, 8, GLOBAL},  {global, -1, GLOBAL},   {global, 8, STATIC},
                        {global, -1, STATIC}, {global, 8, DYNAMIC},   {global, -1, DYNAMIC},
                        {global, 8, LOCAL},   {global, 1, MISALIGNED}};
  char place[64];
  snprintf(place, sizeof place, "selftest_asan.cpp:%d", LINE_OF_STRAY);
  for (const Places &places : bad) {
    if (run_in_child(places, text, sizeof text) || strstr(text, place) == nullptr) {
      fail_msg("stray %d, index %d: no %s in %s", (int)places.stray, (int)places.index, place,
               text);
    }
  }
  emu_memory_give(global);
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {cmocka_unit_test(strays_name_their_line)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
