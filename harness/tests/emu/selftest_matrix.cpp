/* ldmatrix and mma.m16n8k16 against the figures of the PTX ISA, written out. */
#include "selftest.h"

namespace {

/* PTX ISA, ldmatrix: "Thread fragment layout" of .m8n8: which lane holds each element of a row. */
const int holder[8][8] = {
    {0, 0, 1, 1, 2, 2, 3, 3},         {4, 4, 5, 5, 6, 6, 7, 7},
    {8, 8, 9, 9, 10, 10, 11, 11},     {12, 12, 13, 13, 14, 14, 15, 15},
    {16, 16, 17, 17, 18, 18, 19, 19}, {20, 20, 21, 21, 22, 22, 23, 23},
    {24, 24, 25, 25, 26, 26, 27, 27}, {28, 28, 29, 29, 30, 30, 31, 31},
};

/* Loads `count` matrices whose rows lie apart and out of order: element (m, r, c) is
 * 64 m + 8 r + c. */
template <int COUNT, bool TRANSPOSED>
void load_kernel(uint32_t *out) {
  BENCH_DYN_SMEM(memory, 16);
  uint16_t *values = reinterpret_cast<uint16_t *>(memory);
  const int lane = thread_x();
  const int place = (lane * 7) % 32; /* of this lane's row, 24 halves each */
  for (int c = 0; c < 8; c++) {
    values[place * 24 + c] = (uint16_t)(8 * lane + c);
  }
  sync_warp();
  uint32_t r[COUNT];
  const smem_addr row = smem_of(values + place * 24);
  if constexpr (COUNT == 1 && !TRANSPOSED) {
    ldmatrix_x1(r, row);
  } else if constexpr (COUNT == 2 && !TRANSPOSED) {
    ldmatrix_x2(r, row);
  } else if constexpr (COUNT == 4 && !TRANSPOSED) {
    ldmatrix_x4(r, row);
  } else if constexpr (COUNT == 1) {
    ldmatrix_x1_trans(r, row);
  } else if constexpr (COUNT == 2) {
    ldmatrix_x2_trans(r, row);
  } else {
    ldmatrix_x4_trans(r, row);
  }
  for (int i = 0; i < COUNT; i++) {
    out[i * 32 + lane] = r[i];
  }
}

template <int COUNT, bool TRANSPOSED>
void check_load() {
  uint32_t out[4 * 32];
  memset(out, 0, sizeof out);
  assert_runs(BENCH_LAUNCH((load_kernel<COUNT, TRANSPOSED>), 1, 32, 32 * 48, nullptr, out));
  for (int m = 0; m < COUNT; m++) {
    for (int r = 0; r < 8; r++) {
      for (int c = 0; c < 8; c++) {
        const int lane = TRANSPOSED ? holder[c][r] : holder[r][c];
        const int half = (TRANSPOSED ? r : c) % 2;
        assert_int_equal(out[m * 32 + lane] >> (16 * half) & 0xffff, 64 * m + 8 * r + c);
      }
    }
  }
}

void loads(void **state) {
  (void)state;
  in_every_schedule([] {
    check_load<1, false>();
    check_load<2, false>();
    check_load<4, false>();
    check_load<1, true>();
    check_load<2, true>();
    check_load<4, true>();
  });
}

/* PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type" for .f16 and .bf16: some
 * lane's element a_i, b_i or c_i and its row and column. */
struct Place {
  int lane;
  int element;
  int row;
  int column;
};
const Place a_places[] = {
    {0, 0, 0, 0},  {0, 1, 0, 1},   {0, 2, 8, 0},    {0, 3, 8, 1},    {0, 4, 0, 8},
    {0, 5, 0, 9},  {0, 6, 8, 8},   {0, 7, 8, 9},    {3, 0, 0, 6},    {3, 5, 0, 15},
    {4, 0, 1, 0},  {6, 3, 9, 5},   {13, 4, 3, 10},  {18, 2, 12, 4},  {28, 1, 7, 1},
    {31, 0, 7, 6}, {31, 3, 15, 7}, {31, 7, 15, 15}, {22, 6, 13, 12}, {9, 7, 10, 11},
};
const Place b_places[] = {
    {0, 0, 0, 0}, {0, 1, 1, 0}, {0, 2, 8, 0},   {0, 3, 9, 0},   {1, 0, 2, 0},  {3, 3, 15, 0},
    {4, 0, 0, 1}, {7, 1, 7, 1}, {14, 2, 12, 3}, {21, 3, 11, 5}, {28, 0, 0, 7}, {31, 3, 15, 7},
};
const Place c_places[] = {
    {0, 0, 0, 0}, {0, 1, 0, 1},   {0, 2, 8, 0},  {0, 3, 8, 1},  {3, 1, 0, 7},  {4, 0, 1, 0},
    {7, 3, 9, 7}, {14, 2, 11, 4}, {21, 1, 5, 3}, {28, 0, 7, 0}, {31, 0, 7, 6}, {31, 3, 15, 7},
};

struct Fragments {
  uint32_t a[32][4];
  uint32_t b[32][2];
  float c[32][4];
};

template <typename T>
void multiply_kernel(Fragments *f) {
  const int lane = thread_x();
  mma_m16n8k16<T>(f->c[lane], f->a[lane], f->b[lane][0], f->b[lane][1]);
}

template <typename T>
void set_half(uint32_t *registers, int element, float value) {
  const uint32_t half = pack2<T>(value, 0.0f);
  const int shift = 16 * (element % 2);
  registers[element / 2] = (registers[element / 2] & ~(0xffffu << shift)) | half << shift;
}

/* The lane and element that hold C's (row, column), by the same figure. */
float c_at(const Fragments &f, int row, int column) {
  return f.c[row % 8 * 4 + column / 2][row / 8 * 2 + column % 2];
}

/* A is 1 in one place, B has a value of its own everywhere: row a.row of C is row a.column of B. */
template <typename T>
void check_a() {
  for (const Place &place : a_places) {
    Fragments f = {};
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < 4; i++) {
        const int k = lane % 4 * 2 + i % 2 + (i >= 2 ? 8 : 0);
        set_half<T>(f.b[lane], i, (float)(8 * k + lane / 4));
      }
    }
    set_half<T>(f.a[place.lane], place.element, 1.0f);
    assert_runs(BENCH_LAUNCH(multiply_kernel<T>, 1, 32, 0, nullptr, &f));
    for (int row = 0; row < 16; row++) {
      for (int n = 0; n < 8; n++) {
        const float expected = row == place.row ? (float)(8 * place.column + n) : 0.0f;
        assert_true(c_at(f, row, n) == expected);
      }
    }
  }
}

