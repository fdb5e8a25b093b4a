// The product, for vectors of any width.
#pragma once
#include "kernel.h"
#include <vector>

namespace {

// The rows of a product in groups of as equal size as can be, each group's numbers side by side: (groups, inner, rows of the group).
struct Groups {
  int64_t count, groups;
  std::vector<float> all;

  Groups(const FloatProduct &p, int64_t most) : count(p.count), groups((p.count + most - 1) / most), all(p.count * p.inner) {
    for (int64_t g = 0; g < groups; ++g) {
      float *to = all.data() + first(g) * p.inner;
      const int64_t rows = size(g);
      for (int64_t r = 0; r < rows; ++r) {
        const float *from = p.rows + (first(g) + r) * p.inner;
        for (int64_t k = 0; k < p.inner; ++k) to[k * rows + r] = from[k];
      }
    }
  }

  int64_t first(int64_t group) const { return group * count / groups; }
  int64_t size(int64_t group) const { return first(group + 1) - first(group); }
};

// TOGETHER outputs of ROWS rows, as many at a time as the registers hold.
template <typename Vector, int ROWS>
void block(const FloatProduct &p, const float *rows, int64_t row, int64_t out) {
  constexpr int VECTORS = Vector::AT_ONCE;
  for (int64_t lane = 0; lane < TOGETHER; lane += VECTORS * Vector::LANES) {
    const float *weights = p.weights + out * p.inner + lane;
    typename Vector::Floats sums[ROWS][VECTORS] = {};
    for (int64_t k = 0; k < p.inner; ++k) {
      __builtin_prefetch(weights + k * TOGETHER + AHEAD);
      __builtin_prefetch(weights + k * TOGETHER + AHEAD + TOGETHER / 2);
      typename Vector::Floats w[VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; ++v) w[v] = Vector::load(weights + k * TOGETHER + v * Vector::LANES);
#pragma GCC unroll 12
      for (int r = 0; r < ROWS; ++r) {
        const auto x = Vector::spread(rows[k * ROWS + r]);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v) sums[r][v] = Vector::fused(x, w[v], sums[r][v]);
      }
    }
    for (int r = 0; r < ROWS; ++r) {
      alignas(64) float found[VECTORS * Vector::LANES];
      for (int v = 0; v < VECTORS; ++v) Vector::store(found + v * Vector::LANES, sums[r][v]);
      float *to = p.found + (row + r) * p.out + out + lane;
      const int64_t wanted = p.out - out - lane < VECTORS * Vector::LANES ? p.out - out - lane : VECTORS * Vector::LANES;
      for (int64_t o = 0; o < wanted; ++o) to[o] = p.bias ? found[o] + p.bias[out + lane + o] : found[o];
    }
  }
}

template <typename Vector, int ROWS = Vector::ROWS>
void of_size(int64_t size, const FloatProduct &p, const float *rows, int64_t row, int64_t out) {
  if (size == ROWS) return block<Vector, ROWS>(p, rows, row, out);
  if constexpr (ROWS > 1) of_size<Vector, ROWS - 1>(size, p, rows, row, out);
}

// Weights are read from memory once: a block of them serves all groups while it is in a cache.
template <typename Vector>
void multiply(const FloatProduct &p) {
  if (p.count == 0) return;
  const Groups groups(p, Vector::ROWS);
  for (int64_t b = p.begin; b < p.end; ++b)
    for (int64_t g = 0; g < groups.groups; ++g) {
      const int64_t first = groups.first(g);
      of_size<Vector>(groups.size(g), p, groups.all.data() + first * p.inner, first, b * TOGETHER);
    }
}

} // namespace
