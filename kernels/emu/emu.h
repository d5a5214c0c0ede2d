/* The emulated device as its users see it, in C: how adversarial it is, and what it found.
 *
 * A launch runs to its end before it returns. The first fault found in it ends it: the launch then
 * gives BENCH_ERR_DEVICE, and emu_fault() the report, which names the kernel's file and line, block
 * and thread. All of it belongs to one thread of the host at a time. */
#ifndef BENCH_EMU_H
#define BENCH_EMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In what order threads that can run do so, agents act and blocks start. */
typedef enum emu_schedule { EMU_FIFO, EMU_LIFO, EMU_RANDOM } emu_schedule;

typedef struct emu_options {
  emu_schedule schedule;
  uint64_t seed;     /* EMU_RANDOM */
  bool misalign;     /* dynamic shared memory is aligned to 16 bytes and to no more */
  bool strict;       /* what one warp has waited for is complete for that warp alone */
  bool race;         /* vector clocks; they see what a kernel built for it reads and writes */
  bool grid_at_once; /* all blocks of a grid live at once, not only those of a cluster */
  int sm_count;      /* multiprocessors that the device says it has */
} emu_options;

extern const emu_options emu_options_default;

/* "schedule=random:7,misalign=1,strict=1,race=1,grid=1,sms=2": what is named changes, the rest of
 * *options stays. */
bench_code emu_options_parse(const char *text, emu_options *options, bench_error *error);

void emu_set_options(const emu_options *options);
const emu_options *emu_get_options(void);

/* The report of the first fault since emu_forget_fault(), or NULL. */
const char *emu_fault(void);
void emu_forget_fault(void);

/* Sites: the calls in kernels that order or wait (barriers, waits, commits, fences, arrivals), by
 * operation, file and line. They are counted once emu_sites_watch(true) is called. */
typedef struct emu_site {
  const char *operation;
  const char *file;
  int line;
  uint64_t executed;
} emu_site;

void emu_sites_watch(bool watch); /* forgets what was counted */
size_t emu_site_count(void);
emu_site emu_site_at(size_t index);
/* The one site whose call is left out from now on; NULL: none. The texts are copied. */
void emu_site_skip(const char *operation, const char *file, int line);

/* Memory of the device: its end, and what lies before it, are watched. 256-byte aligned. */
void *emu_memory_take(size_t bytes);
size_t emu_memory_give(void *memory); /* how many bytes it was */

#ifdef __cplusplus
}
#endif
#endif
