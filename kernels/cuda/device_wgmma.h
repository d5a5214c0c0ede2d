/* wgmma: the tensor cores of sm_90a, fed by a warpgroup: four warps, the first of which has a
 * number that is a multiple of 4. Part of device.h; sm_90a only, no later architecture has it.
 *
 * "Asynchronous warpgroup-level matrix instructions" in the PTX ISA. Order of a step:
 *     wgmma_fence(); wgmma_ss<...>(d, ...) once or more; wgmma_commit(); ...; wgmma_wait<N>();
 * wgmma_fence() stands before the first, and again whenever the registers of d or of a have been
 * touched since; between two on the same d of the same shape it is not needed. Until the wait, d
 * and a must not be touched nor the tiles in shared memory written. */
#ifndef BENCH_CUDA_DEVICE_WGMMA_H
#define BENCH_CUDA_DEVICE_WGMMA_H

#include "cuda/device.h"
#include "cuda/device_tma.h"

/* Where an operand lies in shared memory ("Matrix descriptor", "Strides"). start: of its first row,
 * below 2^18 like all addresses there, plus 32 per step of 16 along k in a swizzled K-major tile.
 * Bytes from one core matrix to the next, multiples of 16:
 *   K-major (k is contiguous):  sbo between groups of 8 rows; lbo between halves of 8 along k, only
 *                               without swizzle
 *   MN-major: with a swizzle    sbo between groups of 8 along k; lbo between spans along the rows
 *             without           sbo between groups of 8 along the rows; lbo between groups along k
 * The tile starts at a multiple of 1024 (128B), 512 (64B) or 256 (32B), so the base offset is 0. */
BENCH_DEVICE_FN uint64_t wgmma_desc(smem_addr start, uint32_t lbo_bytes, uint32_t sbo_bytes,
                                    dev_swizzle swizzle) {
  return (uint64_t)((start & 0x3ffff) >> 4) | (uint64_t)((lbo_bytes & 0x3ffff) >> 4) << 16 |
         (uint64_t)((sbo_bytes & 0x3ffff) >> 4) << 32 | (uint64_t)swizzle << 62;
}

/* "wgmma.fence", "wgmma.commit_group", "wgmma.wait_group": until at most the N newest groups of the
 * warp are unfinished. */
BENCH_DEVICE_FN void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
BENCH_DEVICE_FN void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
template <int N>
BENCH_DEVICE_FN void wgmma_wait() {
  static_assert(N >= 0 && N <= 7, "at most 7 groups are counted");
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}
/* No instruction: the compiler takes the registers for changed here, and so moves no use of them
 * from after a wait to before it, nor a write from before a fence to after it. Use it on d next to
 * wgmma_fence() and after wgmma_wait(). */
template <int COUNT>
BENCH_DEVICE_FN void wgmma_pin(float (&d)[COUNT]) {
#pragma unroll
  for (int i = 0; i < COUNT; i++) {
    asm volatile("" : "+f"(d[i])::"memory");
  }
}

/* One 64 x N += 64 x 16 by 16 x N; `accumulate` false: = instead of +=. d is spread over the 128
 * threads ("Register Fragments ... D"): with w the warp in the warpgroup, g = lane / 4 and
 * t = lane % 4, d[i] is row 16 w + g + 8 (i / 2 % 2), column 8 (i / 4) + 2 t + i % 2. A in
 * registers (rs): rows 16 w.. as the a of mma_m16n8k16. TRANS_A, TRANS_B: the operand is MN-major.
 *
 * The asm takes d as its first N / 2 operands; the rest are counted from there, so that the table
 * below has a line for each N. */
