/* Who read and wrote the device's memory last, for race mode: blocks of one launch are unordered
 * but for what atomics.cpp lets them tell each other. Of several readers the last one counts. */
#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "emu/internal.h"
#include "emu/sm80.h"

namespace emu {

namespace {

struct Epoch {
  Site at;
  int64_t group;
  int64_t block;
  uint32_t slot;
  uint32_t time; /* 0: never */
};

/* Of two bytes: nothing smaller is ever an output of its own. */
constexpr uintptr_t CELL_BYTES = 2;
struct Cell {
  Epoch write;
  Epoch read;
};

constexpr uintptr_t PAGE_CELLS = 512;
struct Page {
  Cell cells[PAGE_CELLS];
};

std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages;
uintptr_t latest_number;
Page *latest_page;

Cell &cell_of(uintptr_t index) {
  const uintptr_t number = index / PAGE_CELLS;
  if (latest_page == nullptr || number != latest_number) {
    std::unique_ptr<Page> &page = pages[number];
    if (page == nullptr) {
      page.reset(new Page());
    }
    latest_number = number;
    latest_page = page.get();
  }
  return latest_page->cells[index % PAGE_CELLS];
}

/* Calls visit(cell) for all that the range touches. */
template <typename Visit>
void each_cell(const void *address, size_t bytes, Visit visit) {
  const uintptr_t first = reinterpret_cast<uintptr_t>(address);
  for (uintptr_t i = first / CELL_BYTES; i * CELL_BYTES < first + bytes; i++) {
    visit(cell_of(i));
  }
}

void check(const Epoch &earlier, const char *did, const char *does, const void *address, Site at) {
  if (earlier.time != 0 && !knows(*self, earlier.group, earlier.slot, earlier.time)) {
    fail(at,
         "race: %s memory of the device at %p, which block %lld %s at %s, and nothing orders "
         "the two",
         does, address, (long long)earlier.block, did, place_text(earlier.at).c_str());
  }
}

Epoch epoch_now(Site at) {
  const Group &group = *self->block->group;
  return {at, group.number, self->block->index, (uint32_t)self->slot,
          self->clock.now.own[(size_t)self->slot]};
}

}  // namespace

void global_start() {
  pages.clear();
  latest_page = nullptr;
}

void global_check(const void *address, size_t bytes, Site at) {
  if (!options.race || !is_device_memory(address)) {
    return;
  }
  each_cell(address, bytes,
            [&](const Cell &cell) { check(cell.write, "wrote", "an atomic at", address, at); });
}

void global_read(const void *from, size_t bytes, Site at) {
  if (!options.race || !is_device_memory(from)) {
    return;
  }
  const Epoch now = epoch_now(at);
  each_cell(from, bytes, [&](Cell &cell) {
    check(cell.write, "wrote", "reads", from, at);
    cell.read = now;
  });
}

void global_write(const void *to, size_t bytes, Site at) {
  if (!options.race || !is_device_memory(to)) {
    return;
  }
  const Epoch now = epoch_now(at);
  each_cell(to, bytes, [&](Cell &cell) {
    check(cell.write, "wrote", "writes", to, at);
    check(cell.read, "read", "writes", to, at);
    cell.write = now;
    cell.read = Epoch();
  });
}

}  // namespace emu
