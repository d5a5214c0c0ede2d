/* The host twin of device_hopper.h, device_tma.h and device_wgmma.h: the same names on the runtime
 * of kernels/emu. */
#ifndef BENCH_CUDA_DEVICE_HOPPER_H
#define BENCH_CUDA_DEVICE_HOPPER_H

#include <type_traits>

#include "cuda/device.h"
#include "emu/hopper.h"

/* mbarriers and fences. */
BENCH_DEVICE_FN void mbar_init(smem_addr bar, uint32_t count, EMU_AT) {
  emu::mbar_init(bar, count, at);
}
BENCH_DEVICE_FN void mbar_init_fence(EMU_AT) {
  emu::mbar_init_fence(at);
}
BENCH_DEVICE_FN void mbar_inval(smem_addr bar, EMU_AT) {
  emu::mbar_inval(bar, at);
}
BENCH_DEVICE_FN void mbar_arrive(smem_addr bar, EMU_AT) {
  emu::mbar_arrive(bar, at);
}
BENCH_DEVICE_FN void mbar_expect_tx(smem_addr bar, uint32_t bytes, EMU_AT) {
  emu::mbar_expect_tx(bar, bytes, at);
}
BENCH_DEVICE_FN void mbar_arrive_expect_tx(smem_addr bar, uint32_t bytes, EMU_AT) {
  emu::mbar_arrive_expect_tx(bar, bytes, at);
}
BENCH_DEVICE_FN bool mbar_try_wait(smem_addr bar, uint32_t parity, EMU_AT) {
  return emu::mbar_try_wait(bar, parity, at);
}
BENCH_DEVICE_FN void mbar_wait(smem_addr bar, uint32_t parity, EMU_AT) {
  emu::mbar_wait(bar, parity, at);
}
BENCH_DEVICE_FN void mbar_arrive_cluster(smem_addr bar, uint32_t cta, EMU_AT) {
  emu::mbar_arrive_cluster(bar, cta, at);
}
BENCH_DEVICE_FN void cp_async_mbar_arrive(smem_addr bar, EMU_AT) {
  emu::mbar_arrive_after_copies(bar, at);
}
BENCH_DEVICE_FN void fence_proxy_async(EMU_AT) {
  emu::fence_proxy_async(at);
}

/* The TMA. */
struct alignas(64) dev_tensor_map {
  uint64_t opaque[16];
};
enum dev_swizzle { SWIZZLE_NONE = 0, SWIZZLE_128B = 1, SWIZZLE_64B = 2, SWIZZLE_32B = 3 };
static inline bench_code tensor_map_make(dev_tensor_map *out, bench_dtype dtype, int rank,
                                         const void *base, const int64_t *dims,
                                         const int64_t *strides_bytes, const int32_t *box,
                                         dev_swizzle swizzle) {
  return emu::tensor_map_make(out, dtype, rank, base, dims, strides_bytes, box, (int)swizzle);
}

