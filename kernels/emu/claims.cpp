/* Claims on shared memory: who reads or writes it in flight. */
#include <cstring>

#include "emu/internal.h"

namespace emu {

namespace {

struct Claim {
  const char *operation;
  Site at;
  const Thread *issuer;
};

std::vector<Claim> claims;
std::vector<uint32_t> unused;

constexpr uint32_t WORD = 4; /* the least that a copy in flight writes */

std::string claim_text(uint32_t number) {
  const Claim &claim = claims[number - 1];
  std::string text = std::string("the ") + claim.operation + " of " + place_text(claim.at);
  if (claim.issuer != nullptr) {
    text += " (thread " + std::to_string(claim.issuer->index) + ")";
  }
  return text;
}

/* Calls visit(word) for every word that the range touches. */
template <typename Visit>
void each_word(Block &block, uint32_t offset, uint32_t bytes, Visit visit) {
  for (uint32_t w = offset / WORD; w < (offset + bytes + WORD - 1) / WORD; w++) {
    visit(block.words[w], w * WORD);
  }
}

[[noreturn]] void clash(const Thread *thread, Site at, const char *operation, const char *does,
                        uint32_t offset, const char *still, uint32_t other) {
  fail_for(thread, at, "%s %s shared address %u, which %s %s", operation, does, offset,
           claim_text(other).c_str(), still);
}

}  // namespace

void claims_start() {
  claims.clear();
  unused.clear();
}

uint32_t claim_open(const char *operation, Site at, const Thread *issuer) {
  if (unused.empty()) {
    claims.push_back({operation, at, issuer});
    return (uint32_t)claims.size();
  }
  const uint32_t number = unused.back();
  unused.pop_back();
  claims[number - 1] = {operation, at, issuer};
  return number;
}

void claim_close(uint32_t claim) {
  unused.push_back(claim);
}

void claim_read(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes) {
  const Claim &own = claims[claim - 1];
  each_word(block, offset, bytes, [&](ClaimedWord &word, uint32_t place) {
    if (word.writer != 0) {
      clash(own.issuer, own.at, own.operation, "reads", place, "still writes", word.writer);
    }
    word.readers++;
    word.reader = claim;
  });
}

void claim_write(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes) {
  const Claim &own = claims[claim - 1];
  each_word(block, offset, bytes, [&](ClaimedWord &word, uint32_t place) {
    if (word.writer != 0) {
      clash(own.issuer, own.at, own.operation, "writes", place, "still writes", word.writer);
    }
    if (word.readers != 0) {
      clash(own.issuer, own.at, own.operation, "writes", place, "still reads", word.reader);
    }
    word.writer = claim;
  });
  memset(block.arena + offset, POISON, bytes);
}

void claim_release_read(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes) {
  (void)claim;
  each_word(block, offset, bytes, [](ClaimedWord &word, uint32_t) { word.readers--; });
}

void claim_release_write(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes) {
  const Claim &own = claims[claim - 1];
  each_word(block, offset, bytes, [](ClaimedWord &word, uint32_t) { word.writer = 0; });
  for (uint32_t i = 0; i < bytes; i++) {
    if (block.arena[offset + i] != POISON) {
      fail_for(own.issuer, own.at, "%s: someone wrote to shared address %u while it was in flight",
               own.operation, offset + i);
    }
  }
}

void check_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes,
                const char *operation, Site at) {
  each_word(block, offset, bytes, [&](const ClaimedWord &word, uint32_t place) {
    if (word.writer != 0) {
      clash(&thread, at, operation, "reads", place, "still writes", word.writer);
    }
  });
}

void check_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes,
                 const char *operation, Site at) {
  each_word(block, offset, bytes, [&](const ClaimedWord &word, uint32_t place) {
    if (word.writer != 0) {
      clash(&thread, at, operation, "writes", place, "still writes", word.writer);
    }
    if (word.readers != 0) {
      clash(&thread, at, operation, "writes", place, "still reads", word.reader);
    }
  });
}

}  // namespace emu