/* B is 1 in one place: column b.column of C is column b.row of A. */
template <typename T>
void check_b() {
  for (const Place &place : b_places) {
    Fragments f = {};
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < 8; i++) {
        const int m = lane / 4 + (i / 2 % 2 == 1 ? 8 : 0);
        const int k = lane % 4 * 2 + i % 2 + (i >= 4 ? 8 : 0);
        set_half<T>(f.a[lane], i, (float)(16 * m + k));
      }
    }
    set_half<T>(f.b[place.lane], place.element, 1.0f);
    assert_runs(BENCH_LAUNCH(multiply_kernel<T>, 1, 32, 0, nullptr, &f));
    for (int row = 0; row < 16; row++) {
      for (int n = 0; n < 8; n++) {
        const float expected = n == place.column ? (float)(16 * row + place.row) : 0.0f;
        assert_true(c_at(f, row, n) == expected);
      }
    }
  }
}

/* One product alone, in (row, column), added to what C holds. */
template <typename T>
void check_c() {
  for (const Place &place : c_places) {
    Fragments f = {};
    for (int lane = 0; lane < 32; lane++) {
      for (float &value : f.c[lane]) {
        value = 100.0f;
      }
    }
    set_half<T>(f.a[place.row % 8 * 4], place.row / 8 * 2, 3.0f); /* k = 0 */
    set_half<T>(f.b[place.column * 4], 0, 0.5f);
    assert_runs(BENCH_LAUNCH(multiply_kernel<T>, 1, 32, 0, nullptr, &f));
    for (int lane = 0; lane < 32; lane++) {
      for (int i = 0; i < 4; i++) {
        const bool here = lane == place.lane && i == place.element;
        assert_true(f.c[lane][i] == (here ? 101.5f : 100.0f));
      }
    }
  }
}

void a_fragments(void **state) {
  (void)state;
  set_options("schedule=lifo");
  check_a<dev_bf16>();
  check_a<dev_fp16>();
}

void b_fragments(void **state) {
  (void)state;
  set_options("schedule=random:5");
  check_b<dev_bf16>();
  check_b<dev_fp16>();
}

void c_fragments(void **state) {
  (void)state;
  set_options("schedule=fifo");
  check_c<dev_bf16>();
  check_c<dev_fp16>();
}

/* Two formats read the same bits differently. */
void formats(void **state) {
  (void)state;
  set_options("schedule=fifo");
  Fragments f = {};
  f.a[0][0] = 0x3c00; /* fp16 1; bf16 0.0078125 */
  f.b[0][0] = 0x4000; /* 2 in both */
  Fragments g = f;
  assert_runs(BENCH_LAUNCH(multiply_kernel<dev_fp16>, 1, 32, 0, nullptr, &f));
  assert_runs(BENCH_LAUNCH(multiply_kernel<dev_bf16>, 1, 32, 0, nullptr, &g));
  assert_true(f.c[0][0] == 2.0f);
  assert_true(g.c[0][0] == 0.015625f);
}

}  // namespace

int main() {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads),       cmocka_unit_test(a_fragments), cmocka_unit_test(b_fragments),
      cmocka_unit_test(c_fragments), cmocka_unit_test(formats),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}
