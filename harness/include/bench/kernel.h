/* bench_kernel: one way to compute the attention of one layer. The contract between kernels and
 * harness; kernels include only this header and those it includes.
 *
 * A new kernel is one file that ends in
 *     BENCH_KERNEL(cpu, flash) = { .abi = BENCH_KERNEL_ABI, BENCH_KERNEL_NAMES(flash), ... };
 * and one bench_add() line in kernels/CMakeLists.txt, which defines BENCH_VARIANT for the file. */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include "bench/attn.h"
#include "bench/mask.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_KERNEL_ABI 4u

/* Bytes at the start of a workspace, as far as it has them, that are zero before the first launch
 * of a case. A kernel that relies on it, for counters say, leaves them zero at the end of each. */
#define BENCH_WORKSPACE_ZEROED 4096

/* What a kernel may ask of the machine. Missing text is empty, a missing number 0 or as stated. */
typedef struct bench_device {
  char backend[16]; /* "cpu", "cuda", "emu" */
  char name[128];
  char uuid[64];   /* cuda: GPU-xxxxxxxx-... */
  char driver[32]; /* cuda: driver version, "13.0" */
  char toolkit[32];
  char pci_bus_id[32];
  int index;
  int numa_node;       /* -1: unknown */
  int threads;         /* cpu: worker threads */
  int cc;              /* cuda: compute capability, major*10 + minor; 0 on cpu */
  int sm_count;        /* cuda */
  int has_avx2;        /* cpu: AVX2, FMA and F16C */
  int has_avx512;      /* cpu: AVX-512 F, BW, DQ and VL, besides the above */
  int has_avx512_bf16; /* cpu: AVX512-BF16, besides the above */
  int has_amx_bf16;    /* cpu: AMX-BF16, besides the above, and the system grants its registers */
  int64_t smem_bytes;  /* cuda: shared memory a block may opt in to */
  int64_t mem_bytes;   /* total memory of the device */
  int64_t llc_bytes;   /* last-level cache: L3 on cpu, L2 on cuda; 0: unknown */
} bench_device;

/* The statistics of one row that a kernel can make in the pass that makes its output: those of
 * bench_stat_core (bench/stat.h), before any mean over rows. A launch with `stats` gets, for every
 * row in the order of LSE, BENCH_FUSED_STATS floats in this order. A row that sees no key has -inf
 * for the first two and 0 for the others; the distance without the sink is NaN for a row with no
 * weight beyond key 0. The normalised entropy is left to the reader, who knows the visible keys:
 * entropy / log(keys). */
typedef enum bench_fused_stat {
  BENCH_FUSED_LSE,       /* natural log, as in LSE */
  BENCH_FUSED_MAX_LOGIT, /* with the softmax scale */
  BENCH_FUSED_ENTROPY,   /* nats */
  BENCH_FUSED_SUM_P2,
  BENCH_FUSED_P_MAX,
  BENCH_FUSED_DISTANCE,        /* tokens, mean of |i - j| */
  BENCH_FUSED_DISTANCE_NOSINK, /* key 0 dropped, the rest renormalised */
  BENCH_FUSED_DISTANCE_RMS,
  BENCH_FUSED_WINDOW16, /* mass on |i - j| < 16 */
  BENCH_FUSED_WINDOW64,
  BENCH_FUSED_WINDOW256,
  BENCH_FUSED_WINDOW1024,
  BENCH_FUSED_SINK,  /* mass on key 0 */
  BENCH_FUSED_SINK4, /* mass on keys 0-3 */
  BENCH_FUSED_STATS
} bench_fused_stat;

/* One layer's work. Pointers are in the backend's memory and 64-byte aligned; shapes are those of
 * attn.h. The kernel only enqueues on `stream` (cuda) or returns when done (cpu); it must not
 * allocate, and writes nothing but O, LSE, the statistics and the workspace. */
typedef struct bench_launch {
  const bench_attn *attn;
  const bench_blocklist *blocks; /* NULL unless the mask is BLOCK or the kernel wants_blocks; the
                                    struct is in host memory, its arrays in the backend's */
  const void *q;
  const void *k;
  const void *v;
  void *o;
  float *lse;
  float *stats;    /* [batch][heads_q][seq_q][BENCH_FUSED_STATS], or NULL: none wanted. Other than
                      NULL only for a kernel that fuses_stats; O and LSE are the same to the last
                      bit either way */
  void *workspace; /* workspace_bytes() bytes; NULL if that is 0. Contents are undefined behind
                      the first BENCH_WORKSPACE_ZEROED bytes */
  void *stream;    /* cudaStream_t; NULL on cpu */
  int threads;     /* cpu: threads to use */
  const bench_device *device; /* the one that why_not and workspace_bytes were asked about */
  bench_error *error; /* where a kernel may say why it refused, with bench_fail; may be NULL */
} bench_launch;

typedef struct bench_kernel {
  uint32_t abi;        /* BENCH_KERNEL_ABI */
  const char *family;  /* "flash": the idea, the same on every backend */
  const char *variant; /* "avx2", "sm80": the implementation */
  const char *summary; /* one line for `bench list kernels` */
  bool wants_blocks;   /* takes every mask as a block list of `block` rows and keys */
  int64_t block;       /* block size for simple masks if wants_blocks; BLOCK masks bring theirs */
  bool fuses_stats;    /* makes bench_launch.stats along with O */
  /* NULL if the kernel can run this problem on this device, else the reason, a static string.
   * Pure: called for every planned case. */
  const char *(*why_not)(const bench_attn *attn, const bench_device *device);
  /* Optional (NULL: none). Scratch for the launches of a case, which go one after the other. */
  size_t (*workspace_bytes)(const bench_attn *attn, const bench_device *device);
  /* 0 or a code of bench_code; never a time-out or a retry. BENCH_ERR_UNSUPPORTED makes the row a
   * skipped one: for what only a launch can find out. */
  bench_code (*launch)(const bench_launch *launch);
} bench_kernel;

/* One row of a backend's generated table. */
typedef struct bench_kernel_entry {
  const bench_kernel *kernel;
  const char *code_hash; /* 16 hex digits over the machine code: code_hash.c */
} bench_kernel_entry;

#define BENCH_KERNEL_PASTE_(backend, family, variant) bench_kernel_##backend##_##family##_##variant
#define BENCH_KERNEL_PASTE(backend, family, variant) BENCH_KERNEL_PASTE_(backend, family, variant)
#define BENCH_KERNEL_TEXT_(x) #x
#define BENCH_KERNEL_TEXT(x) BENCH_KERNEL_TEXT_(x)
/* Declares (external linkage also in C++) and opens the definition of this file's kernel. */
#define BENCH_KERNEL(backend, family)                                           \
  extern const bench_kernel BENCH_KERNEL_PASTE(backend, family, BENCH_VARIANT); \
  const bench_kernel BENCH_KERNEL_PASTE(backend, family, BENCH_VARIANT)
#define BENCH_KERNEL_NAMES(family_) .family = #family_, .variant = BENCH_KERNEL_TEXT(BENCH_VARIANT)

#ifdef __cplusplus
}
#endif
#endif
