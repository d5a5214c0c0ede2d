/* What a block keeps for the operations of sm_90, and what their files share. */
#ifndef BENCH_EMU_HOPPER_STATE_H
#define BENCH_EMU_HOPPER_STATE_H

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "emu/hopper.h"

namespace emu {

struct Mbarrier {
  Block *block;
  uint32_t offset;
  uint32_t count; /* arrivals of a phase */
  uint32_t pending;
  int64_t bytes; /* expected and not landed; negative if they landed first */
  uint64_t phase;
  bool seen;   /* a wait has found that the phase before this one has ended */
  bool fenced; /* since it was made: for the TMA and other blocks */
  const Thread *maker;
  Site made;
  uint32_t fence_time; /* of the maker */
  uint32_t claim;
  WaitList waiting;
  Clock arriving; /* what those know that have arrived in this phase */
  Clock ended;    /* of the phase before */
};

struct Store { /* of the TMA, from issue until it is done */
  TensorMap map;
  int32_t coords[TENSOR_RANK_MAX];
  Block *block;
  uint32_t offset;
  std::vector<unsigned char> data; /* as it lay in shared memory when it was issued */
  bool add;
  bool has_read;
  uint32_t claim;
  const char *operation;
  Site at;
};
struct Stores {               /* of a thread */
  std::vector<Store> stores;  /* oldest first */
  std::vector<size_t> groups; /* their sizes, oldest first; what is left is not committed */
};

constexpr int WARPS = WARPGROUP / WARP; /* of a warpgroup */

struct Chunk { /* 16 bytes of an operand in shared memory */
  uint32_t offset;
  unsigned char data[16]; /* when the multiplication was issued */
};
/* What one multiplication, or in strict mode one warp of it, reads in shared memory. */
struct Reads {
  std::vector<Chunk> chunks;
  std::vector<float> a; /* [rows][16] */
  std::vector<float> b; /* [16][n] */
  uint32_t claim = 0;
  bool over = false;
  Clock clock; /* learnt by who waits */
};
struct Share { /* of one warp in a multiplication */
  bool issued = false;
  bool follows = false; /* works on accumulators of an earlier one that is not waited for */
  Reads reads;          /* strict mode */
  float *d[WARP] = {};
  const uint32_t *registers[WARP] = {}; /* of A, if they are not in shared memory */
  uint32_t a[WARP][4] = {};             /* them, when issued */
  std::vector<float> tile;              /* [16][n] of the accumulators, without the poison */
};
struct Multiplication {
  Wgmma call;
  Site at;
  size_t number; /* in the warpgroup */
  Reads reads;   /* unless strict */
  Share shares[WARPS];
};
struct WarpQueue {
  size_t issued = 0;         /* multiplications, from the start */
  size_t waited = 0;         /* of them waited for: the first ones */
  std::deque<size_t> groups; /* what `issued` was when they were committed */
  bool fenced = false;       /* since it last waited */
};
struct Warpgroup {
  std::deque<Multiplication> flying; /* those that some warp has not waited for */
  size_t first = 0;                  /* number of flying[0] */
  WarpQueue warps[WARPS];
  WaitList waiting; /* for other warps to issue */

  Multiplication &at(size_t number) {
    return flying[number - first];
  }
};

struct ClusterBarrier { /* kept by the block of rank 0 */
  int arrived = 0;
  uint64_t phase = 0;
  WaitList waiting;
  Clock arriving;
  Clock ended;
};

struct Hopper : Extension {
  explicit Hopper(Block &of);
  void thread_ends(Thread &thread) override;
  void block_ends() override;

