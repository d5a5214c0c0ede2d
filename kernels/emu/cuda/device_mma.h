/* The host twin of kernels/cuda/device_mma.h: sm_80's asynchronous copies, matrices and named
 * barriers. */
#ifndef BENCH_CUDA_DEVICE_MMA_H
#define BENCH_CUDA_DEVICE_MMA_H

#include "cuda/device.h"

template <int ID>
BENCH_DEVICE_FN void bar_sync(int threads, EMU_AT) {
  static_assert(ID >= 1 && ID < emu::BARRIERS, "barriers 1 to 15; 0 is sync_threads");
  if (emu::site("bar_sync", at)) {
    emu::barrier_arrive(ID, threads, true, false, "bar_sync", at);
  }
}
template <int ID>
BENCH_DEVICE_FN void bar_arrive(int threads, EMU_AT) {
  static_assert(ID >= 1 && ID < emu::BARRIERS, "barriers 1 to 15; 0 is sync_threads");
  if (emu::site("bar_arrive", at)) {
    emu::barrier_arrive(ID, threads, false, false, "bar_arrive", at);
  }
}

/* A copy lands when its own thread waits for it, and not before. */
BENCH_DEVICE_FN void cp_async4(smem_addr to, const void *from, EMU_AT) {
  emu::copy_async(to, from, 4, 4, at);
}
BENCH_DEVICE_FN void cp_async8(smem_addr to, const void *from, EMU_AT) {
  emu::copy_async(to, from, 8, 8, at);
}
BENCH_DEVICE_FN void cp_async16(smem_addr to, const void *from, EMU_AT) {
  emu::copy_async(to, from, 16, 16, at);
}
BENCH_DEVICE_FN void cp_async16_zfill(smem_addr to, const void *from, int bytes, EMU_AT) {
  emu::copy_async(to, from, 16, bytes, at);
}
BENCH_DEVICE_FN void cp_async_commit(EMU_AT) {
  emu::copy_commit(at);
}
template <int N>
BENCH_DEVICE_FN void cp_async_wait(EMU_AT) {
  emu::copy_wait(N, at);
}

BENCH_DEVICE_FN void ldmatrix_x1(uint32_t (&r)[1], smem_addr row, EMU_AT) {
  emu::load_matrix(r, 1, false, row, "ldmatrix_x1", at);
}
BENCH_DEVICE_FN void ldmatrix_x2(uint32_t (&r)[2], smem_addr row, EMU_AT) {
  emu::load_matrix(r, 2, false, row, "ldmatrix_x2", at);
}
BENCH_DEVICE_FN void ldmatrix_x4(uint32_t (&r)[4], smem_addr row, EMU_AT) {
  emu::load_matrix(r, 4, false, row, "ldmatrix_x4", at);
}
BENCH_DEVICE_FN void ldmatrix_x1_trans(uint32_t (&r)[1], smem_addr row, EMU_AT) {
  emu::load_matrix(r, 1, true, row, "ldmatrix_x1_trans", at);
}
BENCH_DEVICE_FN void ldmatrix_x2_trans(uint32_t (&r)[2], smem_addr row, EMU_AT) {
  emu::load_matrix(r, 2, true, row, "ldmatrix_x2_trans", at);
}
BENCH_DEVICE_FN void ldmatrix_x4_trans(uint32_t (&r)[4], smem_addr row, EMU_AT) {
  emu::load_matrix(r, 4, true, row, "ldmatrix_x4_trans", at);
}

namespace emu {
template <typename T>
struct FormatOf;
template <>
struct FormatOf<dev_bf16> {
  static constexpr Format value = BF16;
};
template <>
struct FormatOf<dev_fp16> {
  static constexpr Format value = FP16;
};
}  // namespace emu

template <typename T>
BENCH_DEVICE_FN void mma_m16n8k16(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                  EMU_AT) {
  emu::multiply(emu::FormatOf<T>::value, c, a, b0, b1, at);
}

#endif
