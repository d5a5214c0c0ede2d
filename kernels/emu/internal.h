/* What the files of the runtime share among themselves, and no operation needs. */
#ifndef BENCH_EMU_INTERNAL_H
#define BENCH_EMU_INTERNAL_H

#include <string>

#include "emu/runtime.h"

namespace emu {

/* report.cpp */
void keep_fault(const std::string &text); /* if there is none yet */
bool has_fault();

/* symbol.cpp: the file and line of an address in the program, if the debugging tools know it. */
std::string address_text(const void *address);

/* scheduler.cpp */
/* Ends the launch, whose fault is kept: back to the host, which runs no more of it. The first
 * leaves what stands on the thread's stack as a return would; the second leaves it as it is. */
[[noreturn]] void abandon();
[[noreturn]] void abandon_here();
void make_ready(Thread &thread);
/* Runs the group's threads, all of them ready, until all have ended or a fault is kept. */
void run_group(Group &group, void (*body)(void *), void *argument);
Group *running_group();
void random_start();

/* crash.cpp: while a launch runs */
void crashes_watch();
void crashes_ignore();

/* meet.cpp: a lane or thread less to wait for. */
void meeting_loses(Thread &thread);
void barriers_lose(Thread &thread);
void barriers_start(Block &block, int threads);

/* arena.cpp */
bool arena_take(Block &block);
void arena_start(Block &block, size_t dynamic_bytes);
void arena_end(Block &block); /* fails if something was written between what was asked for */

/* copies.cpp */
void copies_end(Thread &thread);

/* claims.cpp */
void claims_start();

/* shadow.cpp */
void shadow_start(Block &block);

/* clock.cpp */
bool knows(const Thread &thread, int64_t group, size_t slot, uint32_t time);
void learn(Knowledge &to, const Knowledge &from);

/* atomics.cpp: what a location of global memory tells to those that read it. */
void locations_start(); /* of a launch: what ran before it is ordered before it */
void location_read(const void *address, bool acquires, Site at);
void location_write(const void *address, bool releases, bool adds, Site at);

/* memory.cpp, global.cpp */
bool is_device_memory(const void *pointer);
void global_start(); /* of a launch */

}  // namespace emu

#endif