  Block &block;
  std::map<uint32_t, Mbarrier> barriers; /* by offset */
  std::vector<Stores> stores;            /* by thread */
  std::vector<Warpgroup> warpgroups;
  int loads = 0; /* in flight to this block */
  Site load_at = {nullptr, 0};
  const Thread *load_issuer = nullptr;
  ClusterBarrier cluster;
  std::vector<uint64_t> cluster_arrived; /* by thread: 1 + the phase in which it arrived last */
  std::vector<int> registers;            /* by warp, of a thread */
  int registers_free = 0;                /* of the block's pool */
  WaitList registers_waiting;
};

Hopper &hopper_of(Block &block);
/* The block of that rank in the cluster of `block`; null if there is none. */
Block *block_of_rank(const Block &block, uint32_t rank);

/* hopper_mbarrier.cpp. The TMA's side of a barrier: */
Mbarrier &mbarrier_for_tma(smem_addr bar, const char *operation, Site at);
void mbarrier_landed(Mbarrier &barrier, uint32_t bytes, const Thread *issuer, Site at);
void mbarriers_end(Hopper &state);
void mbarrier_inits_fenced(Thread &thread);

/* hopper_store.cpp */
void stores_end(Thread &thread, Stores &stores);

/* hopper_wgmma.cpp, hopper_wait.cpp */
Warpgroup &warpgroup_of(const Warp &warp, const char *operation, Site at);
void reads_stop(Reads &reads, Block &block, Site at);
void wgmma_end(const Thread &thread, Warpgroup &group);

/* hopper_cluster.cpp */
void cluster_loses(Thread &thread);
void registers_end(const Hopper &state);

/* hopper_layout.cpp */
/* The pattern in which 16-byte chunks change places: of an address of shared memory. */
constexpr uint32_t swizzled(uint32_t address, int swizzle) {
  const uint32_t bits = swizzle == 1 ? 0x70u : swizzle == 2 ? 0x30u : swizzle == 3 ? 0x10u : 0u;
  return address ^ (address >> 3 & bits);
}
/* Bytes of a row of the pattern: 16 without one, else 128, 64 or 32. */
constexpr uint32_t swizzle_span(int swizzle) {
  return swizzle == 0 ? 16u : 256u >> swizzle;
}
struct Operand { /* a matrix of wgmma in shared memory: rows of 16 along k */
  uint32_t start;
  uint32_t lbo;
  uint32_t sbo;
  int swizzle;
  bool mn_major;
};
/* Fails for what no tile can have. */
Operand operand_of(uint64_t descriptor, bool mn_major, const char *which, Site at);
/* The address of the chunk that holds element (row, k): 8 of them along k, or along the rows. */
uint32_t operand_chunk(const Operand &operand, int row, int k);

/* The range of a tensor that a box covers, row by row of its innermost dimension:
 * visit(bytes in global memory or null, offset in the box, bytes inside of the tensor, of them to
 * skip at the front of the row). */
struct BoxRow {
  unsigned char *inside; /* the part that the tensor has; null: none */
  uint32_t offset;       /* of the row in the box */
  uint32_t before;       /* bytes of the row that precede that part */
  uint32_t bytes;        /* of that part */
};
uint32_t box_bytes(const TensorMap &map);
std::vector<BoxRow> box_rows(const TensorMap &map, const int32_t *coords);
/* Checked: fails for what is no map of that rank. */
const TensorMap &map_at(const void *map, int rank, const char *operation, Site at);
/* Fails for a box that hardware does not take. */
void box_check(const TensorMap &map, const int32_t *coords, bool is_stored, const char *operation,
               Site at);
/* The place of a box in shared memory, checked. */
SharedPlace box_place(const TensorMap &map, smem_addr address, const char *operation, Site at);

/* hopper_math.cpp: the registers of a warp's lanes, and what is computed with them. */
void tile_gather(Share &share, int n);
void accumulators_poison(const Share &share, int n);
bool accumulators_poisoned(const Share &share, int n, int lane);
void tile_scatter(const Share &share, int n);
/* Appends rows first to end of an operand as floats, [row][16]. */
void unpack_rows(Format format, const Operand &operand, const Chunk *chunks, int first, int end,
                 std::vector<float> *to);
/* tile += A B, with rows 16 w and on of A in `reads` if those begin at row first_row there. */
void multiply_tile(const Multiplication &m, const Reads &reads, int first_row, Share *share);

}  // namespace emu

#endif