template <typename T, int N>
struct dev_wgmma;
#define BENCH_WGMMA_(n, type, name, o0, o1, o2, o3, o4, o5, o6)                                    \
  template <>                                                                                      \
  struct dev_wgmma<type, n> {                                                                      \
    template <bool TRANS_A, bool TRANS_B>                                                          \
    static BENCH_DEVICE_MEMBER void ss(float (&d)[n / 2], uint64_t a, uint64_t b,                  \
                                       int accumulate) {                                           \
      asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %" #o2                                    \
                   ", 0;\n\t"                                                                      \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." name "." name " {" BENCH_R##n \
                   "}, %" #o0 ", %" #o1 ", p, 1, 1, %" #o3 ", %" #o4 ";\n\t}"                      \
                   : BENCH_D##n                                                                    \
                   : "l"(a), "l"(b), "r"(accumulate), "n"((int)TRANS_A), "n"((int)TRANS_B));       \
    }                                                                                              \
    template <bool TRANS_B>                                                                        \
    static BENCH_DEVICE_MEMBER void rs(float (&d)[n / 2], const uint32_t (&a)[4], uint64_t b,      \
                                       int accumulate) {                                           \
      asm volatile("{\n\t.reg .pred p;\n\tsetp.ne.b32 p, %" #o5                                    \
                   ", 0;\n\t"                                                                      \
                   "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." name "." name " {" BENCH_R##n \
                   "}, {%" #o0 ", %" #o1 ", %" #o2 ", %" #o3 "}, %" #o4 ", p, 1, 1, %" #o6         \
                   ";\n\t}"                                                                        \
                   : BENCH_D##n                                                                    \
                   : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate),          \
                     "n"((int)TRANS_B));                                                           \
    }                                                                                              \
  };
#define BENCH_WGMMA(n, ...)                      \
  BENCH_WGMMA_(n, dev_bf16, "bf16", __VA_ARGS__) \
  BENCH_WGMMA_(n, dev_fp16, "f16", __VA_ARGS__)

/* The registers of d in the text, and as operands: 4 more for every 8 columns. */
#define BENCH_R8 "%0, %1, %2, %3"
#define BENCH_R16 BENCH_R8 ", %4, %5, %6, %7"
#define BENCH_R24 BENCH_R16 ", %8, %9, %10, %11"
#define BENCH_R32 BENCH_R24 ", %12, %13, %14, %15"
#define BENCH_R40 BENCH_R32 ", %16, %17, %18, %19"
#define BENCH_R48 BENCH_R40 ", %20, %21, %22, %23"
#define BENCH_R56 BENCH_R48 ", %24, %25, %26, %27"
#define BENCH_R64 BENCH_R56 ", %28, %29, %30, %31"
#define BENCH_R72 BENCH_R64 ", %32, %33, %34, %35"
#define BENCH_R80 BENCH_R72 ", %36, %37, %38, %39"
#define BENCH_R88 BENCH_R80 ", %40, %41, %42, %43"
#define BENCH_R96 BENCH_R88 ", %44, %45, %46, %47"
#define BENCH_R104 BENCH_R96 ", %48, %49, %50, %51"
#define BENCH_R112 BENCH_R104 ", %52, %53, %54, %55"
#define BENCH_R120 BENCH_R112 ", %56, %57, %58, %59"
#define BENCH_R128 BENCH_R120 ", %60, %61, %62, %63"
#define BENCH_R136 BENCH_R128 ", %64, %65, %66, %67"
#define BENCH_R144 BENCH_R136 ", %68, %69, %70, %71"
#define BENCH_R152 BENCH_R144 ", %72, %73, %74, %75"
#define BENCH_R160 BENCH_R152 ", %76, %77, %78, %79"
#define BENCH_R168 BENCH_R160 ", %80, %81, %82, %83"
#define BENCH_R176 BENCH_R168 ", %84, %85, %86, %87"
#define BENCH_R184 BENCH_R176 ", %88, %89, %90, %91"
#define BENCH_R192 BENCH_R184 ", %92, %93, %94, %95"
#define BENCH_R200 BENCH_R192 ", %96, %97, %98, %99"
#define BENCH_R208 BENCH_R200 ", %100, %101, %102, %103"
#define BENCH_R216 BENCH_R208 ", %104, %105, %106, %107"
#define BENCH_R224 BENCH_R216 ", %108, %109, %110, %111"
#define BENCH_R232 BENCH_R224 ", %112, %113, %114, %115"
#define BENCH_R240 BENCH_R232 ", %116, %117, %118, %119"
#define BENCH_R248 BENCH_R240 ", %120, %121, %122, %123"
#define BENCH_R256 BENCH_R248 ", %124, %125, %126, %127"
#define BENCH_D8 "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define BENCH_D16 BENCH_D8, "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
#define BENCH_D24 BENCH_D16, "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11])
#define BENCH_D32 BENCH_D24, "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
#define BENCH_D40 BENCH_D32, "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19])
#define BENCH_D48 BENCH_D40, "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23])
#define BENCH_D56 BENCH_D48, "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27])
#define BENCH_D64 BENCH_D56, "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define BENCH_D72 BENCH_D64, "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35])
#define BENCH_D80 BENCH_D72, "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39])
#define BENCH_D88 BENCH_D80, "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43])
#define BENCH_D96 BENCH_D88, "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])
#define BENCH_D104 BENCH_D96, "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51])
#define BENCH_D112 BENCH_D104, "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55])
#define BENCH_D120 BENCH_D112, "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59])
#define BENCH_D128 BENCH_D120, "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define BENCH_D136 BENCH_D128, "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67])
#define BENCH_D144 BENCH_D136, "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71])
#define BENCH_D152 BENCH_D144, "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75])
#define BENCH_D160 BENCH_D152, "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79])
#define BENCH_D168 BENCH_D160, "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83])
#define BENCH_D176 BENCH_D168, "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87])
#define BENCH_D184 BENCH_D176, "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91])
#define BENCH_D192 BENCH_D184, "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define BENCH_D200 BENCH_D192, "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99])
#define BENCH_D208 BENCH_D200, "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103])
#define BENCH_D216 BENCH_D208, "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107])
#define BENCH_D224 BENCH_D216, "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111])
#define BENCH_D232 BENCH_D224, "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115])
#define BENCH_D240 BENCH_D232, "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119])
#define BENCH_D248 BENCH_D240, "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123])
#define BENCH_D256 BENCH_D248, "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])

