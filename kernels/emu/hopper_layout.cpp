/* Where things lie in shared memory: the boxes of the TMA, and the operands of wgmma. */
#include <algorithm>
#include <cstring>

#include "emu/hopper_state.h"

namespace emu {

namespace {

constexpr uint64_t MARK = 0x7465736f72206d61; /* of a tensor map made by tensor_map_make */
constexpr int64_t DIM_MAX = INT64_C(1) << 32;
constexpr int64_t STRIDE_MAX = INT64_C(1) << 40;
constexpr int32_t BOX_MAX = 256;

bool is_map(const TensorMap &map, int rank) {
  return map.mark == MARK && map.rank == rank;
}

}  // namespace

/* The rules of cuTensorMapEncodeTiled, and one more: with a swizzle, rows of the box are as long as
 * the pattern. (A shorter row is allowed; where the next one then begins is not written down.) */
bench_code tensor_map_make(void *map, bench_dtype dtype, int rank, const void *base,
                           const int64_t *dims, const int64_t *strides_bytes, const int32_t *box,
                           int swizzle) {
  const int64_t size = dtype == BENCH_FP32 ? 4 : 2;
  if (rank < 2 || rank > TENSOR_RANK_MAX || swizzle < 0 || swizzle > 3 ||
      reinterpret_cast<uintptr_t>(base) % 16 != 0) {
    return BENCH_ERR_DEVICE;
  }
  TensorMap made = {};
  made.mark = MARK;
  made.base = const_cast<void *>(base);
  made.rank = (uint8_t)rank;
  made.dtype = (uint8_t)dtype;
  made.swizzle = (uint8_t)swizzle;
  for (int i = 0; i < TENSOR_RANK_MAX; i++) {
    made.dims[i] = i < rank ? dims[i] : 1;
    made.box[i] = i < rank ? box[i] : 1;
    made.strides[i] = i == 0 ? size : i < rank ? strides_bytes[i - 1] : 0;
    if (made.dims[i] < 1 || made.dims[i] > DIM_MAX || made.box[i] < 1 || made.box[i] > BOX_MAX ||
        (i > 0 &&
         (made.strides[i] < 0 || made.strides[i] >= STRIDE_MAX || made.strides[i] % 16 != 0))) {
      return BENCH_ERR_DEVICE;
    }
  }
  const int64_t inner = made.box[0] * size;
  if (inner % 16 != 0 || (swizzle != 0 && inner != swizzle_span(swizzle))) {
    return BENCH_ERR_DEVICE;
  }
  static_assert(sizeof made <= 128, "it has to fit into a dev_tensor_map");
  memset(map, 0, 128);
  memcpy(map, &made, sizeof made);
  return BENCH_OK;
}

const TensorMap &map_at(const void *map, int rank, const char *operation, Site at) {
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0) {
    fail(at, "%s: a tensor map is at a multiple of 64, not at %p", operation, map);
  }
  const TensorMap &found = *static_cast<const TensorMap *>(map);
  if (rank != 0 && !is_map(found, rank)) {
    fail(at, "%s: %p is no tensor map of %d dimensions", operation, map, rank);
  }
  return found;
}

uint32_t box_bytes(const TensorMap &map) {
  uint32_t bytes = (uint32_t)map.strides[0];
  for (int32_t extent : map.box) {
    bytes *= (uint32_t)extent;
  }
  return bytes;
}

std::vector<BoxRow> box_rows(const TensorMap &map, const int32_t *coords) {
  int64_t c[TENSOR_RANK_MAX] = {};
  std::copy(coords, coords + map.rank, c);
  const int64_t size = map.strides[0];
  const int64_t begin = std::max<int64_t>(c[0], 0);
  const int64_t end = std::min<int64_t>(c[0] + map.box[0], map.dims[0]);
  std::vector<BoxRow> rows;
  uint32_t offset = 0;
  for (int64_t z = c[3]; z < c[3] + map.box[3]; z++) {
    for (int64_t y = c[2]; y < c[2] + map.box[2]; y++) {
      for (int64_t x = c[1]; x < c[1] + map.box[1]; x++) {
        BoxRow row = {nullptr, offset, 0, 0};
        const bool inside = x >= 0 && x < map.dims[1] && y >= 0 && y < map.dims[2] && z >= 0 &&
                            z < map.dims[3] && begin < end;
        if (inside) {
          row.inside = static_cast<unsigned char *>(map.base) + begin * size + x * map.strides[1] +
                       y * map.strides[2] + z * map.strides[3];
          row.before = (uint32_t)((begin - c[0]) * size);
          row.bytes = (uint32_t)((end - begin) * size);
        }
        rows.push_back(row);
        offset += (uint32_t)(map.box[0] * size);
      }
    }
  }
  return rows;
}

