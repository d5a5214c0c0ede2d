/* What kernels/emu/cuda/device_hopper.h calls for sm_90: mbarriers, the TMA, wgmma, clusters.
 *
 * Section names in quotes are the PTX ISA's. What a GPU may do early is done as late as it may;
 * what the ISA leaves undefined is a fault. */
#ifndef BENCH_EMU_HOPPER_H
#define BENCH_EMU_HOPPER_H

#include "bench/attn.h"
#include "emu/runtime.h"
#include "emu/sm80.h"

namespace emu {

/* ---- mbarriers ---- */
void mbar_init(smem_addr bar, uint32_t count, Site at);
void mbar_init_fence(Site at);
void mbar_inval(smem_addr bar, Site at);
void mbar_arrive(smem_addr bar, Site at);
void mbar_expect_tx(smem_addr bar, uint32_t bytes, Site at);
void mbar_arrive_expect_tx(smem_addr bar, uint32_t bytes, Site at);
bool mbar_try_wait(smem_addr bar, uint32_t parity, Site at);
void mbar_wait(smem_addr bar, uint32_t parity, Site at);
void mbar_arrive_cluster(smem_addr bar, uint32_t cta, Site at);
/* cp_async_mbar_arrive: arrives once the copies that the thread has issued have landed. */
void mbar_arrive_after_copies(smem_addr bar, Site at);
void fence_proxy_async(Site at);

/* ---- the TMA ---- */
constexpr int TENSOR_RANK_MAX = 4;
struct TensorMap { /* what is in a dev_tensor_map, zeros beyond the rank */
  uint64_t mark;
  void *base;
  int64_t dims[TENSOR_RANK_MAX];
  int64_t strides[TENSOR_RANK_MAX]; /* in bytes; [0]: of an element */
  int32_t box[TENSOR_RANK_MAX];
  uint8_t rank;
  uint8_t dtype;
  uint8_t swizzle; /* as in dev_swizzle and in wgmma's descriptor */
};
bench_code tensor_map_make(void *map, bench_dtype dtype, int rank, const void *base,
                           const int64_t *dims, const int64_t *strides_bytes, const int32_t *box,
                           int swizzle);
/* `blocks`: a bit for each block of the cluster, or 0 for this one only. */
void tma_load(smem_addr to, const void *map, smem_addr bar, int rank, const int32_t *coords,
              uint32_t blocks, const char *operation, Site at);
void tma_store(const void *map, smem_addr from, int rank, const int32_t *coords, bool add,
               const char *operation, Site at);
void tma_prefetch(const void *map, Site at);
void bulk_commit(Site at);
/* Until all of the thread's groups but the newest are done, or, if `read`, have read. */
void bulk_wait(int newest, bool read, Site at);

/* ---- wgmma ---- */
struct Wgmma {
  Format format;
  int n;
  uint64_t a;                /* descriptor; unused with registers */
  const uint32_t *registers; /* A of this lane, or null */
  uint64_t b;
  bool transposed_a;
  bool transposed_b;
  bool accumulate;
};
void wgmma(const Wgmma &call, float *d, Site at);
void wgmma_fence(Site at);
void wgmma_commit(Site at);
void wgmma_wait(int newest, Site at);

/* ---- the rest ---- */
void set_registers(int count, bool grow, Site at);
bool elect_one(Site at);
uint32_t cluster_rank();
void cluster_arrive(Site at);
void cluster_wait(Site at);
smem_addr map_to_block(smem_addr address, uint32_t cta, Site at);
void store_matrix(smem_addr row, const uint32_t *registers, int count, bool transposed,
                  const char *operation, Site at);

}  // namespace emu

#endif
