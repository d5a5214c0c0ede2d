/* How decode.cu divides the keys: which tiles of keys there are, and over how many blocks the tiles
 * of a key head go. Plain C, so that a test can ask without a GPU. */
#ifndef BENCH_CUDA_DECODE_PLAN_H
#define BENCH_CUDA_DECODE_PLAN_H

#include "bench/kernel.h"

#define DECODE_SPLITS_MAX 128
#define DECODE_WAVES 4
#define DECODE_COUNTERS (BENCH_WORKSPACE_ZEROED / 4) /* one of 32 bits for each unit */

/* The tiles that some row of a head sees, ascending: those of the sink, then those of the band. */
typedef struct DecodeKeys {
  int64_t sink_tiles; /* the tiles 0 .. sink_tiles - 1 */
  int64_t band_tile;  /* then this one and those behind it */
  int64_t tiles;      /* in all */
} DecodeKeys;

/* The rows of a head see keys in [begin, end), and those before `sink`; begin may be below 0, and
 * sink beyond the end. */
static inline DecodeKeys decode_keys(int64_t begin, int64_t end, int64_t sink, int64_t key_tile) {
  DecodeKeys keys;
  keys.sink_tiles = (sink + key_tile - 1) / key_tile;
  keys.band_tile = begin / key_tile < keys.sink_tiles ? keys.sink_tiles : begin / key_tile;
  keys.tiles = keys.sink_tiles + (end + key_tile - 1) / key_tile - keys.band_tile;
  return keys;
}

/* Blocks that the device holds at a time, two on a multiprocessor at most: one loads while the
 * other multiplies, and more would only cut the keys into more pieces. A kibibyte of every block's
 * shared memory is the system's. Numbers that the device does not tell count as one. */
static inline int64_t decode_slots(const bench_device *device, int64_t smem_bytes) {
  const int64_t fit = (device->smem_bytes + 1024) / (smem_bytes + 1024);
  const int64_t held = fit < 1 ? 1 : fit > 2 ? 2 : fit;
  return held * (device->sm_count < 1 ? 1 : device->sm_count);
}

/* Blocks over which the keys of a unit (the rows of one key head, or a tile of them) are split: as
 * many as the device holds at a time; if these would leave more than an eighth of it idle, then so
 * many that DECODE_WAVES waves come one after the other, as the last of few long blocks run alone
 * (an H200 read 64 x 8 key heads of 8192 keys, 1.9 waves, 16 % slower than one wave of as many
 * bytes). But
 *   - two tiles of keys at least, which are on their way together from the start;
 *   - what the last block merges, splits x rows, no more than the keys that a split reads,
 *     keys / splits: a row of partial output takes as many bytes as a key and its value, and both
 *     are read by one multiprocessor, one after the other;
 *   - a counter for each unit, and at most DECODE_SPLITS_MAX weights a row. */
static inline int64_t decode_splits(int64_t units, int64_t rows, int64_t tiles, int64_t key_tile,
                                    int64_t slots) {
  if (units > DECODE_COUNTERS) {
    return 1;
  }
  int64_t splits = slots / units;
  if (8 * units * splits < 7 * slots) {
    splits = (DECODE_WAVES * slots + units - 1) / units;
  }
  splits = splits < tiles / 2 ? splits : tiles / 2;
  splits = splits < DECODE_SPLITS_MAX ? splits : DECODE_SPLITS_MAX;
  while (splits > 1 && splits * splits * rows > tiles * key_tile) {
    splits--;
  }
  return splits < 1 ? 1 : splits;
}

#endif
