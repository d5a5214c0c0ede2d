/* The normal form of the simple masks, shared by mask.c and blocklist.c.
 *
 * With i the position of a row, key j is visible when
 *     0 <= j < seq_kv  and  j <= i + ahead  and  (j < sink or j >= i - behind).
 * So the visible keys of a row are one span less one gap, and neighbouring rows differ by one
 * step at each edge: counts, spans and whole blocks follow from the first and last row alone. */
#ifndef BENCH_MASK_BAND_H
#define BENCH_MASK_BAND_H

#include "bench/mask.h"

typedef struct bench_band {
  int64_t ahead;  /* keys after the row's own position */
  int64_t behind; /* keys before it */
  int64_t sink;   /* first keys that stay visible behind the band */
} bench_band;

/* The masks that are not simple have the band of their underlying causal mask. */
bench_band bench_mask_band(const bench_attn *attn);

#endif
