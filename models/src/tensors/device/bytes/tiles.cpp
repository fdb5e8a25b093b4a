// For processors that multiply whole tiles (AMX). Their numbers have 8 bits, so each number of a row goes in two: its upper and
// its lower byte. The sums of both are exact, and so is what they make together.
#include "kernel.h"
#include <immintrin.h>
#include <vector>

namespace {
// Rows of a tile, and bytes of each.
constexpr int64_t ROWS = 16, WIDTH = 64;
constexpr int64_t TILE = ROWS * WIDTH;

// How the eight tiles are cut: sums (0 to 3), weights of two blocks of outputs (4, 5), upper and lower bytes of rows (6, 7).
struct alignas(64) Cut {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t width[16] = {};
  uint8_t rows[16] = {};

  explicit Cut(int64_t count) {
    for (int tile = 0; tile < 8; ++tile) {
      width[tile] = WIDTH;
      rows[tile] = static_cast<uint8_t>(tile == 4 || tile == 5 ? ROWS : count);
    }
  }
};

// The bytes of all rows, tile after tile: (blocks of rows, sections, steps, upper and lower, rows, WIDTH), zeros where a section
// or the last block has ended.
struct Bytes {
  int64_t rows, blocks, sections, steps;
  std::vector<uint8_t> all;

  explicit Bytes(const Product &p)
      : rows(p.count < ROWS ? p.count : ROWS), blocks((p.count + ROWS - 1) / ROWS), sections(p.inner / p.section),
        steps((p.section + WIDTH - 1) / WIDTH), all(static_cast<size_t>(blocks * sections * steps * 2 * rows * WIDTH)) {
    for (int64_t row = 0; row < p.count; ++row)
      for (int64_t s = 0; s < sections; ++s)
        for (int64_t k = 0; k < p.section; k += WIDTH) {
          const int64_t some = p.section - k < WIDTH ? p.section - k : WIDTH;
          uint8_t *to = all.data() + place(row / ROWS, s, k / WIDTH) + row % ROWS * WIDTH;
          const int16_t *from = p.rows + row * p.inner + s * p.section + k;
          for (int64_t i = 0; i < some; ++i) {
            to[i] = static_cast<uint8_t>(from[i] >> 8);
            to[rows * WIDTH + i] = static_cast<uint8_t>(from[i]);
          }
        }
  }

  int64_t place(int64_t block, int64_t section, int64_t step) const {
    return ((block * sections + section) * steps + step) * 2 * rows * WIDTH;
  }
  const uint8_t *at(int64_t block, int64_t section, int64_t step) const { return all.data() + place(block, section, step); }
};

// Asks memory for a tile of weights: without, a product waited for them for a third of its time. They come into the second cache,
// since those of a pair of blocks are more than the first one holds. Beyond the last weights nothing is read.
inline void ask(const int8_t *tile) {
#pragma GCC unroll 16
  for (int64_t line = 0; line < TILE; line += WIDTH) __builtin_prefetch(tile + line, 0, 2);
}

// Two blocks of outputs of one block of rows.
template <bool TWO>
void block(const Product &p, const Bytes &bytes, int64_t rows, int64_t out) {
  const int8_t *weights = p.weights + out * p.inner;
  const int64_t beside = p.inner * OUTS;
  const int64_t count = p.count - rows * ROWS < ROWS ? p.count - rows * ROWS : ROWS;
  alignas(64) int32_t upper[2][ROWS][OUTS], lower[2][ROWS][OUTS];
  __m512 sums[2][ROWS];
  for (auto &some : sums)
    for (auto &sum : some) sum = _mm512_setzero_ps();
  for (int64_t s = 0; s < bytes.sections; ++s) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const int8_t *from = weights + s * p.section * OUTS;
    for (int64_t step = 0; step < bytes.steps; ++step, from += TILE) {
      // beyond a section's end rows are zero, whatever the weights there are
      const uint8_t *row = bytes.at(rows, s, step);
      _tile_loadd(6, row, WIDTH);
      _tile_loadd(7, row + bytes.rows * WIDTH, WIDTH);
      if (rows == 0) {
        ask(from + 2 * beside);
        ask(from + 3 * beside);
      }
      _tile_loadd(4, from, WIDTH);
      _tile_dpbssd(0, 6, 4);
      _tile_dpbusd(1, 7, 4);
      if constexpr (TWO) {
        _tile_loadd(5, from + beside, WIDTH);
        _tile_dpbssd(2, 6, 5);
        _tile_dpbusd(3, 7, 5);
      }
    }
    _tile_stored(0, upper[0], WIDTH);
    _tile_stored(1, lower[0], WIDTH);
    if constexpr (TWO) {
      _tile_stored(2, upper[1], WIDTH);
      _tile_stored(3, lower[1], WIDTH);
    }
    for (int b = 0; b <= TWO; ++b)
      for (int64_t r = 0; r < count; ++r) {
        const auto high = _mm512_slli_epi32(_mm512_load_si512(upper[b][r]), 8);
        const auto both = _mm512_cvtepi32_ps(_mm512_add_epi32(high, _mm512_load_si512(lower[b][r])));
        const auto worth = _mm512_set1_ps(p.row_scales[(rows * ROWS + r) * bytes.sections + s]);
        sums[b][r] = _mm512_add_ps(sums[b][r], _mm512_mul_ps(both, worth));
      }
  }
  for (int b = 0; b <= TWO; ++b)
    for (int64_t r = 0; r < count; ++r) {
      alignas(64) float found[OUTS];
      _mm512_store_ps(found, sums[b][r]);
      finish(p, rows * ROWS + r, out + b * OUTS, found);
    }
}
} // namespace

void product_tiles(const Product &p) {
  if (p.count == 0) return;
  const Bytes bytes(p);
  const Cut cut(bytes.rows);
  _tile_loadconfig(&cut);
  int64_t out = 0;
  for (; out + OUTS < p.out; out += 2 * OUTS)
    for (int64_t rows = 0; rows < bytes.blocks; ++rows) block<true>(p, bytes, rows, out);
  if (out < p.out)
    for (int64_t rows = 0; rows < bytes.blocks; ++rows) block<false>(p, bytes, rows, out);
  _tile_release();
}
