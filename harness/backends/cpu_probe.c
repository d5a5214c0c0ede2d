/* The cpu backend's clock rate, memory traffic and delays: see cpu_probe.h. */
#include "backends/cpu_probe.h"

#include <string.h>
#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

static void pass(bench_traffic kind, void *to, const void *from, size_t bytes) {
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

void bench_cpu_traffic(bench_traffic kind, void *to, const void *from, size_t bytes, int passes) {
  for (int i = 0; i < passes; i++) {
    pass(kind, to, from, bytes);
  }
}

void bench_cpu_delay(int64_t time_ns) {
  const int64_t end_ns = raw_ns() + time_ns;
  while (raw_ns() < end_ns) {
  }
}

/* As many sums as hide the latency of two units, and still fit the registers. */
#define SUMS 12
#define ROUNDS 4000000

/* x = x * near_1 + little in SUMS vectors, over and over. `multiply_add` is one instruction where
 * the machine has it. */
#define MULTIPLY_ADD_LOOP(name, attribute, vector, set1, multiply_add) \
  attribute static void name(void) {                                   \
    vector sums[SUMS];                                                 \
    const vector near_1 = set1(0.999f);                                \
    const vector little = set1(0.001f);                                \
    for (int i = 0; i < SUMS; i++) {                                   \
      sums[i] = set1((float)i);                                        \
    }                                                                  \
    for (int round = 0; round < ROUNDS; round++) {                     \
      _Pragma("GCC unroll 12") for (int i = 0; i < SUMS; i++) {        \
        sums[i] = multiply_add(sums[i], near_1, little);               \
      }                                                                \
    }                                                                  \
    __asm__ volatile("" : : "m"(sums)); /* used */                     \
  }

typedef float four __attribute__((vector_size(16)));
#define FOUR(x) ((four){x, x, x, x})
#define FOUR_MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
MULTIPLY_ADD_LOOP(multiply_add_four, , four, FOUR, FOUR_MULTIPLY_ADD)
#if defined(__x86_64__)
MULTIPLY_ADD_LOOP(multiply_add_avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps,
                  _mm256_fmadd_ps)
MULTIPLY_ADD_LOOP(multiply_add_avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps,
                  _mm512_fmadd_ps)
#endif

double bench_cpu_multiply_add(void) {
  void (*loop)(void) = multiply_add_four;
  int lanes = 4;
  int threads = 0;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    loop = multiply_add_avx512;
    lanes = 16;
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    loop = multiply_add_avx2;
    lanes = 8;
  }
#endif
#pragma omp parallel reduction(+ : threads)
  {
    loop();
    threads++;
  }
  return 2.0 * threads * lanes * SUMS * ROUNDS;
}
