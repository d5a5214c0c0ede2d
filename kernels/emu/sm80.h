/* What kernels/emu/cuda/device.h calls for cp.async, ldmatrix, mma and memory. */
#ifndef BENCH_EMU_SM80_H
#define BENCH_EMU_SM80_H

#include "emu/runtime.h"

namespace emu {

/* ---- cp.async: `bytes` at `to`, of which `read` come from `from` and the rest are zeros ---- */
void copy_async(smem_addr to, const void *from, int bytes, int read, Site at);
void copy_commit(Site at);
void copy_wait(int newest, Site at); /* all committed groups but the newest ones have landed */

/* ---- matrices ---- */
void load_matrix(uint32_t *registers, int count, bool transposed, smem_addr row,
                 const char *operation, Site at);
enum Format { BF16, FP16 };
/* c += a b for m16n8k16. */
void multiply(Format format, float *c, const uint32_t *a, uint32_t b0, uint32_t b1, Site at);

/* ---- lanes: all live lanes of the warp take part ---- */
enum Exchange { LANE, XOR, DOWN, UP };
uint32_t exchange(Exchange kind, uint32_t bits, int operand, const char *operation, Site at);
uint32_t ballot(bool value, const char *operation, Site at);
void warp_sync(Site at);

/* ---- memory ---- */
/* An operation reads or writes memory of the device: for race mode. */
void global_read(const void *from, size_t bytes, Site at);
void global_write(const void *to, size_t bytes, Site at);
void global_check(const void *address, size_t bytes, Site at); /* of an atomic */
void global_load(const void *from, void *to, size_t bytes, const char *operation, Site at);
void global_store(void *to, const void *from, size_t bytes, const char *operation, Site at);
void shared_read(smem_addr from, void *to, uint32_t bytes, const char *operation, Site at);
void shared_write(smem_addr to, const void *from, uint32_t bytes, const char *operation, Site at);
/* A read-modify-write, relaxed and of the device's scope; gives what was there. */
uint32_t atomic(uint32_t *address, const std::function<uint32_t(uint32_t)> &change, Site at);
void fence_device(Site at);
uint32_t load_acquire(const uint32_t *from, Site at);
void store_release(uint32_t *to, uint32_t value, Site at);

}  // namespace emu

#endif
