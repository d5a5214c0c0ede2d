/* Conformance of stmatrix. */
#include "conform.h"
#include "cuda/device.h"
#include "rows.h"

namespace CONFORM_SIDE {

/* ---- stmatrix: shared memory as it is afterwards, 0 where nothing was stored ---- */
BENCH_KERNEL_FN(32)
void store_kernel(int count, int transposed, const uint32_t *in, unsigned char *out) {
  BENCH_SHARED(dev_u128, held, [32 * 3]);
  const int t = thread_x();
  for (int i = 0; i < 3; i++) {
    store_shared16(smem_of(&held[t * 3 + i]), dev_u128{0, 0, 0, 0});
  }
  sync_warp();
  const smem_addr row = smem_of(held) + (smem_addr)row_place(t);
  uint32_t r1[1] = {in[t * WORDS]};
  uint32_t r2[2] = {in[t * WORDS], in[t * WORDS + 1]};
  uint32_t r4[4] = {in[t * WORDS], in[t * WORDS + 1], in[t * WORDS + 2], in[t * WORDS + 3]};
  switch (count * 2 + transposed) {
    case 2:
      stmatrix_x1(row, r1);
      break;
    case 3:
      stmatrix_x1_trans(row, r1);
      break;
    case 4:
      stmatrix_x2(row, r2);
      break;
    case 5:
      stmatrix_x2_trans(row, r2);
      break;
    case 8:
      stmatrix_x4(row, r4);
      break;
    default:
      stmatrix_x4_trans(row, r4);
      break;
  }
  sync_warp();
  store_global16(out + t * 16, load_shared16(row));
}
static bench_code store_launch(const conform_case *c, const void *in, void *out) {
  return BENCH_LAUNCH(store_kernel, 1, 32, 0, nullptr, c->a, c->b,
                      static_cast<const uint32_t *>(in), static_cast<unsigned char *>(out));
}
static void store_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  memset(out, 0, c->out_bytes);
  for (size_t m = 0; m < (size_t)c->a; m++) {
    for (size_t lane = 0; lane < 32; lane++) {
      const uint32_t word = conform_at<uint32_t>(in, lane * WORDS + m);
      for (size_t half = 0; half < 2; half++) {
        const size_t major = lane / 4;
        const size_t minor = lane % 4 * 2 + half;
        const size_t row = c->b == 0 ? major : minor;
        const size_t column = c->b == 0 ? minor : major;
        conform_put(out, (m * 8 + row) * 8 + column, (uint16_t)(word >> 16 * half));
      }
    }
  }
}

#define STORE(name, count, transposed)                                                            \
  {                                                                                               \
    name, 90, 32 * WORDS * 4, 32 * 16, nullptr, store_launch, store_expect, 0, count, transposed, \
        0, 0                                                                                      \
  }
static const conform_case cases[] = {
    STORE("stmatrix_x1", 1, 0), STORE("stmatrix_x1_trans", 1, 1),
    STORE("stmatrix_x2", 2, 0), STORE("stmatrix_x2_trans", 2, 1),
    STORE("stmatrix_x4", 4, 0), STORE("stmatrix_x4_trans", 4, 1),
};
CONFORM_TABLE(store) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
