/* What sm_90 brought: barriers in shared memory that count bytes, fences between the proxies, the
 * registers that warpgroups hand each other, clusters of blocks. Part of device.h; device_tma.h
 * and device_wgmma.h have the copies by tensor map and the tensor cores of a warpgroup.
 *
 * Where the toolkit's <cuda/ptx> has the instruction it is called; inline PTX stands only for the
 * rest. The names in quotes are sections of the PTX ISA. */
#ifndef BENCH_CUDA_DEVICE_HOPPER_H
#define BENCH_CUDA_DEVICE_HOPPER_H

#include <cuda/ptx>

#include "cuda/device.h"

/* An mbarrier is 8 bytes of shared memory, at a multiple of 8 ("mbarrier"). A phase of it ends when
 * `count` arrivals have come and the bytes expected have landed; the next phase begins at once,
 * with the same count. The parity of the phases is 0, 1, 0, 1...
 *
 * One thread inits, then calls mbar_init_fence(), then all threads meet at a barrier, before any
 * uses it: the TMA and other blocks of the cluster see it only after the fence. */
BENCH_DEVICE_FN uint64_t *dev_mbar(smem_addr bar) {
  return dev_shared_pointer<uint64_t>(bar);
}
BENCH_DEVICE_FN void mbar_init(smem_addr bar, uint32_t count) {
  cuda::ptx::mbarrier_init(dev_mbar(bar), count);
}
BENCH_DEVICE_FN void mbar_init_fence() {
  cuda::ptx::fence_mbarrier_init(cuda::ptx::sem_release, cuda::ptx::scope_cluster);
}
/* The memory may serve for something else afterwards ("mbarrier.inval"). */
BENCH_DEVICE_FN void mbar_inval(smem_addr bar) {
  asm volatile("mbarrier.inval.shared.b64 [%0];" ::"r"(bar) : "memory");
}

/* One arrival; what this thread did before is seen by who waits for the phase. */
BENCH_DEVICE_FN void mbar_arrive(smem_addr bar) {
  (void)cuda::ptx::mbarrier_arrive(cuda::ptx::sem_release, cuda::ptx::scope_cta,
                                   cuda::ptx::space_shared, dev_mbar(bar));
}
/* The phase ends no sooner than `bytes` more have landed; below 2^20 at a time. */
BENCH_DEVICE_FN void mbar_expect_tx(smem_addr bar, uint32_t bytes) {
  cuda::ptx::mbarrier_expect_tx(cuda::ptx::sem_relaxed, cuda::ptx::scope_cta,
                                cuda::ptx::space_shared, dev_mbar(bar), bytes);
}
/* mbar_expect_tx, then mbar_arrive, in one. */
BENCH_DEVICE_FN void mbar_arrive_expect_tx(smem_addr bar, uint32_t bytes) {
  (void)cuda::ptx::mbarrier_arrive_expect_tx(cuda::ptx::sem_release, cuda::ptx::scope_cta,
                                             cuda::ptx::space_shared, dev_mbar(bar), bytes);
}
/* Whether the phase of that parity is over, that is, whether the current one has the other parity:
 * so on a fresh barrier 1 is over, and 0 is not. May wait a while before it says no. */
BENCH_DEVICE_FN bool mbar_try_wait(smem_addr bar, uint32_t parity) {
  return cuda::ptx::mbarrier_try_wait_parity(cuda::ptx::sem_acquire, cuda::ptx::scope_cta,
                                             dev_mbar(bar), parity);
}
BENCH_DEVICE_FN void mbar_wait(smem_addr bar, uint32_t parity) {
  while (!mbar_try_wait(bar, parity)) {
  }
}

/* What this thread wrote to shared memory, or saw written, is there for the TMA and for wgmma,
 * which go by another way, the async proxy ("membar/fence", .proxy.async). */
BENCH_DEVICE_FN void fence_proxy_async() {
  cuda::ptx::fence_proxy_async(cuda::ptx::space_shared);
}

/* Registers per thread of the warpgroup from here on, a multiple of 8 from 24 to 256; all its warps
 * say so together. inc waits until as many are free, dec frees ("setmaxnreg"). */
template <int N>
BENCH_DEVICE_FN void setmaxnreg_inc() {
  static_assert(N >= 24 && N <= 256 && N % 8 == 0, "a multiple of 8 from 24 to 256");
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N>
BENCH_DEVICE_FN void setmaxnreg_dec() {
  static_assert(N >= 24 && N <= 256 && N % 8 == 0, "a multiple of 8 from 24 to 256");
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}

/* True in one lane of the warp, the same one at every call ("elect.sync"). */
BENCH_DEVICE_FN bool elect_one() {
  uint32_t elected;
  asm volatile(
      "{\n\t"
      ".reg .pred p;\n\t"
      "elect.sync _|p, 0xffffffff;\n\t"
      "selp.b32 %0, 1, 0, p;\n\t"
      "}"
      : "=r"(elected));
  return elected != 0;
}

/* The cluster: this block's number in it, and a barrier of all its threads ("barrier.cluster").
 * What a thread did before cluster_arrive is seen by all after cluster_wait. */
BENCH_DEVICE_FN uint32_t cluster_rank() {
  return cuda::ptx::get_sreg_cluster_ctarank();
}
BENCH_DEVICE_FN void cluster_arrive() {
  cuda::ptx::barrier_cluster_arrive(cuda::ptx::sem_release);
}
BENCH_DEVICE_FN void cluster_wait() {
  cuda::ptx::barrier_cluster_wait(cuda::ptx::sem_acquire);
}
/* Where the same place of shared memory is in block `cta` of the cluster ("mapa"). */
BENCH_DEVICE_FN smem_addr mapa(smem_addr address, uint32_t cta) {
  smem_addr there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(cta));
  return there;
}
/* One arrival on the same barrier of block `cta`. */
BENCH_DEVICE_FN void mbar_arrive_cluster(smem_addr bar, uint32_t cta) {
  cuda::ptx::mbarrier_arrive(cuda::ptx::sem_release, cuda::ptx::scope_cluster,
                             cuda::ptx::space_cluster, dev_mbar(mapa(bar, cta)));
}

/* Between two kernels launched so that they may overlap ("griddepcontrol"): wait until the one
 * before has ended and its writes are seen; let the one after begin. */
BENCH_DEVICE_FN void griddep_wait() {
  asm volatile("griddepcontrol.wait;" ::: "memory");
}
BENCH_DEVICE_FN void griddep_launch() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

#endif
