/* The TMA, stores: groups of the thread that issued them, which read shared memory and write global
 * memory no sooner than that thread waits for it ("cp.async.bulk.tensor", "cp.reduce.async.bulk.
 * tensor", "cp.async.bulk.wait_group"). */
#include <cstring>

#include "emu/hopper_state.h"
#include "emu/internal.h"

namespace emu {

namespace {

void add_to(const TensorMap &map, unsigned char *to, const unsigned char *from) {
  if (map.dtype == BENCH_FP32) {
    float sum;
    float term;
    memcpy(&sum, to, sizeof sum);
    memcpy(&term, from, sizeof term);
    sum += term;
    memcpy(to, &sum, sizeof sum);
    return;
  }
  uint16_t bits[2];
  memcpy(&bits[0], to, 2);
  memcpy(&bits[1], from, 2);
  const bool half = map.dtype == BENCH_FP16;
  const float sum = half ? bench_fp16_to_float(bits[0]) + bench_fp16_to_float(bits[1])
                         : bench_bf16_to_float(bits[0]) + bench_bf16_to_float(bits[1]);
  bits[0] = half ? bench_fp16_from_float(sum) : bench_bf16_from_float(sum);
  memcpy(to, &bits[0], 2);
}

/* The data of one row that are inside the tensor, out of their places in shared memory. */
void collect(const Store &store, const BoxRow &row, unsigned char *to) {
  for (uint32_t i = 0; i < row.bytes; i++) {
    const uint32_t address = store.offset + row.offset + row.before + i;
    to[i] = store.data[swizzled(address, store.map.swizzle) - store.offset];
  }
}

void write_out(const Store &store) {
  std::vector<unsigned char> line((size_t)(store.map.box[0] * store.map.strides[0]));
  for (const BoxRow &row : box_rows(store.map, store.coords)) {
    if (row.inside == nullptr) {
      continue;
    }
    collect(store, row, line.data());
    if (store.add) {
      global_check(row.inside, row.bytes, store.at);
      for (uint32_t i = 0; i < row.bytes; i += (uint32_t)store.map.strides[0]) {
        add_to(store.map, row.inside + i, &line[i]);
      }
    } else {
      global_write(row.inside, row.bytes, store.at);
      memcpy(row.inside, line.data(), row.bytes);
    }
  }
}

void read_in(Store &store) {
  if (store.has_read) {
    return;
  }
  const uint32_t bytes = (uint32_t)store.data.size();
  claim_release_read(store.claim, *store.block, store.offset, bytes);
  claim_close(store.claim);
  if (memcmp(store.block->arena + store.offset, store.data.data(), bytes) != 0) {
    fail(store.at, "%s: shared memory changed before the store had read it", store.operation);
  }
  race_async_read(*self, *store.block, store.offset, bytes, store.at);
  store.has_read = true;
}

Stores &stores_of(const Thread &thread) {
  return hopper_of(*thread.block).stores[(size_t)thread.index];
}

}  // namespace

void tma_store(const void *map, smem_addr from, int rank, const int32_t *coords, bool add,
               const char *operation, Site at) {
  self->last = at;
  Store store = {};
  store.map = map_at(map, rank, operation, at);
  std::copy(coords, coords + rank, store.coords);
  box_check(store.map, coords, true, operation, at);
  const SharedPlace place = box_place(store.map, from, operation, at);
  const uint32_t bytes = box_bytes(store.map);
  store.block = place.block;
  store.offset = place.offset;
  store.data.assign(place.bytes, place.bytes + bytes);
  store.add = add;
  store.operation = operation;
  store.at = at;
  race_async_read(*self, *place.block, place.offset, bytes, at);
  store.claim = claim_open(operation, at, self);
  claim_read(store.claim, *place.block, place.offset, bytes);
  stores_of(*self).stores.push_back(std::move(store));
}

void bulk_commit(Site at) {
  if (!site("bulk_commit", at)) {
    return;
  }
  Stores &own = stores_of(*self);
  size_t earlier = 0;
  for (size_t size : own.groups) {
    earlier += size;
  }
  own.groups.push_back(own.stores.size() - earlier);
}

void bulk_wait(int newest, bool read, Site at) {
  if (!site(read ? "bulk_wait_read" : "bulk_wait", at)) {
    return;
  }
  Stores &own = stores_of(*self);
  size_t count = 0;
  size_t groups = 0;
  while (own.groups.size() - groups > (size_t)newest && groups < own.groups.size()) {
    count += own.groups[groups++];
  }
  clock_tick(*self);
  for (size_t i = 0; i < count; i++) {
    read_in(own.stores[i]);
    if (!read) {
      write_out(own.stores[i]);
    }
  }
  if (!read) {
    own.stores.erase(own.stores.begin(), own.stores.begin() + (std::ptrdiff_t)count);
    own.groups.erase(own.groups.begin(), own.groups.begin() + (std::ptrdiff_t)groups);
  }
}

/* Shared memory is gone when the block ends, so the stores must have read it. What they write may
 * come later than the thread. */
void stores_end(Thread &thread, Stores &own) {
  for (Store &store : own.stores) {
    if (!store.has_read) {
      fail(store.at, "%s: the thread ends, and has waited for no group with this store in it",
           store.operation);
    }
    clock_tick(thread);
    write_out(store);
  }
  own.stores.clear();
}

}  // namespace emu
