/* What atomics and ordered accesses at a location of global memory tell to each other: the only
 * order between blocks. A relaxed access tells what its thread knew at its last fence of the
 * device, and what it reads becomes knowledge at the next one. */
#include <unordered_map>

#include "emu/internal.h"
#include "emu/sm80.h"

namespace emu {

namespace {

std::unordered_map<const void *, ForeignTicks> locations; /* by number of the group, its own too */

ForeignTicks published(const Knowledge &from, int64_t group) {
  ForeignTicks all = from.foreign;
  if (!from.own.empty()) {
    all[group] = std::make_shared<Ticks>(from.own);
  }
  return all;
}

Knowledge received(const ForeignTicks &from, int64_t group) {
  Knowledge knowledge;
  knowledge.foreign = from;
  const auto own = knowledge.foreign.find(group);
  if (own != knowledge.foreign.end()) {
    knowledge.own = *own->second;
    knowledge.foreign.erase(own);
  }
  return knowledge;
}

}  // namespace

void locations_start() {
  locations.clear();
}

void location_read(const void *address, bool acquires, Site at) {
  if (!options.race) {
    return;
  }
  global_check(address, 4, at);
  const auto found = locations.find(address);
  if (found != locations.end()) {
    const Knowledge told = received(found->second, self->block->group->number);
    learn(acquires ? self->clock.now : self->clock.seen, told);
  }
}

void location_write(const void *address, bool releases, bool adds, Site at) {
  if (!options.race) {
    return;
  }
  global_check(address, 4, at);
  const int64_t group = self->block->group->number;
  const ForeignTicks told = published(releases ? self->clock.now : self->clock.fenced, group);
  ForeignTicks &location = locations[address];
  if (adds) {
    Knowledge both;
    both.foreign = location;
    Knowledge more;
    more.foreign = told;
    learn(both, more);
    location = both.foreign;
  } else {
    location = told;
  }
  clock_tick(*self);
}

}  // namespace emu
