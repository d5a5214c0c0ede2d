/* wgmma ("Asynchronous warpgroup-level matrix instructions"): the issue of a multiplication.
 *
 * The warps of a warpgroup issue the same multiplications in the same order, each when it comes to
 * it. Operands in shared memory are claimed, and copied for comparison, from the first warp's issue
 * to the first warp's wait. In strict mode each warp reads its rows of A and all of B for itself.
 * Registers go by warp: accumulators are poisoned at issue and come back at the warp's own wait. */
#include <cstring>

#include "emu/hopper_state.h"

namespace emu {

namespace {

struct Issue { /* what a lane brings */
  Thread *thread;
  const Wgmma *call;
  float *d;
  Site at;
};

bool same_call(const Wgmma &x, const Wgmma &y) {
  return x.format == y.format && x.n == y.n && x.a == y.a && x.b == y.b &&
         (x.registers == nullptr) == (y.registers == nullptr) && x.transposed_a == y.transposed_a &&
         x.transposed_b == y.transposed_b && x.accumulate == y.accumulate;
}

/* The next one of the warpgroup's, made by the first warp that comes to it. */
Multiplication &next_of(Warpgroup &group, WarpQueue &queue, const Issue &issue) {
  const size_t number = queue.issued++;
  if (number == group.first + group.flying.size()) {
    group.flying.emplace_back();
    Multiplication &made = group.flying.back();
    made.call = *issue.call;
    made.at = issue.at;
    made.number = number;
    return made;
  }
  Multiplication &found = group.at(number);
  if (!same_call(found.call, *issue.call) || found.at.line != issue.at.line ||
      strcmp(found.at.file, issue.at.file) != 0) {
    fail(issue.at,
         "wgmma: the warps of a warpgroup issue the same ones with the same operands; here another "
         "warp issued that of %s, or brought other operands",
         place_text(found.at).c_str());
  }
  return found;
}

/* Whether an earlier multiplication of the warp, not waited for, works on the same accumulators.
 * "wgmma.fence": order is given "across multiple wgmma.mma_async instructions of the same shape".
 */
bool follows_another(Warpgroup &group, const WarpQueue &queue, int w, const Issue &issue) {
  bool follows = false;
  for (size_t i = queue.waited; i + 1 < queue.issued; i++) {
    const Multiplication &earlier = group.at(i);
    const float *d = earlier.shares[w].d[issue.thread->lane];
    const bool same = d == issue.d && earlier.call.n == issue.call->n &&
                      earlier.call.format == issue.call->format;
    if (!same && d < issue.d + issue.call->n / 2 && issue.d < d + earlier.call.n / 2) {
      fail(issue.at, "wgmma: its accumulators are also those of %s, of another shape, in flight",
           place_text(earlier.at).c_str());
    }
    follows = follows || same;
  }
  return follows;
}

void take_registers(Share &share, const Multiplication &m, void *const *arguments) {
  for (int lane = 0; lane < WARP; lane++) {
    const Issue &from = *static_cast<const Issue *>(arguments[lane]);
    share.d[lane] = from.d;
    if (from.call->registers != nullptr) {
      share.registers[lane] = from.call->registers;
      memcpy(share.a[lane], from.call->registers, sizeof share.a[lane]);
    }
  }
  if (!share.follows) {
    tile_gather(share, m.call.n);
  }
  accumulators_poison(share, m.call.n);
}

/* Claims rows first to end of an operand, and appends their chunks as they are. */
void claim_rows(Reads &reads, const Operand &operand, int first, int end, const Thread &thread,
                Site at) {
  for (int row = first; row < end; row += operand.mn_major ? 8 : 1) {
    for (int k = 0; k < 16; k += operand.mn_major ? 1 : 8) {
      const SharedPlace place =
          shared_at(thread, operand_chunk(operand, row, k), 16, 16, "wgmma", at);
      Chunk chunk;
      chunk.offset = place.offset;
      memcpy(chunk.data, place.bytes, sizeof chunk.data);
      claim_read(reads.claim, *place.block, place.offset, sizeof chunk.data);
      reads.chunks.push_back(chunk);
    }
  }
}

/* Rows first to end of A, and all of B. */
void start_reading(Reads &reads, const Multiplication &m, int first, int end,
                   const Thread &thread) {
  const Wgmma &call = m.call;
  reads.claim = claim_open("wgmma", m.at, &thread);
  if (call.registers == nullptr) {
    const Operand a = operand_of(call.a, call.transposed_a, "A", m.at);
    claim_rows(reads, a, first, end, thread, m.at);
    unpack_rows(call.format, a, reads.chunks.data(), first, end, &reads.a);
  }
  const size_t of_a = reads.chunks.size();
  const Operand b = operand_of(call.b, call.transposed_b, "B", m.at);
  claim_rows(reads, b, 0, call.n, thread, m.at);
  std::vector<float> rows; /* of B's transpose: [n][16] */
  unpack_rows(call.format, b, reads.chunks.data() + of_a, 0, call.n, &rows);
  reads.b.resize(rows.size());
  for (int column = 0; column < call.n; column++) {
    for (int k = 0; k < 16; k++) {
      reads.b[(size_t)(k * call.n + column)] = rows[(size_t)(column * 16 + k)];
    }
  }
}

void issue_all(Warp &warp, void *const *arguments) {
  const Issue &issue = *static_cast<const Issue *>(arguments[self->lane]);
  if (warp.live != 0xffffffffu) {
    fail(issue.at, "wgmma: some lanes of the warp have ended");
  }
  for (int lane = 0; lane < WARP; lane++) {
    if (!same_call(*static_cast<const Issue *>(arguments[lane])->call, *issue.call)) {
      fail(issue.at, "wgmma: lane %d brings other operands", lane);
    }
  }
  Warpgroup &group = warpgroup_of(warp, "wgmma", issue.at);
  const int w = warp.index % WARPS;
  WarpQueue &queue = group.warps[w];
  Multiplication &m = next_of(group, queue, issue);
  Share &share = m.shares[w];
  share.issued = true;
  share.follows = follows_another(group, queue, w, issue);
  if (!queue.fenced && (!share.follows || m.call.registers != nullptr)) {
    fail(issue.at, "wgmma: no wgmma_fence since the warp %s",
         queue.waited == 0 ? "began" : "last waited, after which it may have touched registers");
  }
  take_registers(share, m, arguments);
  Reads &reads = options.strict ? share.reads : m.reads;
  if (options.strict) {
    start_reading(reads, m, 16 * w, 16 * w + 16, *issue.thread);
  } else if (reads.chunks.empty()) {
    start_reading(reads, m, 0, 64, *issue.thread);
  }
  for (const Chunk &chunk : reads.chunks) {
    race_async_check(*issue.thread, *warp.block, chunk.offset, sizeof chunk.data, m.at);
  }
  wake_all(group.waiting);
}

void fence_all(Warp &warp, void *const *arguments) {
  const Issue &issue = *static_cast<const Issue *>(arguments[self->lane]);
  warpgroup_of(warp, "wgmma_fence", issue.at).warps[warp.index % WARPS].fenced = true;
}

void commit_all(Warp &warp, void *const *arguments) {
  const Issue &issue = *static_cast<const Issue *>(arguments[self->lane]);
  WarpQueue &queue = warpgroup_of(warp, "wgmma_commit", issue.at).warps[warp.index % WARPS];
  queue.groups.push_back(queue.issued);
}

}  // namespace

Warpgroup &warpgroup_of(const Warp &warp, const char *operation, Site at) {
  const size_t number = (size_t)(warp.index / WARPS);
  if ((number + 1) * WARPGROUP > warp.block->threads.size()) {
    fail(at, "%s: warp %d is in no warpgroup of four", operation, warp.index);
  }
  return hopper_of(*warp.block).warpgroups[number];
}

void wgmma(const Wgmma &call, float *d, Site at) {
  Issue issue = {self, &call, d, at};
  meet("wgmma", at, &issue, issue_all);
}

void wgmma_fence(Site at) {
  if (site("wgmma_fence", at)) {
    Issue issue = {self, nullptr, nullptr, at};
    meet("wgmma_fence", at, &issue, fence_all);
  }
}

void wgmma_commit(Site at) {
  if (site("wgmma_commit", at)) {
    Issue issue = {self, nullptr, nullptr, at};
    meet("wgmma_commit", at, &issue, commit_all);
  }
}

}  // namespace emu
