/* Conformance of the TMA: boxes of tensors to shared memory and back, whole and over the edges.
 * What the ISA does not say was seen on an H200: a box that begins within a chunk of 16 bytes, or
 * that is stored and begins before the tensor in some dimension, is an illegal instruction. */
#include "conform.h"
#include "cuda/device.h"

namespace CONFORM_SIDE {

#define THREADS 128

struct Box { /* of a dense tensor */
  bench_dtype dtype;
  int rank;
  int64_t dims[4];
  int32_t box[4];
  int at[4];
  dev_swizzle swizzle;
};
static const Box boxes[] = {
    /* 0-3: each pattern, inside */
    {BENCH_BF16, 2, {128, 20}, {64, 16}, {64, 3}, SWIZZLE_128B},
    {BENCH_BF16, 2, {128, 20}, {32, 16}, {32, 3}, SWIZZLE_64B},
    {BENCH_BF16, 2, {128, 20}, {16, 16}, {16, 3}, SWIZZLE_32B},
    {BENCH_BF16, 2, {128, 20}, {40, 16}, {24, 3}, SWIZZLE_NONE},
    /* 4-5: beyond the end, wholly outside */
    {BENCH_FP16, 2, {72, 10}, {64, 8}, {40, 7}, SWIZZLE_128B},
    {BENCH_FP32, 2, {36, 10}, {16, 4}, {100, 2}, SWIZZLE_64B},
    /* 6-8: more dimensions */
    {BENCH_BF16, 3, {64, 6, 5}, {64, 4, 3}, {0, 1, 1}, SWIZZLE_128B},
    {BENCH_FP16, 3, {64, 6, 5}, {16, 4, 3}, {16, 4, 3}, SWIZZLE_32B},
    {BENCH_FP32, 4, {32, 3, 4, 3}, {32, 2, 3, 2}, {0, 1, 1, 1}, SWIZZLE_128B},
    /* 9, 10: the largest box of a dimension; one row */
    {BENCH_BF16, 2, {8, 300}, {8, 256}, {0, 30}, SWIZZLE_NONE},
    {BENCH_BF16, 2, {64, 9}, {64, 1}, {0, 8}, SWIZZLE_128B},
    /* 11, 12: before the first row, and the first column by whole chunks */
    {BENCH_BF16, 2, {128, 20}, {64, 16}, {0, -3}, SWIZZLE_128B},
    {BENCH_FP32, 2, {36, 10}, {32, 8}, {-4, 0}, SWIZZLE_128B},
    /* 13-15: around the tensor; over several edges; the same with no coordinate below 0 */
    {BENCH_BF16, 2, {16, 4}, {32, 8}, {-8, -2}, SWIZZLE_64B},
    {BENCH_BF16, 4, {64, 3, 4, 3}, {16, 2, 3, 2}, {56, 2, -1, 2}, SWIZZLE_NONE},
    {BENCH_BF16, 4, {64, 3, 4, 3}, {16, 2, 3, 2}, {56, 2, 2, 2}, SWIZZLE_NONE},
    /* 16: within a chunk of 16 bytes */
    {BENCH_FP32, 2, {36, 10}, {32, 8}, {3, 2}, SWIZZLE_128B},
};

static size_t element_bytes(const Box &box) {
  return box.dtype == BENCH_FP32 ? 4 : 2;
}
static size_t box_bytes(const Box &box) {
  size_t bytes = element_bytes(box);
  for (int i = 0; i < box.rank; i++) {
    bytes *= (size_t)box.box[i];
  }
  return bytes;
}
static bench_code make_map(const Box &box, const void *base, dev_tensor_map *map) {
  int64_t strides[3] = {0, 0, 0};
  int64_t stride = (int64_t)element_bytes(box);
  for (int i = 0; i + 1 < box.rank; i++) {
    stride *= box.dims[i];
    strides[i] = stride;
  }
  return tensor_map_make(map, box.dtype, box.rank, base, box.dims, strides, box.box, box.swizzle);
}

/* Of the element at `place` in the box (innermost dimension first): its byte in the dense tensor,
 * or -1 if it is outside; and its byte in shared memory. */
static int64_t tensor_byte(const Box &box, size_t place) {
  int64_t offset = 0;
  int64_t stride = (int64_t)element_bytes(box);
  for (int i = 0; i < box.rank; i++) {
    const int64_t c = box.at[i] + (int64_t)(place % (size_t)box.box[i]);
    place /= (size_t)box.box[i];
    if (c < 0 || c >= box.dims[i]) {
      return -1;
    }
    offset += c * stride;
    stride *= box.dims[i];
  }
  return offset;
}
/* The CUDA programming guide: of the 16-byte chunks x of the 128-byte line y, 128B swaps x with
 * x ^ y % 8; 64B with x ^ y % 4; 32B with x ^ y % 2. */
static size_t shared_byte(const Box &box, size_t place) {
  static const size_t repeats[] = {1, 8, 4, 2}; /* by dev_swizzle */
  const size_t linear = place * element_bytes(box);
  const size_t y = linear / 128;
  const size_t x = linear % 128 / 16;
  return y * 128 + (x ^ y % repeats[box.swizzle]) * 16 + linear % 16;
}

/* A dynamic region starts at a multiple of 16 and of no more: this much further at most. */
#define ROUND 1024
BENCH_DEVICE_FN smem_addr rounded(smem_addr first) {
  return (first + ROUND - 1) & ~(smem_addr)(ROUND - 1);
}

struct Coords {
  int c[4];
};
static Coords coords_of(const Box &box) {
  Coords coords;
  memcpy(coords.c, box.at, sizeof coords.c);
  return coords;
}

/* ---- loads: shared memory as it is afterwards ---- */
template <int RANK>
BENCH_DEVICE_FN void load_box(smem_addr to, const dev_tensor_map *map, smem_addr bar, Coords at) {
  if (RANK == 2) {
    tma_load_2d(to, map, bar, at.c[0], at.c[1]);
  } else if (RANK == 3) {
    tma_load_3d(to, map, bar, at.c[0], at.c[1], at.c[2]);
  } else {
    tma_load_4d(to, map, bar, at.c[0], at.c[1], at.c[2], at.c[3]);
  }
}
template <int RANK>
BENCH_DEVICE_FN void multicast_box(smem_addr to, const dev_tensor_map *map, smem_addr bar,
                                   Coords at) {
  if (RANK == 2) {
    tma_load_2d_multicast(to, map, bar, at.c[0], at.c[1], 3);
  } else if (RANK == 3) {
    tma_load_3d_multicast(to, map, bar, at.c[0], at.c[1], at.c[2], 3);
  } else {
    tma_load_4d_multicast(to, map, bar, at.c[0], at.c[1], at.c[2], at.c[3], 3);
  }
}

/* Alone, or in a cluster of two of which the second block loads for both. */
template <int RANK, bool MULTICAST>
BENCH_KERNEL_FN(THREADS)
void load_kernel(const BENCH_GRID_CONSTANT dev_tensor_map map, Coords at, int bytes,
                 unsigned char *out) {
  BENCH_DYN_SMEM(region, 1024);
  BENCH_SHARED(uint64_t, held, [1]);
  const smem_addr tile = rounded(smem_of(region));
  const smem_addr bar = smem_of(held);
  if (thread_x() == 0) {
    tma_prefetch(&map);
    mbar_init(bar, 1);
    mbar_init_fence();
    mbar_arrive_expect_tx(bar, (uint32_t)bytes);
  }
  if (MULTICAST) {
    cluster_arrive();
    cluster_wait();
    if (cluster_rank() == 1 && thread_x() == 0) {
      multicast_box<RANK>(tile, &map, bar, at);
    }
  } else {
    sync_threads();
    if (thread_x() == 0) {
      load_box<RANK>(tile, &map, bar, at);
    }
  }
  mbar_wait(bar, 0);
  for (int i = thread_x() * 16; i < bytes; i += THREADS * 16) {
    store_global16(out + block_x() * bytes + i, load_shared16(tile + (smem_addr)i));
  }
  if (MULTICAST) {
    cluster_arrive();
    cluster_wait();
  }
}
template <int RANK, bool MULTICAST>
static bench_code load_launch(const conform_case *c, const void *in, void *out) {
  const Box &box = boxes[c->a];
  dev_tensor_map map;
  const bench_code code = make_map(box, in, &map);
  if (code != BENCH_OK) {
    return code;
  }
  const int blocks = MULTICAST ? 2 : 1;
  const int bytes = (int)box_bytes(box);
  return BENCH_LAUNCH_CLUSTER((load_kernel<RANK, MULTICAST>), blocks, blocks, THREADS,
                              box_bytes(box) + ROUND, nullptr, map, coords_of(box), bytes,
                              static_cast<unsigned char *>(out));
}
static void load_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  const Box &box = boxes[c->a];
  const size_t bytes = box_bytes(box);
  const size_t size = element_bytes(box);
  for (size_t place = 0; place < bytes / size; place++) {
    const int64_t from = tensor_byte(box, place);
    unsigned char *to = out + shared_byte(box, place);
    if (from < 0) {
      memset(to, 0, size); /* outside of the tensor */
    } else {
      memcpy(to, in + from, size);
    }
  }
  if (c->out_bytes > bytes) {
    memcpy(out + bytes, out, bytes);
  }
}

