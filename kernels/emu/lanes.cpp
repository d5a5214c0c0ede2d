/* Shuffles and votes of a warp. They exchange registers and order no memory. */
#include <cstring>

#include "emu/internal.h"
#include "emu/sm80.h"

namespace emu {

namespace {

struct ExchangeArgument {
  Exchange kind;
  uint32_t bits;
  int operand;
  uint32_t result;
};

/* The lane that a lane's result comes from; its own where there is none (PTX: shfl, c = 0x1f). */
int source_lane(Exchange kind, int lane, int operand) {
  switch (kind) {
    case XOR:
      return lane ^ (operand & 31);
    case DOWN:
      return lane + operand < WARP && operand >= 0 ? lane + operand : lane;
    case UP:
      return lane - operand >= 0 && operand >= 0 ? lane - operand : lane;
    default:
      return operand & 31;
  }
}

void exchange_all(Warp &warp, void *const *arguments) {
  (void)warp;
  for (int lane = 0; lane < WARP; lane++) {
    ExchangeArgument *to = static_cast<ExchangeArgument *>(arguments[lane]);
    if (to != nullptr) {
      const void *from = arguments[source_lane(to->kind, lane, to->operand)];
      /* Of a lane that is not there nothing is promised. */
      to->result = from == nullptr ? ~0u : static_cast<const ExchangeArgument *>(from)->bits;
    }
  }
}

struct BallotArgument {
  bool value;
  uint32_t result;
};

void ballot_all(Warp &warp, void *const *arguments) {
  (void)warp;
  uint32_t bits = 0;
  for (int lane = 0; lane < WARP; lane++) {
    const BallotArgument *from = static_cast<const BallotArgument *>(arguments[lane]);
    bits |= from != nullptr && from->value ? 1u << lane : 0;
  }
  for (int lane = 0; lane < WARP; lane++) {
    if (arguments[lane] != nullptr) {
      static_cast<BallotArgument *>(arguments[lane])->result = bits;
    }
  }
}

/* All have come: each knows what the others did before. */
void sync_all(Warp &warp, void *const *arguments) {
  (void)warp;
  Clock clock;
  for (int lane = 0; lane < WARP; lane++) {
    if (arguments[lane] != nullptr) {
      clock_release(*static_cast<Thread *>(arguments[lane]), clock);
    }
  }
  for (int lane = 0; lane < WARP; lane++) {
    if (arguments[lane] != nullptr) {
      clock_acquire(*static_cast<Thread *>(arguments[lane]), clock);
    }
  }
}

}  // namespace

uint32_t exchange(Exchange kind, uint32_t bits, int operand, const char *operation, Site at) {
  ExchangeArgument argument = {kind, bits, operand, 0};
  meet(operation, at, &argument, exchange_all);
  return argument.result;
}

uint32_t ballot(bool value, const char *operation, Site at) {
  BallotArgument argument = {value, 0};
  meet(operation, at, &argument, ballot_all);
  return argument.result;
}

void warp_sync(Site at) {
  if (site("sync_warp", at)) {
    meet("sync_warp", at, self, sync_all);
  }
}

}  // namespace emu
