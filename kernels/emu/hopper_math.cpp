/* What wgmma computes: a warp's 16 rows of a 64 x N accumulator, spread over its lanes ("Register
 * fragments": lane 4 g + t has, as d_i, row g + 8 (i / 2 % 2), column 8 (i / 4) + 2 t + i % 2). */
#include <cstring>

#include "emu/hopper_state.h"

namespace emu {

namespace {

constexpr uint32_t FLYING = 0x7fdeadaau; /* a NaN that no arithmetic gives */

float *place(float *tile, int n, int lane, int i) {
  const int row = lane / 4 + 8 * (i / 2 % 2);
  const int column = 8 * (i / 4) + 2 * (lane % 4) + i % 2;
  return tile + row * n + column;
}

float value_of(Format format, const unsigned char *bytes) {
  uint16_t bits;
  memcpy(&bits, bytes, sizeof bits);
  return format == BF16 ? bench_bf16_to_float(bits) : bench_fp16_to_float(bits);
}

/* The warp's A out of its lanes' registers, which are as mma.m16n8k16 has them. */
void unpack_registers(const Multiplication &m, const Share &share, float a[16][16]) {
  for (int lane = 0; lane < WARP; lane++) {
    for (int i = 0; i < 4; i++) {
      unsigned char pair[4];
      memcpy(pair, &share.a[lane][i], sizeof pair);
      float *to = &a[lane / 4 + 8 * (i & 1)][2 * (lane % 4) + 8 * (i >> 1)];
      to[0] = value_of(m.call.format, pair);
      to[1] = value_of(m.call.format, pair + 2);
    }
  }
}

}  // namespace

void tile_gather(Share &share, int n) {
  share.tile.resize((size_t)(16 * n));
  for (int lane = 0; lane < WARP; lane++) {
    for (int i = 0; i < n / 2; i++) {
      *place(share.tile.data(), n, lane, i) = share.d[lane][i];
    }
  }
}

void accumulators_poison(const Share &share, int n) {
  for (float *d : share.d) {
    for (int i = 0; i < n / 2; i++) {
      memcpy(&d[i], &FLYING, sizeof FLYING);
    }
  }
}

bool accumulators_poisoned(const Share &share, int n, int lane) {
  for (int i = 0; i < n / 2; i++) {
    if (memcmp(&share.d[lane][i], &FLYING, sizeof FLYING) != 0) {
      return false;
    }
  }
  return true;
}

void tile_scatter(const Share &share, int n) {
  float *tile = const_cast<float *>(share.tile.data());
  for (int lane = 0; lane < WARP; lane++) {
    for (int i = 0; i < n / 2; i++) {
      share.d[lane][i] = *place(tile, n, lane, i);
    }
  }
}

void unpack_rows(Format format, const Operand &operand, const Chunk *chunks, int first, int end,
                 std::vector<float> *to) {
  to->resize((size_t)(end - first) * 16);
  for (int row = 0; row < end - first; row++) {
    for (int k = 0; k < 16; k++) {
      const int chunk = operand.mn_major ? row / 8 * 16 + k : row * 2 + k / 8;
      const int element = operand.mn_major ? row % 8 : k % 8;
      (*to)[(size_t)(row * 16 + k)] = value_of(format, &chunks[chunk].data[2 * element]);
    }
  }
}

void multiply_tile(const Multiplication &m, const Reads &reads, int first_row, Share *share) {
  const int n = m.call.n;
  float a[16][16];
  if (m.call.registers != nullptr) {
    unpack_registers(m, *share, a);
  } else {
    memcpy(a, &reads.a[(size_t)first_row * 16], sizeof a);
  }
  if (!m.call.accumulate) {
    share->tile.assign((size_t)(16 * n), 0.0f);
  }
  for (int row = 0; row < 16; row++) {
    float *sum = &share->tile[(size_t)(row * n)];
    for (int k = 0; k < 16; k++) {
      const float *b = &reads.b[(size_t)(k * n)];
      for (int column = 0; column < n; column++) {
        sum[column] += a[row][k] * b[column];
      }
    }
  }
}

}  // namespace emu