/* ---- stores: the tensor as it is afterwards ---- */
template <int RANK, bool ADD>
BENCH_DEVICE_FN void store_box(const dev_tensor_map *map, smem_addr from, Coords at) {
  if (RANK == 2) {
    ADD ? tma_reduce_add_2d(map, from, at.c[0], at.c[1])
        : tma_store_2d(map, from, at.c[0], at.c[1]);
  } else if (RANK == 3) {
    ADD ? tma_reduce_add_3d(map, from, at.c[0], at.c[1], at.c[2])
        : tma_store_3d(map, from, at.c[0], at.c[1], at.c[2]);
  } else {
    ADD ? tma_reduce_add_4d(map, from, at.c[0], at.c[1], at.c[2], at.c[3])
        : tma_store_4d(map, from, at.c[0], at.c[1], at.c[2], at.c[3]);
  }
}
template <int RANK, bool ADD>
BENCH_KERNEL_FN(THREADS)
void store_kernel(const BENCH_GRID_CONSTANT dev_tensor_map map, Coords at, int bytes,
                  const unsigned char *in) {
  BENCH_DYN_SMEM(region, 1024);
  const smem_addr first = rounded(smem_of(region));
  for (int i = thread_x() * 16; i < bytes; i += THREADS * 16) {
    store_shared16(first + (smem_addr)i, load_global16(in + i));
  }
  fence_proxy_async();
  sync_threads();
  if (thread_x() == 0) {
    store_box<RANK, ADD>(&map, first, at);
    bulk_commit();
    bulk_wait_read<0>();
    store_shared4(first, 0xffffffffu); /* it has been read */
    bulk_wait<0>();
  }
}
/* Before sums: element i of the tensor is i % 7. */
BENCH_KERNEL_FN(THREADS) void begin_kernel(int dtype, int count, void *out) {
  for (int i = thread_x(); i < count; i += THREADS) {
    const float value = (float)(i % 7);
    if (dtype == BENCH_FP32) {
      from_float(value, static_cast<float *>(out) + i);
    } else if (dtype == BENCH_FP16) {
      from_float(value, static_cast<dev_fp16 *>(out) + i);
    } else {
      from_float(value, static_cast<dev_bf16 *>(out) + i);
    }
  }
}
template <int RANK, bool ADD>
static bench_code store_launch(const conform_case *c, const void *in, void *out) {
  const Box &box = boxes[c->a];
  dev_tensor_map map;
  bench_code code = make_map(box, out, &map);
  if (code == BENCH_OK && ADD) {
    code = BENCH_LAUNCH(begin_kernel, 1, THREADS, 0, nullptr, (int)box.dtype,
                        (int)(c->out_bytes / element_bytes(box)), out);
  }
  if (code != BENCH_OK) {
    return code;
  }
  return BENCH_LAUNCH((store_kernel<RANK, ADD>), 1, THREADS, box_bytes(box) + ROUND, nullptr, map,
                      coords_of(box), (int)box_bytes(box), static_cast<const unsigned char *>(in));
}
static void store_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  const Box &box = boxes[c->a];
  const size_t size = element_bytes(box);
  for (size_t place = 0; place < box_bytes(box) / size; place++) {
    const int64_t to = tensor_byte(box, place);
    if (to >= 0) {
      memcpy(out + to, in + shared_byte(box, place), size);
    }
  }
}
static void put_integer(const Box &box, unsigned char *to, int value) {
  if (box.dtype == BENCH_FP32) {
    conform_put(to, 0, (float)value);
  } else {
    conform_put(to, 0, box.dtype == BENCH_FP16 ? conform_fp16(value) : conform_bf16(value));
  }
}
static void sum_fill(const conform_case *c, unsigned char *in) {
  const Box &box = boxes[c->a];
  const size_t size = element_bytes(box);
  for (size_t place = 0; place < box_bytes(box) / size; place++) {
    put_integer(box, in + shared_byte(box, place), conform_integer(3, (uint32_t)place));
  }
}
static void sum_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)in;
  const Box &box = boxes[c->a];
  const size_t size = element_bytes(box);
  for (size_t i = 0; i < c->out_bytes / size; i++) {
    put_integer(box, out + i * size, (int)(i % 7));
  }
  for (size_t place = 0; place < box_bytes(box) / size; place++) {
    const int64_t to = tensor_byte(box, place);
    if (to >= 0) {
      const int before = (int)((size_t)to / size % 7);
      put_integer(box, out + to, before + conform_integer(3, (uint32_t)place));
    }
  }
}

