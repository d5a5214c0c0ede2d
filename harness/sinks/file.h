/* The file layer under the sinks: whole writes, replacement in one step, and durability. Everything
 * that a result folder gets passes through write(), fdatasync() and rename() here. */
#ifndef BENCH_SINK_FILE_H
#define BENCH_SINK_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/status.h"

/* All bytes, however few a call takes. BENCH_ERR_ENV names the path. */
bench_code bench_file_write(int fd, const char *path, const char *bytes, size_t count,
                            bench_error *error);
/* Hands what was written to the disk. A device or a pipe has nothing to hand. */
bench_code bench_file_sync(int fd, const char *path, bench_error *error);
/* Puts a synced file in the place of another, for good. */
bench_code bench_file_rename(const char *from, const char *to, bench_error *error);
/* Makes folder/name have these bytes, or leaves it as it was. */
bench_code bench_file_replace(const char *folder, const char *name, const char *bytes, size_t count,
                              bench_error *error);
/* Is `path` still the file behind `fd`? Not after it was removed, moved or replaced. */
bool bench_file_is_at(int fd, const char *path);
/* A folder that cannot be read or is not there counts as empty. */
bool bench_file_folder_is_empty(const char *path);

#endif
