/* The cpu backend's clock rate, memory traffic and delays: see cpu_probe.h. */
#include "backends/cpu_probe.h"

#include <string.h>
#include <time.h>

#define CHAIN 16 /* additions in one block of assembly */
#define CHAINS 1500
#define CLOCK_TRIES 3

static int64_t raw_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#if defined(__x86_64__) || defined(__aarch64__)
/* Registers only: the newest cores fold the addition of a constant into nothing. */
static inline uint64_t chain(uint64_t sum, uint64_t step) {
  for (int i = 0; i < CHAIN; i++) {
#if defined(__x86_64__)
    __asm__ volatile("add %1, %0" : "+r"(sum) : "r"(step) : "cc");
#else
    __asm__ volatile("add %0, %0, %1" : "+r"(sum) : "r"(step));
#endif
  }
  return sum;
}

/* The shortest try is the one that nobody interrupted. */
double bench_cpu_clock_mhz(void) {
  static volatile uint64_t kept;
  int64_t shortest_ns = INT64_MAX;
  uint64_t sum = kept;
  for (int t = 0; t < CLOCK_TRIES; t++) {
    const int64_t start_ns = raw_ns();
    for (int i = 0; i < CHAINS; i++) {
      sum = chain(sum, 3);
    }
    const int64_t time_ns = raw_ns() - start_ns;
    shortest_ns = time_ns < shortest_ns ? time_ns : shortest_ns;
  }
  kept = sum;
  return shortest_ns > 0 ? 1e3 * CHAIN * CHAINS / (double)shortest_ns : 0;
}
#else
double bench_cpu_clock_mhz(void) {
  return 0;
}
#endif

/* Eight sums, so that no addition waits for the one before it. */
static uint64_t read_all(const uint64_t *from, int64_t words) {
  uint64_t sums[8] = {0};
  uint64_t sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sums[:8])
  for (int64_t i = 0; i < words; i += 8) {
    for (int64_t j = 0; j < 8; j++) {
      sums[j] += from[i + j];
    }
  }
  for (int j = 0; j < 8; j++) {
    sum += sums[j];
  }
  return sum;
}

#define PIECE_BYTES (INT64_C(1) << 18)

void bench_cpu_traffic(bench_traffic kind, void *to, const void *from, size_t bytes) {
  if (kind == BENCH_TRAFFIC_READ) {
    const uint64_t sum = read_all(from, (int64_t)(bytes / sizeof(uint64_t)));
    __asm__ volatile("" : : "r"(sum)); /* used, so that no compiler leaves the reading out */
    return;
  }
  const int64_t total = (int64_t)bytes;
#pragma omp parallel for schedule(static)
  for (int64_t at = 0; at < total; at += PIECE_BYTES) {
    const size_t piece = (size_t)(total - at < PIECE_BYTES ? total - at : PIECE_BYTES);
    if (kind == BENCH_TRAFFIC_WRITE) {
      memset((char *)to + at, 1, piece);
    } else {
      memcpy((char *)to + at, (const char *)from + at, piece);
    }
  }
}

void bench_cpu_delay(int64_t time_ns) {
  const int64_t end_ns = raw_ns() + time_ns;
  while (raw_ns() < end_ns) {
  }
}