/* Cases that the device carries out, and (NO_) those that it refuses. */
#define LOAD_(refused, name, rank, which, tensor, box)                                        \
  {                                                                                           \
    name, 90, tensor, box, nullptr, load_launch<rank, false>, load_expect, 0, which, 0, 0, 0, \
        refused                                                                               \
  }
#define MULTICAST(name, rank, which, tensor, box)                                                  \
  {                                                                                                \
    name, 90, tensor, 2 * (box), nullptr, load_launch<rank, true>, load_expect, 0, which, 0, 0, 0, \
        false                                                                                      \
  }
#define STORE_(refused, name, rank, which, tensor, box)                                         \
  {                                                                                             \
    name, 90, box, tensor, nullptr, store_launch<rank, false>, store_expect, 0, which, 0, 0, 0, \
        refused                                                                                 \
  }
#define SUM_(refused, name, rank, which, tensor, box)                                         \
  {                                                                                           \
    name, 90, box, tensor, sum_fill, store_launch<rank, true>, sum_expect, 0, which, 0, 0, 0, \
        refused                                                                               \
  }
#define LOAD(...) LOAD_(false, __VA_ARGS__)
#define NO_LOAD(...) LOAD_(true, __VA_ARGS__)
#define STORE(...) STORE_(false, __VA_ARGS__)
#define NO_STORE(...) STORE_(true, __VA_ARGS__)
#define SUM(...) SUM_(false, __VA_ARGS__)
#define NO_SUM(...) SUM_(true, __VA_ARGS__)
static const conform_case cases[] = {
    LOAD("tma_load_2d 128B", 2, 0, 2 * 128 * 20, 2 * 64 * 16),
    LOAD("tma_load_2d 64B", 2, 1, 2 * 128 * 20, 2 * 32 * 16),
    LOAD("tma_load_2d 32B", 2, 2, 2 * 128 * 20, 2 * 16 * 16),
    LOAD("tma_load_2d plain", 2, 3, 2 * 128 * 20, 2 * 40 * 16),
    LOAD("tma_load_2d beyond the end", 2, 4, 2 * 72 * 10, 2 * 64 * 8),
    LOAD("tma_load_2d before the first row", 2, 11, 2 * 128 * 20, 2 * 64 * 16),
    LOAD("tma_load_2d before the first column", 2, 12, 4 * 36 * 10, 4 * 32 * 8),
    LOAD("tma_load_2d around the tensor", 2, 13, 2 * 16 * 4, 2 * 32 * 8),
    LOAD("tma_load_2d outside", 2, 5, 4 * 36 * 10, 4 * 16 * 4),
    NO_LOAD("tma_load_2d within a chunk", 2, 16, 4 * 36 * 10, 4 * 32 * 8),
    LOAD("tma_load_3d 128B", 3, 6, 2 * 64 * 6 * 5, 2 * 64 * 4 * 3),
    LOAD("tma_load_3d 32B beyond the end", 3, 7, 2 * 64 * 6 * 5, 2 * 16 * 4 * 3),
    LOAD("tma_load_4d 128B", 4, 8, 4 * 32 * 3 * 4 * 3, 4 * 32 * 2 * 3 * 2),
    LOAD("tma_load_4d plain, over edges", 4, 14, 2 * 64 * 3 * 4 * 3, 2 * 16 * 2 * 3 * 2),
    LOAD("tma_load_2d 256 rows", 2, 9, 2 * 8 * 300, 2 * 8 * 256),
    LOAD("tma_load_2d one row", 2, 10, 2 * 64 * 9, 2 * 64),
    MULTICAST("tma_load_2d_multicast", 2, 4, 2 * 72 * 10, 2 * 64 * 8),
    MULTICAST("tma_load_3d_multicast", 3, 6, 2 * 64 * 6 * 5, 2 * 64 * 4 * 3),
    MULTICAST("tma_load_4d_multicast", 4, 14, 2 * 64 * 3 * 4 * 3, 2 * 16 * 2 * 3 * 2),
    STORE("tma_store_2d 128B, fence_proxy_async, bulk_commit, bulk_wait, bulk_wait_read", 2, 0,
          2 * 128 * 20, 2 * 64 * 16),
    STORE("tma_store_2d 64B", 2, 1, 2 * 128 * 20, 2 * 32 * 16),
    STORE("tma_store_2d 32B", 2, 2, 2 * 128 * 20, 2 * 16 * 16),
    STORE("tma_store_2d plain", 2, 3, 2 * 128 * 20, 2 * 40 * 16),
    STORE("tma_store_2d beyond the end", 2, 4, 2 * 72 * 10, 2 * 64 * 8),
    NO_STORE("tma_store_2d before the first row", 2, 11, 2 * 128 * 20, 2 * 64 * 16),
    NO_STORE("tma_store_2d before the first column", 2, 12, 4 * 36 * 10, 4 * 32 * 8),
    STORE("tma_store_2d outside", 2, 5, 4 * 36 * 10, 4 * 16 * 4),
    NO_STORE("tma_store_2d within a chunk", 2, 16, 4 * 36 * 10, 4 * 32 * 8),
    STORE("tma_store_3d", 3, 6, 2 * 64 * 6 * 5, 2 * 64 * 4 * 3),
    STORE("tma_store_4d over edges", 4, 15, 2 * 64 * 3 * 4 * 3, 2 * 16 * 2 * 3 * 2),
    SUM("tma_reduce_add_2d bf16", 2, 0, 2 * 128 * 20, 2 * 64 * 16),
    SUM("tma_reduce_add_2d fp16 beyond the end", 2, 4, 2 * 72 * 10, 2 * 64 * 8),
    SUM("tma_reduce_add_2d fp32 outside", 2, 5, 4 * 36 * 10, 4 * 16 * 4),
    NO_SUM("tma_reduce_add_2d before the first column", 2, 12, 4 * 36 * 10, 4 * 32 * 8),
    SUM("tma_reduce_add_3d", 3, 6, 2 * 64 * 6 * 5, 2 * 64 * 4 * 3),
    SUM("tma_reduce_add_4d", 4, 8, 4 * 32 * 3 * 4 * 3, 4 * 32 * 2 * 3 * 2),
};
CONFORM_TABLE(tma) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
