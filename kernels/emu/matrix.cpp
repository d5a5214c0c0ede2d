/* ldmatrix and mma.sync, by the fragment tables of the PTX ISA. */
#include <cstring>

#include "bench/attn.h"
#include "emu/internal.h"
#include "emu/sm80.h"

namespace emu {

namespace {

struct LoadArgument {
  const Thread *thread;
  uint32_t *registers;
  int count;
  bool transposed;
  smem_addr row;
  const char *operation;
  Site at;
};

/* Lane l of a matrix has of row l / 4 the elements 2 (l % 4) and the next, or of column l / 4 the
 * rows of these numbers. */
void distribute(const uint16_t matrix[8][8], int number, bool transposed, void *const *arguments) {
  for (int lane = 0; lane < WARP; lane++) {
    LoadArgument *to = static_cast<LoadArgument *>(arguments[lane]);
    if (to == nullptr) {
      continue;
    }
    const int major = lane / 4;
    const int minor = lane % 4 * 2;
    const uint32_t low = transposed ? matrix[minor][major] : matrix[major][minor];
    const uint32_t high = transposed ? matrix[minor + 1][major] : matrix[major][minor + 1];
    to->registers[number] = low | high << 16;
  }
}

/* Lanes 8 m to 8 m + 7 give the addresses of the rows of matrix m. */
void load_all(Warp &warp, void *const *arguments) {
  (void)warp;
  const LoadArgument *any = nullptr;
  for (int lane = 0; lane < WARP && any == nullptr; lane++) {
    any = static_cast<const LoadArgument *>(arguments[lane]);
  }
  for (int m = 0; m < any->count; m++) {
    uint16_t matrix[8][8];
    for (int r = 0; r < 8; r++) {
      const LoadArgument *from = static_cast<const LoadArgument *>(arguments[8 * m + r]);
      if (from == nullptr) {
        fail(any->at, "%s: lane %d, which gives a row, has ended", any->operation, 8 * m + r);
      }
      const SharedPlace place =
          shared_at(*from->thread, from->row, 16, 16, from->operation, from->at);
      check_read(*from->thread, *place.block, place.offset, 16, from->operation, from->at);
      race_read(*from->thread, *place.block, place.offset, 16, from->at);
      memcpy(matrix[r], place.bytes, 16);
    }
    distribute(matrix, m, any->transposed, arguments);
  }
}

struct MultiplyArgument {
  Format format;
  float *c;
  const uint32_t *a;
  uint32_t b[2];
};

/* Every fp16 as float. */
const float *fp16_values() {
  static float *values = [] {
    float *made = new float[65536];
    for (uint32_t bits = 0; bits < 65536; bits++) {
      made[bits] = bench_fp16_to_float((uint16_t)bits);
    }
    return made;
  }();
  return values;
}

void unpack(Format format, uint32_t pair, float *low, float *high) {
  if (format == FP16) {
    const float *values = fp16_values();
    *low = values[pair & 0xffff];
    *high = values[pair >> 16];
    return;
  }
  const uint32_t low_bits = pair << 16;
  const uint32_t high_bits = pair & 0xffff0000u;
  memcpy(low, &low_bits, sizeof low_bits);
  memcpy(high, &high_bits, sizeof high_bits);
}

struct Fragments {
  float a[16][16]; /* [m][k] */
  float b[16][8];  /* [k][n] */
  float c[16][8];  /* [m][n] */
};

/* With g = lane / 4 and t = lane % 4: register i of A holds row g + 8 (i & 1), columns
 * 2 t + 8 (i >> 1) and the next; register i of B rows 2 t + 8 i and the next of column g; c_i is
 * row g + 8 (i >> 1), column 2 t + (i & 1). */
void gather(const MultiplyArgument &from, int lane, Fragments *f) {
  const int g = lane / 4;
  const int t = lane % 4;
  for (int i = 0; i < 4; i++) {
    float *to = &f->a[g + 8 * (i & 1)][2 * t + 8 * (i >> 1)];
    unpack(from.format, from.a[i], to, to + 1);
    f->c[g + 8 * (i >> 1)][2 * t + (i & 1)] = from.c[i];
  }
  for (int i = 0; i < 2; i++) {
    const int k = 2 * t + 8 * i;
    unpack(from.format, from.b[i], &f->b[k][g], &f->b[k + 1][g]);
  }
}

void multiply_all(Warp &warp, void *const *arguments) {
  (void)warp;
  Fragments f;
  memset(&f, POISON, sizeof f); /* of lanes that are not there */
  for (int lane = 0; lane < WARP; lane++) {
    if (arguments[lane] != nullptr) {
      gather(*static_cast<const MultiplyArgument *>(arguments[lane]), lane, &f);
    }
  }
  for (int m = 0; m < 16; m++) {
    for (int k = 0; k < 16; k++) {
      for (int n = 0; n < 8; n++) {
        f.c[m][n] += f.a[m][k] * f.b[k][n];
      }
    }
  }
  for (int lane = 0; lane < WARP; lane++) {
    MultiplyArgument *to = static_cast<MultiplyArgument *>(arguments[lane]);
    for (int i = 0; to != nullptr && i < 4; i++) {
      to->c[i] = f.c[lane / 4 + 8 * (i >> 1)][2 * (lane % 4) + (i & 1)];
    }
  }
}

}  // namespace

void load_matrix(uint32_t *registers, int count, bool transposed, smem_addr row,
                 const char *operation, Site at) {
  LoadArgument argument = {self, registers, count, transposed, row, operation, at};
  meet(operation, at, &argument, load_all);
}

void multiply(Format format, float *c, const uint32_t *a, uint32_t b0, uint32_t b1, Site at) {
  MultiplyArgument argument = {format, c, a, {b0, b1}};
  meet(format == BF16 ? "mma_m16n8k16<dev_bf16>" : "mma_m16n8k16<dev_fp16>", at, &argument,
       multiply_all);
}

}  // namespace emu
