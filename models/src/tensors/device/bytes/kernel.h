// Products of a few rows of numbers with a matrix of bytes. Such a product is bound by the weights that it reads, so they are
// bytes with a scale an output. Rows are whole numbers of 16 bits with a scale a section: a number far larger than the others
// coarsens no more than its own section.
//
// Sums within a section are exact, and sections are added in order without fusing: a row's numbers are the same bit for bit on
// every processor and whatever stands beside it. Written once for vectors of any width; each file beside this one is compiled
// for processors that have them, and `tiles.cpp` for those that multiply whole tiles.
#pragma once
#include <cstdint>
#include <cstring>

// Outputs that lie together, and numbers of each, as in `../packed.rs`: the bytes of a tile's row.
constexpr int64_t OUTS = 16;
constexpr int64_t QUAD = 4;
// Weights that are asked of memory before they are needed: without, a product of eight rows waited for them for half its time.
// Beyond the last weights nothing is read, since asking is a hint.
constexpr int64_t AHEAD = 4096;

// As in `../packed.rs`.
struct Product {
  // (count, inner), and what a one of it is worth (count, inner / section)
  const int16_t *rows;
  const float *row_scales;
  // (⌈out / OUTS⌉, inner / QUAD, OUTS, QUAD), and what a one of it is worth (out); some bytes more may be read behind it
  const int8_t *weights;
  const float *scales;
  // (count, out)
  float *found;
  // a row is a whole number of sections, a section a whole number of quads
  int64_t count, inner, section, out;
};

void product_tiles(const Product &);
void product_wide(const Product &);
void product_middle(const Product &);
void product_narrow(const Product &);

namespace {

// Four numbers of a row in the place of one.
inline int64_t quad_of(const int16_t *from) {
  int64_t quad;
  std::memcpy(&quad, from, sizeof quad);
  return quad;
}

// OUTS outputs of a row: what they sum to, times what a one is worth.
inline void finish(const Product &p, int64_t row, int64_t out, const float *sums) {
  const int64_t wanted = p.out - out < OUTS ? p.out - out : OUTS;
  for (int64_t o = 0; o < wanted; ++o) p.found[row * p.out + out + o] = sums[o] * p.scales[out + o];
}

// OUTS outputs of ROWS rows: a weight is unpacked once for all rows. An output has two sums in a row of numbers, one for each
// half of its quads.
template <typename Vector, int ROWS>
void block(const Product &p, int64_t row, int64_t out) {
  constexpr int VECTORS = 2 * OUTS / Vector::LANES;
  const int16_t *rows = p.rows + row * p.inner;
  const int8_t *weights = p.weights + out * p.inner;
  const int64_t sections = p.inner / p.section;
  typename Vector::Floats sums[ROWS][VECTORS / 2] = {};
  for (int64_t s = 0; s < sections; ++s) {
    typename Vector::Ints part[ROWS][VECTORS] = {};
    for (int64_t k = s * p.section; k < (s + 1) * p.section; k += QUAD) {
      __builtin_prefetch(weights + k * OUTS + AHEAD);
      typename Vector::Pairs unpacked[VECTORS];
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; ++v) unpacked[v] = Vector::unpack(weights + k * OUTS + v * 2 * Vector::LANES);
#pragma GCC unroll 8
      for (int r = 0; r < ROWS; ++r) {
        const auto x = Vector::spread(rows + r * p.inner + k);
#pragma GCC unroll 8
        for (int v = 0; v < VECTORS; ++v) part[r][v] = Vector::add_products(part[r][v], unpacked[v], x);
      }
    }
    for (int r = 0; r < ROWS; ++r)
      for (int v = 0; v < VECTORS / 2; ++v) {
        const auto both = Vector::halves_added(part[r][2 * v], part[r][2 * v + 1]);
        sums[r][v] = Vector::add(sums[r][v], Vector::times(both, p.row_scales[(row + r) * sections + s]));
      }
  }
  for (int r = 0; r < ROWS; ++r) {
    float found[OUTS];
    for (int v = 0; v < VECTORS / 2; ++v) Vector::store(found + v * Vector::LANES, sums[r][v]);
    finish(p, row + r, out, found);
  }
}

// All rows from `row` on, as many at a time as the registers hold, then those that are left.
template <typename Vector, int ROWS = Vector::ROWS>
void all_rows(const Product &p, int64_t out, int64_t row = 0) {
  for (; p.count - row >= ROWS; row += ROWS) block<Vector, ROWS>(p, row, out);
  if constexpr (ROWS > 1) all_rows<Vector, ROWS - 1>(p, out, row);
}

// Weights are read from memory once: a block of them serves all rows while it is in the nearest cache.
template <typename Vector>
void multiply(const Product &p) {
  for (int64_t out = 0; out < p.out; out += OUTS) all_rows<Vector>(p, out);
}

} // namespace
