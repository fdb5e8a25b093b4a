// Products of a few rows of 32-bit floats with a matrix of bytes. Weights are whole numbers with a scale an output, sums 32-bit
// floats: such a product is bound by the weights that it reads, and what a byte is worth is found out in registers.
//
// Each output of each row is summed in the same order whatever stands beside it, so a row's numbers never depend on others.
// Written once for vectors of any width; each file beside this one is compiled for processors that have them.
#pragma once
#include <cstdint>

// As in `../packed.rs`.
struct Product {
  // (count, inner), (out, inner), (out) and (count, out), row-major
  const float *rows;
  const int8_t *weights;
  const float *scales;
  float *found;
  int64_t count, inner, out;
};

void product_wide(const Product &);
void product_narrow(const Product &);

namespace {

// OUTS outputs of ROWS rows: as many sums as the registers hold, so that a weight is unpacked once for all rows
template <typename Vector, int ROWS, int OUTS>
void block(const Product &p, int64_t row, int64_t out) {
  using Floats = typename Vector::Floats;
  const float *rows = p.rows + row * p.inner;
  const int8_t *weights = p.weights + out * p.inner;
  Floats sums[OUTS][ROWS] = {};
  const int64_t whole = p.inner / Vector::LANES * Vector::LANES;
  for (int64_t k = 0; k < whole; k += Vector::LANES) {
    Floats unpacked[OUTS];
#pragma GCC unroll 8
    for (int o = 0; o < OUTS; ++o) unpacked[o] = Vector::unpack(weights + o * p.inner + k);
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
      const Floats x = Vector::load(rows + r * p.inner + k);
#pragma GCC unroll 8
      for (int o = 0; o < OUTS; ++o) sums[o][r] = Vector::add_product(unpacked[o], x, sums[o][r]);
    }
  }
  for (int o = 0; o < OUTS; ++o)
    for (int r = 0; r < ROWS; ++r) {
      float sum = Vector::sum(sums[o][r]);
      for (int64_t k = whole; k < p.inner; ++k) sum += rows[r * p.inner + k] * weights[o * p.inner + k];
      p.found[(row + r) * p.out + out + o] = sum * p.scales[out + o];
    }
}

// All outputs of ROWS rows.
template <typename Vector, int ROWS>
void all_outs(const Product &p, int64_t row) {
  int64_t out = 0;
  for (; p.out - out >= Vector::OUTS; out += Vector::OUTS) block<Vector, ROWS, Vector::OUTS>(p, row, out);
  for (; out < p.out; ++out) block<Vector, ROWS, 1>(p, row, out);
}

// As many rows at a time as stay in the nearest cache beside the weights of a block; then those that are left.
template <typename Vector, int ROWS = Vector::ROWS>
void multiply(const Product &p, int64_t row = 0) {
  for (; p.count - row >= ROWS; row += ROWS) all_outs<Vector, ROWS>(p, row);
  if constexpr (ROWS > 1) multiply<Vector, ROWS - 1>(p, row);
}

} // namespace
