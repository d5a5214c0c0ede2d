/* The TMA: copies of boxes of a tensor between global and shared memory, which one thread starts.
 * Part of device.h; device_tensor_map.h makes the maps.
 *
 * A map gives a tensor's shape and the shape of its box. c0, c1... are the coordinates of the box's
 * first element, the innermost (contiguous) dimension first; they may be negative or beyond the
 * end. Elements outside the tensor are read as zero and not written, and the full box always
 * counts as bytes ("cp.async.bulk.tensor", "cp.reduce.async.bulk.tensor" in the PTX ISA).
 *
 * The address in shared memory is a multiple of 128, of 1024 for tiles swizzled by 128 bytes (512
 * and 256 for 64 and 32), so that the pattern starts with the tile. */
#ifndef BENCH_CUDA_DEVICE_TMA_H
#define BENCH_CUDA_DEVICE_TMA_H

#include <cuda/ptx>

#include "cuda/device.h"

/* 128 bytes that the TMA reads; a kernel takes it as const BENCH_GRID_CONSTANT dev_tensor_map. */
struct alignas(64) dev_tensor_map {
  uint64_t opaque[16];
};
/* How 16-byte chunks of a row change places so that the rows of a tile do not share banks: by the
 * bits 7-9 (128B), 7-8 (64B) or 7 (32B) of the address. The values are those of wgmma's descriptor.
 */
enum dev_swizzle { SWIZZLE_NONE = 0, SWIZZLE_128B = 1, SWIZZLE_64B = 2, SWIZZLE_32B = 3 };

/* Fetches the map itself, early ("prefetch.tensormap"). */
BENCH_DEVICE_FN void tma_prefetch(const dev_tensor_map *map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

/* Load: the box lands at `to`, and its bytes count on the mbarrier `bar`. */
template <int RANK>
BENCH_DEVICE_FN void dev_tma_load(smem_addr to, const dev_tensor_map *map, smem_addr bar,
                                  const int32_t (&at)[RANK]) {
  cuda::ptx::cp_async_bulk_tensor(cuda::ptx::space_cluster, cuda::ptx::space_global,
                                  dev_shared_pointer<void>(to), map, at,
                                  dev_shared_pointer<uint64_t>(bar));
}
BENCH_DEVICE_FN void tma_load_2d(smem_addr to, const dev_tensor_map *map, smem_addr bar, int c0,
                                 int c1) {
  dev_tma_load(to, map, bar, {c0, c1});
}
BENCH_DEVICE_FN void tma_load_3d(smem_addr to, const dev_tensor_map *map, smem_addr bar, int c0,
                                 int c1, int c2) {
  dev_tma_load(to, map, bar, {c0, c1, c2});
}
BENCH_DEVICE_FN void tma_load_4d(smem_addr to, const dev_tensor_map *map, smem_addr bar, int c0,
                                 int c1, int c2, int c3) {
  dev_tma_load(to, map, bar, {c0, c1, c2, c3});
}

/* Multicast: to the same place in every block of the cluster whose bit is set in `cta_mask`, each
 * of which counts the bytes on its own barrier at the place of `bar`. */
template <int RANK>
BENCH_DEVICE_FN void dev_tma_multicast(smem_addr to, const dev_tensor_map *map, smem_addr bar,
                                       const int32_t (&at)[RANK], uint16_t cta_mask) {
  cuda::ptx::cp_async_bulk_tensor(cuda::ptx::space_cluster, cuda::ptx::space_global,
                                  dev_shared_pointer<void>(to), map, at,
                                  dev_shared_pointer<uint64_t>(bar), cta_mask);
}
BENCH_DEVICE_FN void tma_load_2d_multicast(smem_addr to, const dev_tensor_map *map, smem_addr bar,
                                           int c0, int c1, uint16_t cta_mask) {
  dev_tma_multicast(to, map, bar, {c0, c1}, cta_mask);
}
BENCH_DEVICE_FN void tma_load_3d_multicast(smem_addr to, const dev_tensor_map *map, smem_addr bar,
                                           int c0, int c1, int c2, uint16_t cta_mask) {
  dev_tma_multicast(to, map, bar, {c0, c1, c2}, cta_mask);
}
BENCH_DEVICE_FN void tma_load_4d_multicast(smem_addr to, const dev_tensor_map *map, smem_addr bar,
                                           int c0, int c1, int c2, int c3, uint16_t cta_mask) {
  dev_tma_multicast(to, map, bar, {c0, c1, c2, c3}, cta_mask);
}

/* Store, and add to what is there: from shared memory, which must be written and fenced by
 * fence_proxy_async() first. Both belong to the thread's next group. */
template <int RANK>
BENCH_DEVICE_FN void dev_tma_store(const dev_tensor_map *map, smem_addr from,
                                   const int32_t (&at)[RANK]) {
  cuda::ptx::cp_async_bulk_tensor(cuda::ptx::space_global, cuda::ptx::space_shared, map, at,
                                  dev_shared_pointer<void>(from));
}
BENCH_DEVICE_FN void tma_store_2d(const dev_tensor_map *map, smem_addr from, int c0, int c1) {
  dev_tma_store(map, from, {c0, c1});
}
BENCH_DEVICE_FN void tma_store_3d(const dev_tensor_map *map, smem_addr from, int c0, int c1,
                                  int c2) {
  dev_tma_store(map, from, {c0, c1, c2});
}
BENCH_DEVICE_FN void tma_store_4d(const dev_tensor_map *map, smem_addr from, int c0, int c1, int c2,
                                  int c3) {
  dev_tma_store(map, from, {c0, c1, c2, c3});
}
template <int RANK>
BENCH_DEVICE_FN void dev_tma_reduce_add(const dev_tensor_map *map, smem_addr from,
                                        const int32_t (&at)[RANK]) {
  cuda::ptx::cp_reduce_async_bulk_tensor(cuda::ptx::space_global, cuda::ptx::space_shared,
                                         cuda::ptx::op_add, map, at,
                                         dev_shared_pointer<void>(from));
}
BENCH_DEVICE_FN void tma_reduce_add_2d(const dev_tensor_map *map, smem_addr from, int c0, int c1) {
  dev_tma_reduce_add(map, from, {c0, c1});
}
BENCH_DEVICE_FN void tma_reduce_add_3d(const dev_tensor_map *map, smem_addr from, int c0, int c1,
                                       int c2) {
  dev_tma_reduce_add(map, from, {c0, c1, c2});
}
BENCH_DEVICE_FN void tma_reduce_add_4d(const dev_tensor_map *map, smem_addr from, int c0, int c1,
                                       int c2, int c3) {
  dev_tma_reduce_add(map, from, {c0, c1, c2, c3});
}

/* Closes the thread's group of stores. bulk_wait<N>: until all but the N newest groups are done and
 * seen; bulk_wait_read<N>: until they have read shared memory, which may then be written again
 * ("cp.async.bulk.commit_group", "cp.async.bulk.wait_group"). */
BENCH_DEVICE_FN void bulk_commit() {
  cuda::ptx::cp_async_bulk_commit_group();
}
template <int N>
BENCH_DEVICE_FN void bulk_wait() {
  cuda::ptx::cp_async_bulk_wait_group(cuda::ptx::n32_t<N>());
}
template <int N>
BENCH_DEVICE_FN void bulk_wait_read() {
  cuda::ptx::cp_async_bulk_wait_group_read(cuda::ptx::n32_t<N>());
}

#endif