/* The functions of one rank, whose coordinates are `parameters` and the array of them `coords`. */
#define EMU_EACH(...) __VA_ARGS__
#define EMU_TMA(rank, parameters, coords)                                                         \
  BENCH_DEVICE_FN void tma_load_##rank##d(smem_addr to, const dev_tensor_map *map, smem_addr bar, \
                                          EMU_EACH parameters, EMU_AT) {                          \
    const int32_t c[] = {EMU_EACH coords};                                                        \
    emu::tma_load(to, map, bar, rank, c, 0, "tma_load_" #rank "d", at);                           \
  }                                                                                               \
  BENCH_DEVICE_FN void tma_load_##rank##d_multicast(smem_addr to, const dev_tensor_map *map,      \
                                                    smem_addr bar, EMU_EACH parameters,           \
                                                    uint16_t cta_mask, EMU_AT) {                  \
    const int32_t c[] = {EMU_EACH coords};                                                        \
    const uint32_t blocks = cta_mask;                                                             \
    emu::tma_load(to, map, bar, rank, c, blocks, "tma_load_" #rank "d_multicast", at);            \
  }                                                                                               \
  BENCH_DEVICE_FN void tma_store_##rank##d(const dev_tensor_map *map, smem_addr from,             \
                                           EMU_EACH parameters, EMU_AT) {                         \
    const int32_t c[] = {EMU_EACH coords};                                                        \
    emu::tma_store(map, from, rank, c, false, "tma_store_" #rank "d", at);                        \
  }                                                                                               \
  BENCH_DEVICE_FN void tma_reduce_add_##rank##d(const dev_tensor_map *map, smem_addr from,        \
                                                EMU_EACH parameters, EMU_AT) {                    \
    const int32_t c[] = {EMU_EACH coords};                                                        \
    emu::tma_store(map, from, rank, c, true, "tma_reduce_add_" #rank "d", at);                    \
  }
EMU_TMA(2, (int c0, int c1), (c0, c1))
EMU_TMA(3, (int c0, int c1, int c2), (c0, c1, c2))
EMU_TMA(4, (int c0, int c1, int c2, int c3), (c0, c1, c2, c3))
#undef EMU_TMA
#undef EMU_EACH

BENCH_DEVICE_FN void tma_prefetch(const dev_tensor_map *map, EMU_AT) {
  emu::tma_prefetch(map, at);
}
BENCH_DEVICE_FN void bulk_commit(EMU_AT) {
  emu::bulk_commit(at);
}
template <int N>
BENCH_DEVICE_FN void bulk_wait(EMU_AT) {
  emu::bulk_wait(N, false, at);
}
template <int N>
BENCH_DEVICE_FN void bulk_wait_read(EMU_AT) {
  emu::bulk_wait(N, true, at);
}

/* wgmma. */
BENCH_DEVICE_FN uint64_t wgmma_desc(smem_addr start, uint32_t lbo_bytes, uint32_t sbo_bytes,
                                    dev_swizzle swizzle) {
  return (uint64_t)((start & 0x3ffff) >> 4) | (uint64_t)((lbo_bytes & 0x3ffff) >> 4) << 16 |
         (uint64_t)((sbo_bytes & 0x3ffff) >> 4) << 32 | (uint64_t)swizzle << 62;
}
BENCH_DEVICE_FN void wgmma_fence(EMU_AT) {
  emu::wgmma_fence(at);
}
BENCH_DEVICE_FN void wgmma_commit(EMU_AT) {
  emu::wgmma_commit(at);
}
template <int N>
BENCH_DEVICE_FN void wgmma_wait(EMU_AT) {
  static_assert(N >= 0 && N <= 7, "at most 7 groups are counted");
  emu::wgmma_wait(N, at);
}
template <int COUNT>
BENCH_DEVICE_FN void wgmma_pin(float (&d)[COUNT]) {
  (void)d;
}
/* The N that the original has a line for. */
constexpr bool emu_wgmma_has(int n) {
  return n == 8 || n == 16 || n == 24 || n == 32 || n == 64 || n == 80 || n == 96 || n == 128 ||
         n == 160 || n == 176 || n == 192 || n == 208 || n == 224 || n == 256;
}
template <typename T, int N, bool TRANS_A, bool TRANS_B>
BENCH_DEVICE_FN void wgmma_ss(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate, EMU_AT) {
  static_assert(emu_wgmma_has(N), "device_wgmma.h has no line for this N");
  const emu::Format format = std::is_same<T, dev_bf16>::value ? emu::BF16 : emu::FP16;
  emu::wgmma({format, N, a, nullptr, b, TRANS_A, TRANS_B, accumulate}, d, at);
}
template <typename T, int N, bool TRANS_B>
BENCH_DEVICE_FN void wgmma_rs(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b,
                              bool accumulate, EMU_AT) {
  static_assert(emu_wgmma_has(N), "device_wgmma.h has no line for this N");
  const emu::Format format = std::is_same<T, dev_bf16>::value ? emu::BF16 : emu::FP16;
  emu::wgmma({format, N, 0, a, b, false, TRANS_B, accumulate}, d, at);
}

/* Registers, lanes, clusters, launches that overlap. */
template <int N>
BENCH_DEVICE_FN void setmaxnreg_inc(EMU_AT) {
  emu::set_registers(N, true, at);
}
template <int N>
BENCH_DEVICE_FN void setmaxnreg_dec(EMU_AT) {
  emu::set_registers(N, false, at);
}
BENCH_DEVICE_FN bool elect_one(EMU_AT) {
  return emu::elect_one(at);
}
BENCH_DEVICE_FN uint32_t cluster_rank() {
  return emu::cluster_rank();
}
BENCH_DEVICE_FN void cluster_arrive(EMU_AT) {
  emu::cluster_arrive(at);
}
BENCH_DEVICE_FN void cluster_wait(EMU_AT) {
  emu::cluster_wait(at);
}
BENCH_DEVICE_FN smem_addr mapa(smem_addr address, uint32_t cta, EMU_AT) {
  return emu::map_to_block(address, cta, at);
}
BENCH_DEVICE_FN void griddep_wait(EMU_AT) {
  (void)emu::site("griddep_wait", at); /* launches run one after another */
}
BENCH_DEVICE_FN void griddep_launch(EMU_AT) {
  (void)emu::site("griddep_launch", at);
}

/* stmatrix. */
#define EMU_STMATRIX(count, suffix, transposed)                                            \
  BENCH_DEVICE_FN void stmatrix_x##count##suffix(smem_addr row, const uint32_t(&r)[count], \
                                                 EMU_AT) {                                 \
    emu::store_matrix(row, r, count, transposed, "stmatrix_x" #count #suffix, at);         \
  }
EMU_STMATRIX(1, , false)
EMU_STMATRIX(2, , false)
EMU_STMATRIX(4, , false)
EMU_STMATRIX(1, _trans, true)
EMU_STMATRIX(2, _trans, true)
EMU_STMATRIX(4, _trans, true)
#undef EMU_STMATRIX

#endif
