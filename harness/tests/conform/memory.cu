/* Conformance of reads and writes: 16 bytes at a time, and copies that do not wait. */
#include "conform.h"
#include "cuda/device.h"

namespace CONFORM_SIDE {

#define THREADS 32
#define CHUNK 16

/* ---- load_global16, store_shared16, load_shared4, store_shared4, load_shared16, store_global16:
 * each thread's 16 bytes, with the words turned round on the way ---- */
BENCH_KERNEL_FN(THREADS) void words_kernel(const unsigned char *in, unsigned char *out) {
  BENCH_SHARED(dev_u128, held, [2 * THREADS]);
  const int t = thread_x();
  const smem_addr first = smem_of(held) + (smem_addr)t * CHUNK;
  const smem_addr second = first + THREADS * CHUNK;
  store_shared16(first, load_global16(in + t * CHUNK));
  for (smem_addr i = 0; i < 4; i++) {
    store_shared4(second + 4 * i, load_shared4(first + 4 * (3 - i)));
  }
  store_global16(out + t * CHUNK, load_shared16(second));
}
static bench_code words_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(words_kernel, 1, THREADS, 0, nullptr, static_cast<const unsigned char *>(in),
                      static_cast<unsigned char *>(out));
}
static void words_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)c;
  for (size_t t = 0; t < THREADS; t++) {
    for (size_t i = 0; i < 4; i++) {
      conform_put(out, 4 * t + i, conform_at<uint32_t>(in, 4 * t + 3 - i));
    }
  }
}

/* ---- cp.async: each thread fills its 16 bytes, by pieces of `size`, of which `read` are read ----
 */
BENCH_KERNEL_FN(THREADS)
void copy_kernel(int size, int read, const unsigned char *in, unsigned char *out) {
  BENCH_SHARED(dev_u128, held, [THREADS]);
  const int t = thread_x();
  const smem_addr to = smem_of(held) + (smem_addr)t * CHUNK;
  const unsigned char *from = in + t * CHUNK;
  if (size == 16 && read < 16) {
    cp_async16_zfill(to, from, read);
  } else if (size == 16) {
    cp_async16(to, from);
  } else if (size == 8) {
    cp_async8(to, from + 8); /* each half in the other's place, in groups of their own */
    cp_async_commit();
    cp_async8(to + 8, from);
  } else {
    for (int i = 0; i < CHUNK; i += 4) {
      cp_async4(to + (smem_addr)(CHUNK - 4 - i), from + i);
      cp_async_commit();
    }
  }
  cp_async_commit();
  cp_async_wait<0>();
  store_global16(out + t * CHUNK, load_shared16(to));
}
static bench_code copy_launch(const conform_case *c, const void *in, void *out) {
  return BENCH_LAUNCH(copy_kernel, 1, THREADS, 0, nullptr, c->a, c->b,
                      static_cast<const unsigned char *>(in), static_cast<unsigned char *>(out));
}
static void copy_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  for (int t = 0; t < THREADS; t++) {
    for (int i = 0; i < CHUNK; i++) {
      const int from = c->a == 16 ? i : c->a == 8 ? (i + 8) % 16 : 12 - i / 4 * 4 + i % 4;
      out[t * CHUNK + i] = c->a == 16 && i >= c->b ? 0 : in[t * CHUNK + from];
    }
  }
}

/* ---- groups: of three copies of a thread, those waited for are there ---- */
BENCH_KERNEL_FN(THREADS) void groups_kernel(const unsigned char *in, unsigned char *out) {
  BENCH_SHARED(dev_u128, held, [3 * THREADS]);
  const int t = thread_x();
  for (int i = 0; i < 3; i++) {
    const int place = i * THREADS + t;
    cp_async16(smem_of(&held[place]), in + place * CHUNK);
    cp_async_commit();
  }
  cp_async_wait<2>();
  store_global16(out + t * CHUNK, load_shared16(smem_of(&held[t])));
  cp_async_wait<1>();
  store_global16(out + (THREADS + t) * CHUNK, load_shared16(smem_of(&held[THREADS + t])));
  cp_async_wait<0>();
  store_global16(out + (2 * THREADS + t) * CHUNK, load_shared16(smem_of(&held[2 * THREADS + t])));
}
static bench_code groups_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(groups_kernel, 1, THREADS, 0, nullptr, static_cast<const unsigned char *>(in),
                      static_cast<unsigned char *>(out));
}
static void groups_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  memcpy(out, in, c->in_bytes);
}

#define COPY(name, size, read)                                                                     \
  {                                                                                                \
    name, 80, THREADS *CHUNK, THREADS *CHUNK, nullptr, copy_launch, copy_expect, 0, size, read, 0, \
        0                                                                                          \
  }
static const conform_case cases[] = {
    {"load_global16, store_shared16, load_shared4 and the like", 80, THREADS *CHUNK, THREADS *CHUNK,
     nullptr, words_launch, words_expect, 0, 0, 0, 0, 0},
    COPY("cp_async4", 4, 4),
    COPY("cp_async8", 8, 8),
    COPY("cp_async16", 16, 16),
    COPY("cp_async16_zfill 0", 16, 0),
    COPY("cp_async16_zfill 1", 16, 1),
    COPY("cp_async16_zfill 2", 16, 2),
    COPY("cp_async16_zfill 8", 16, 8),
    COPY("cp_async16_zfill 14", 16, 14),
    COPY("cp_async16_zfill 15", 16, 15),
    {"cp_async_commit, cp_async_wait", 80, 3 * THREADS *CHUNK, 3 * THREADS *CHUNK, nullptr,
     groups_launch, groups_expect, 0, 0, 0, 0, 0},
};
CONFORM_TABLE(memory) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