BENCH_WGMMA(8, 4, 5, 6, 7, 8, 9, 10)
BENCH_WGMMA(16, 8, 9, 10, 11, 12, 13, 14)
BENCH_WGMMA(24, 12, 13, 14, 15, 16, 17, 18)
BENCH_WGMMA(32, 16, 17, 18, 19, 20, 21, 22)
BENCH_WGMMA(64, 32, 33, 34, 35, 36, 37, 38)
BENCH_WGMMA(80, 40, 41, 42, 43, 44, 45, 46)
BENCH_WGMMA(96, 48, 49, 50, 51, 52, 53, 54)
BENCH_WGMMA(128, 64, 65, 66, 67, 68, 69, 70)
BENCH_WGMMA(160, 80, 81, 82, 83, 84, 85, 86)
BENCH_WGMMA(176, 88, 89, 90, 91, 92, 93, 94)
BENCH_WGMMA(192, 96, 97, 98, 99, 100, 101, 102)
BENCH_WGMMA(208, 104, 105, 106, 107, 108, 109, 110)
BENCH_WGMMA(224, 112, 113, 114, 115, 116, 117, 118)
BENCH_WGMMA(256, 128, 129, 130, 131, 132, 133, 134)
#undef BENCH_WGMMA
#undef BENCH_WGMMA_

template <typename T, int N, bool TRANS_A, bool TRANS_B>
BENCH_DEVICE_FN void wgmma_ss(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate) {
  dev_wgmma<T, N>::template ss<TRANS_A, TRANS_B>(d, a, b, accumulate);
}
template <typename T, int N, bool TRANS_B>
BENCH_DEVICE_FN void wgmma_rs(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b,
                              bool accumulate) {
  dev_wgmma<T, N>::template rs<TRANS_B>(d, a, b, accumulate);
}

#endif
