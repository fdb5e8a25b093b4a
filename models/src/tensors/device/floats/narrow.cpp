// For processors with vectors of 8 floats (AVX2 with FMA).
#include "product.h"
#include <immintrin.h>

namespace {
struct Avx2 {
  static constexpr int LANES = 8, AT_ONCE = 2, ROWS = 6;
  using Floats = __m256;
  static Floats load(const float *from) { return _mm256_loadu_ps(from); }
  static Floats spread(float x) { return _mm256_set1_ps(x); }
  static Floats fused(Floats x, Floats w, Floats sum) { return _mm256_fmadd_ps(x, w, sum); }
  static void store(float *to, Floats lanes) { _mm256_store_ps(to, lanes); }
};
} // namespace

void floats_narrow(const FloatProduct &p) { multiply<Avx2>(p); }
