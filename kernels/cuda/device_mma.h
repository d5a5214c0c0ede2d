/* What sm_80 brought, for every GPU since: copies from global to shared memory that do not wait,
 * and the tensor cores of one warp. Part of device.h.
 *
 * Each wrapper of inline PTX stands next to the section of the PTX ISA that describes it.
 * `volatile` keeps the order among them, "memory" that towards the reads and writes of ordinary
 * code. */
#ifndef BENCH_CUDA_DEVICE_MMA_H
#define BENCH_CUDA_DEVICE_MMA_H

#include <cuda/ptx>

#include "cuda/device.h"

/* cp.async (PTX ISA, "cp.async"): copies 4, 8 or 16 bytes; both addresses are multiples of that.
 * 16 bytes go past L1 (.cg), the smaller ones can only go through it (.ca). */
BENCH_DEVICE_FN void cp_async4(smem_addr to, const void *from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to),
               "l"(__cvta_generic_to_global(from))
               : "memory");
}
BENCH_DEVICE_FN void cp_async8(smem_addr to, const void *from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8;" ::"r"(to),
               "l"(__cvta_generic_to_global(from))
               : "memory");
}
BENCH_DEVICE_FN void cp_async16(smem_addr to, const void *from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to),
               "l"(__cvta_generic_to_global(from))
               : "memory");
}
/* Reads `bytes`, 0 to 16, and fills the rest of the 16 with zeros. */
BENCH_DEVICE_FN void cp_async16_zfill(smem_addr to, const void *from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to),
               "l"(__cvta_generic_to_global(from)), "r"(bytes)
               : "memory");
}
/* Closes the group of this thread's copies since the last one ("cp.async.commit_group"). */
BENCH_DEVICE_FN void cp_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Waits until at most the N newest groups of this thread are on their way
 * ("cp.async.wait_group"). Other threads see the data after a barrier. */
template <int N>
BENCH_DEVICE_FN void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}
/* Arrives on the mbarrier once all earlier copies of this thread are there; .noinc: the arrival
 * is one of those that the barrier counts ("cp.async.mbarrier.arrive"). */
BENCH_DEVICE_FN void cp_async_mbar_arrive(smem_addr bar) {
  cuda::ptx::cp_async_mbarrier_arrive_noinc(dev_shared_pointer<uint64_t>(bar));
}

/* ldmatrix (PTX ISA, "ldmatrix"): 1, 2 or 4 matrices of 8 rows of 16 bytes. Lane 8m + i gives the
 * address of row i of matrix m; lane l gets elements 2(l % 4) and 2(l % 4) + 1 of row l / 4 in
 * r[m]. _trans: elements l / 4 of rows 2(l % 4) and 2(l % 4) + 1. On sm_75 the
 * addresses of the other lanes must be valid too. */
#define BENCH_LDMATRIX(name, form)                                                          \
  BENCH_DEVICE_FN void ldmatrix_x1##name(uint32_t(&r)[1], smem_addr row) {                  \
    asm volatile("ldmatrix.sync.aligned.m8n8.x1" form ".shared.b16 {%0}, [%1];"             \
                 : "=r"(r[0])                                                               \
                 : "r"(row)                                                                 \
                 : "memory");                                                               \
  }                                                                                         \
  BENCH_DEVICE_FN void ldmatrix_x2##name(uint32_t(&r)[2], smem_addr row) {                  \
    asm volatile("ldmatrix.sync.aligned.m8n8.x2" form ".shared.b16 {%0, %1}, [%2];"         \
                 : "=r"(r[0]), "=r"(r[1])                                                   \
                 : "r"(row)                                                                 \
                 : "memory");                                                               \
  }                                                                                         \
  BENCH_DEVICE_FN void ldmatrix_x4##name(uint32_t(&r)[4], smem_addr row) {                  \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" form ".shared.b16 {%0, %1, %2, %3}, [%4];" \
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])                           \
                 : "r"(row)                                                                 \
                 : "memory");                                                               \
  }
BENCH_LDMATRIX(, "")
BENCH_LDMATRIX(_trans, ".trans")
#undef BENCH_LDMATRIX

/* stmatrix (PTX ISA, "stmatrix"), sm_90: the way back, with the same places. */
#define BENCH_STMATRIX(name, form)                                                              \
  BENCH_DEVICE_FN void stmatrix_x1##name(smem_addr row, const uint32_t(&r)[1]) {                \
    asm volatile("stmatrix.sync.aligned.m8n8.x1" form ".shared.b16 [%0], {%1};" ::"r"(row),     \
                 "r"(r[0])                                                                      \
                 : "memory");                                                                   \
  }                                                                                             \
  BENCH_DEVICE_FN void stmatrix_x2##name(smem_addr row, const uint32_t(&r)[2]) {                \
    asm volatile("stmatrix.sync.aligned.m8n8.x2" form ".shared.b16 [%0], {%1, %2};" ::"r"(row), \
                 "r"(r[0]), "r"(r[1])                                                           \
                 : "memory");                                                                   \
  }                                                                                             \
  BENCH_DEVICE_FN void stmatrix_x4##name(smem_addr row, const uint32_t(&r)[4]) {                \
    asm volatile("stmatrix.sync.aligned.m8n8.x4" form                                           \
                 ".shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row),                              \
                 "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])                                     \
                 : "memory");                                                                   \
  }
BENCH_STMATRIX(, "")
BENCH_STMATRIX(_trans, ".trans")
#undef BENCH_STMATRIX

/* c += a b for a 16 x 16, b 16 x 8, c 16 x 8 (PTX ISA, "Matrix fragments for mma.m16n8k16 with
 * floating point type"). With g = lane / 4 and t = lane % 4, the two halves of a word being
 * neighbours in k, lower k in the low half:
 *   a[0] row g,     k 2t, 2t + 1      a[2] row g,     k 2t + 8, 2t + 9
 *   a[1] row g + 8, k 2t, 2t + 1      a[3] row g + 8, k 2t + 8, 2t + 9
 *   b0   k 2t, 2t + 1, column g       b1   k 2t + 8, 2t + 9, column g
 *   c[0], c[1] row g, columns 2t, 2t + 1;  c[2], c[3] row g + 8, the same columns */
template <typename T>
BENCH_DEVICE_FN void mma_m16n8k16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);
#define BENCH_MMA(type, name)                                                             \
  template <>                                                                             \
  __device__ __forceinline__ void mma_m16n8k16<type>(float(&c)[4], const uint32_t(&a)[4], \
                                                     uint32_t b0, uint32_t b1) {          \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." name "." name                   \
                 ".f32 {%0, %1, %2, %3}, "                                                \
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                          \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                         \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));         \
  }
BENCH_MMA(dev_bf16, "bf16")
BENCH_MMA(dev_fp16, "f16")
#undef BENCH_MMA

#endif
