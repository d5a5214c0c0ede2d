/* cp.async: each thread's own queue of copies, which land when the thread waits for their group. */
#include <cstring>

#include "emu/internal.h"
#include "emu/sm80.h"

namespace emu {

namespace {

/* The first `count` copies reach shared memory. Their targets are still what issue left there. */
void land(Thread &thread, size_t count) {
  Block &block = *thread.block;
  for (size_t i = 0; i < count; i++) {
    const Copy &copy = thread.copies[i];
    claim_release_write(copy.claim, block, copy.to, copy.bytes);
    claim_close(copy.claim);
    if (copy.read > 0 && memcmp(copy.snapshot, copy.from, copy.read) != 0) {
      fail_for(&thread, copy.at, "cp_async: its source changed while the copy was in flight");
    }
    memcpy(block.arena + copy.to, copy.snapshot, copy.bytes);
    race_write(thread, block, copy.to, copy.bytes, copy.at);
  }
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + (std::ptrdiff_t)count);
}

}  // namespace

void copy_async(smem_addr to, const void *from, int bytes, int read, Site at) {
  Thread &thread = *self;
  thread.last = at;
  const SharedPlace place = shared_at(to, (uint32_t)bytes, (uint32_t)bytes, "cp_async", at);
  if (place.block != thread.block) {
    fail(at, "cp_async: its target is another block's memory");
  }
  if (read < 0 || read > bytes) {
    fail(at, "cp_async: %d bytes of %d to be read", read, bytes);
  }
  if (reinterpret_cast<uintptr_t>(from) % (uintptr_t)bytes != 0) {
    fail(at, "cp_async: its source is not aligned to %d bytes", bytes);
  }
  Copy copy = {};
  copy.to = place.offset;
  copy.bytes = (uint8_t)bytes;
  copy.read = (uint8_t)read;
  copy.from = from;
  copy.at = at;
  if (read > 0) {
    global_read(from, (size_t)read, at);
    memcpy(copy.snapshot, from, (size_t)read);
  }
  race_write(thread, *thread.block, copy.to, copy.bytes, at);
  copy.claim = claim_open("cp_async", at, &thread);
  claim_write(copy.claim, *thread.block, copy.to, copy.bytes);
  thread.copies.push_back(copy);
}

void copy_commit(Site at) {
  Thread &thread = *self;
  if (!site("cp_async_commit", at)) {
    return;
  }
  size_t earlier = 0;
  for (uint32_t size : thread.committed) {
    earlier += size;
  }
  thread.committed.push_back((uint32_t)(thread.copies.size() - earlier));
}

void copy_wait(int newest, Site at) {
  Thread &thread = *self;
  if (!site("cp_async_wait", at)) {
    return;
  }
  size_t count = 0;
  size_t groups = 0;
  while (thread.committed.size() - groups > (size_t)newest) {
    count += thread.committed[groups++];
  }
  thread.committed.erase(thread.committed.begin(),
                         thread.committed.begin() + (std::ptrdiff_t)groups);
  land(thread, count);
}

size_t copies_issued(const Thread &thread) {
  return thread.copies.size();
}

void copies_land(Thread &thread, size_t count) {
  size_t left = count < thread.copies.size() ? count : thread.copies.size();
  land(thread, left);
  for (uint32_t &size : thread.committed) {
    const uint32_t taken = left < size ? (uint32_t)left : size;
    size -= taken;
    left -= taken;
  }
}

void copies_end(Thread &thread) {
  if (!thread.copies.empty()) {
    fail(thread.copies[0].at, "cp_async: the thread ends with %zu copies not waited for",
         thread.copies.size());
  }
}

}  // namespace emu