/* "Tensors", "Swizzling modes": the pattern goes by the address and repeats after eight spans, so a
 * tile that starts in the midst of it is legal, but no descriptor of ours would fit it. */
SharedPlace box_place(const TensorMap &map, smem_addr address, const char *operation, Site at) {
  const uint32_t unit = map.swizzle == 0 ? 128 : 8 * swizzle_span(map.swizzle);
  const SharedPlace place = shared_at(address, box_bytes(map), unit, operation, at);
  if (place.block != self->block) {
    fail(at, "%s: the memory is another block's", operation);
  }
  return place;
}

/* Seen on an H200, and not in the ISA: both end a launch as an illegal instruction. */
void box_check(const TensorMap &map, const int32_t *coords, bool is_stored, const char *operation,
               Site at) {
  const int64_t first = (int64_t)coords[0] * map.strides[0];
  if (first % 16 != 0) {
    fail(at, "%s: the box begins at byte %lld of a row, which is not a multiple of 16", operation,
         (long long)first);
  }
  for (int i = 0; i < map.rank; i++) {
    if (is_stored && coords[i] < 0) {
      fail(at, "%s: coordinate %d of a stored box is %d, before the tensor", operation, i,
           coords[i]);
    }
  }
}

/* "Matrix descriptor": start address, the two strides, base offset, swizzle. */
Operand operand_of(uint64_t descriptor, bool mn_major, const char *which, Site at) {
  Operand operand;
  operand.start = (uint32_t)(descriptor & 0x3fff) << 4;
  operand.lbo = (uint32_t)(descriptor >> 16 & 0x3fff) << 4;
  operand.sbo = (uint32_t)(descriptor >> 32 & 0x3fff) << 4;
  operand.swizzle = (int)(descriptor >> 62);
  operand.mn_major = mn_major;
  const uint64_t unused = 0x3ff1c000c000c000u; /* with the base offset left out */
  if ((descriptor & unused) != 0) {
    fail(at, "wgmma: descriptor %s is 0x%llx, with bits set that have no meaning", which,
         (unsigned long long)descriptor);
  }
  const uint32_t pattern = 8 * swizzle_span(operand.swizzle);
  if ((descriptor >> 49 & 7) != 0 || (operand.swizzle != 0 && operand.start % pattern >= 128)) {
    fail(at,
         "wgmma: matrix %s starts at shared address %u, in a row of the swizzle that is not its "
         "first; its tile is not at a multiple of %u",
         which, operand.start, pattern);
  }
  return operand;
}

/* "Strides", "Canonical layouts": (T, 1 or span, m), (8, k) with T = 8 elements of 2 bytes. */
uint32_t operand_chunk(const Operand &o, int row, int k) {
  const uint32_t r = (uint32_t)row;
  const uint32_t c = (uint32_t)k;
  const uint32_t span = swizzle_span(o.swizzle);
  uint32_t address = o.start;
  if (!o.mn_major) {
    address += r % 8 * span + r / 8 * o.sbo + c / 8 * (o.swizzle == 0 ? o.lbo : 16);
  } else if (o.swizzle == 0) {
    address += r / 8 * o.sbo + c % 8 * 16 + c / 8 * o.lbo;
  } else {
    const uint32_t groups = span / 16; /* of 8 rows, in a span */
    address += r / 8 % groups * 16 + r / 8 / groups * o.lbo + c % 8 * span + c / 8 * o.sbo;
  }
  return swizzled(address, o.swizzle);
}

}  // namespace emu
