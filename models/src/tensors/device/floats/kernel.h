// Products of some dozens of rows with a matrix of 32-bit floats that lies as it is read: a recurrent decoder's steps. libtorch lays
// the matrix anew for every product, which takes as long as multiplying.
//
// A sum goes through a row's numbers in order, each fused (multiplied and added, rounded once): the same bit for bit on every
// processor that has this kernel, and whatever stands beside the row.
#pragma once
#include <cstdint>

// Outputs that lie together, as in `../packed_floats.rs`.
constexpr int64_t TOGETHER = 32;
// Numbers of weights that are asked of memory before they are needed.
constexpr int64_t AHEAD = 1024;

// As in `../packed_floats.rs`.
struct FloatProduct {
  // (count, inner)
  const float *rows;
  // (⌈out / TOGETHER⌉, inner, TOGETHER), zeros where the matrix has ended
  const float *weights;
  // (out), added at the end; or none
  const float *bias;
  // (count, out)
  float *found;
  int64_t count, inner, out;
  // the blocks of outputs that are wanted
  int64_t begin, end;
};

void floats_wide(const FloatProduct &);
void floats_narrow(const FloatProduct &);
