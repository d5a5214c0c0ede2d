/* The TMA, loads: an agent brings the box, as late as it may, and the bytes count on an mbarrier
 * ("cp.async.bulk.tensor"). */
#include <cstring>
#include <memory>

#include "emu/hopper_state.h"
#include "emu/internal.h"

namespace emu {

namespace {

struct Load { /* to one block */
  TensorMap map;
  int32_t coords[TENSOR_RANK_MAX];
  Block *block;
  uint32_t offset;
  Mbarrier *barrier;
  std::shared_ptr<const std::vector<unsigned char>> data; /* as shared memory will have it */
  uint32_t claim;
  const Thread *issuer;
  const char *operation;
  Site at;
  Clock clock; /* of the issuer, when it issued */
};

/* The box as it is in global memory now, at the places that it takes behind `address`. */
std::vector<unsigned char> fetch(const TensorMap &map, const int32_t *coords, uint32_t address) {
  std::vector<unsigned char> data(box_bytes(map)); /* zeros where there is no tensor */
  const uint32_t row_bytes = (uint32_t)(map.box[0] * map.strides[0]);
  std::vector<unsigned char> line(row_bytes);
  for (const BoxRow &row : box_rows(map, coords)) {
    std::fill(line.begin(), line.end(), 0);
    if (row.inside != nullptr) {
      memcpy(&line[row.before], row.inside, row.bytes);
    }
    for (uint32_t i = 0; i < row_bytes; i += 16) {
      memcpy(&data[swizzled(address + row.offset + i, map.swizzle) - address], &line[i], 16);
    }
  }
  return data;
}

void land(const Load &load) {
  const uint32_t bytes = (uint32_t)load.data->size();
  claim_release_write(load.claim, *load.block, load.offset, bytes);
  claim_close(load.claim);
  if (fetch(load.map, load.coords, load.offset) != *load.data) {
    fail_for(load.issuer, load.at, "%s: its source changed while the copy was in flight",
             load.operation);
  }
  memcpy(load.block->arena + load.offset, load.data->data(), bytes);
  race_land(*load.block, load.offset, bytes, load.barrier, load.at, load.clock,
            load.barrier->arriving);
  hopper_of(*load.block).loads--;
  mbarrier_landed(*load.barrier, bytes, load.issuer, load.at);
}

void issue(Load load, smem_addr to, smem_addr bar) {
  const SharedPlace place = shared_at(to, box_bytes(load.map), 16, load.operation, load.at);
  if (place.block->live == 0) {
    fail(load.at, "%s: block %lld has ended", load.operation, (long long)place.block->index);
  }
  load.block = place.block;
  load.offset = place.offset;
  load.barrier = &mbarrier_for_tma(bar, load.operation, load.at);
  const uint32_t bytes = (uint32_t)load.data->size();
  race_async_write(*self, *place.block, place.offset, bytes, load.at);
  load.claim = claim_open(load.operation, load.at, self);
  claim_write(load.claim, *place.block, place.offset, bytes);
  Hopper &state = hopper_of(*place.block);
  state.loads++;
  state.load_at = load.at;
  state.load_issuer = self;
  defer([load] { land(load); });
}

}  // namespace

void tma_load(smem_addr to, const void *map, smem_addr bar, int rank, const int32_t *coords,
              uint32_t blocks, const char *operation, Site at) {
  self->last = at;
  Load load = {};
  load.map = map_at(map, rank, operation, at);
  std::copy(coords, coords + rank, load.coords);
  box_check(load.map, coords, false, operation, at);
  const SharedPlace place = box_place(load.map, to, operation, at);
  load.issuer = self;
  load.operation = operation;
  load.at = at;
  load.clock = self->clock;
  for (const BoxRow &row : box_rows(load.map, coords)) {
    if (row.inside != nullptr) {
      global_read(row.inside, row.bytes, at);
    }
  }
  load.data =
      std::make_shared<const std::vector<unsigned char>>(fetch(load.map, coords, place.offset));
  if (blocks == 0) {
    issue(load, to, bar);
    return;
  }
  for (uint32_t rank_of = 0; blocks >> rank_of != 0; rank_of++) {
    if ((blocks >> rank_of & 1) != 0) {
      issue(load, map_to_block(to, rank_of, at), map_to_block(bar, rank_of, at));
    }
  }
}

void tma_prefetch(const void *map, Site at) {
  self->last = at;
  map_at(map, 0, "tma_prefetch", at);
}

}  // namespace emu
