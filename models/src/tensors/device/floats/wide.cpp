// For processors with vectors of 16 floats (AVX-512).
#include "product.h"
#include <immintrin.h>

namespace {
struct Avx512 {
  static constexpr int LANES = 16, AT_ONCE = 2, ROWS = 12;
  using Floats = __m512;
  static Floats load(const float *from) { return _mm512_loadu_ps(from); }
  static Floats spread(float x) { return _mm512_set1_ps(x); }
  static Floats fused(Floats x, Floats w, Floats sum) { return _mm512_fmadd_ps(x, w, sum); }
  static void store(float *to, Floats lanes) { _mm512_store_ps(to, lanes); }
};
} // namespace

void floats_wide(const FloatProduct &p) { multiply<Avx512>(p); }
