/* Extensions of x86, by CPUID, XCR0 and what Linux grants. Elsewhere there are none.
 *
 * The bits are those of Intel's Software Developer's Manual, volume 2, CPUID, and volume 1, chapter
 * 13; their names differ between the compilers' headers. */
#include "platform/cpu_features.h"

#include <stdbool.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LEAF1_ECX_F16C (1u << 29)
#define LEAF7_EDX_AMX_BF16 (1u << 22)
#define LEAF7_EDX_AMX_TILE (1u << 24)
#define LEAF7_1_EAX_AVX512_BF16 (1u << 5)
#define XCR0_TILES (3u << 17) /* configuration and data */
#define XFEATURE_TILE_DATA 18
#define ARCH_REQUEST_PERMISSION 0x1023 /* ARCH_REQ_XCOMP_PERM of asm/prctl.h, Linux 5.16 */

typedef struct cpuid_leaf {
  unsigned eax;
  unsigned ebx;
  unsigned ecx;
  unsigned edx;
} cpuid_leaf;

/* All zero where the CPU has no such leaf. */
static cpuid_leaf cpuid(unsigned leaf, unsigned subleaf) {
  cpuid_leaf at = {0};
  __get_cpuid_count(leaf, subleaf, &at.eax, &at.ebx, &at.ecx, &at.edx);
  return at;
}

/* For a CPU that has AVX, and so XGETBV. */
static unsigned xcr0(void) {
  unsigned low;
  unsigned high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/* Kernels before 5.16 know no such request, and do not enable the registers either. */
static bool tiles_granted(void) {
  return syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, XFEATURE_TILE_DATA) == 0;
}

void bench_cpu_features(bench_device *device) {
  const unsigned amx = LEAF7_EDX_AMX_BF16 | LEAF7_EDX_AMX_TILE;
  device->has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                     (cpuid(1, 0).ecx & LEAF1_ECX_F16C) != 0;
  device->has_avx512 = device->has_avx2 && __builtin_cpu_supports("avx512f") &&
                       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl");
  device->has_avx512_bf16 = device->has_avx512 && (cpuid(7, 1).eax & LEAF7_1_EAX_AVX512_BF16) != 0;
  device->has_amx_bf16 = device->has_avx512_bf16 && (cpuid(7, 0).edx & amx) == amx &&
                         (xcr0() & XCR0_TILES) == XCR0_TILES && tiles_granted();
}

#else

void bench_cpu_features(bench_device *device) {
  (void)device;
}

#endif
