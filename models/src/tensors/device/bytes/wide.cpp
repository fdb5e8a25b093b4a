// Sixteen floats at a time, for AVX-512.
#include "kernel.h"
#include <immintrin.h>

namespace {
struct Wide {
  static constexpr int LANES = 16, ROWS = 6, OUTS = 4;
  using Floats = __m512;
  static Floats load(const float *from) { return _mm512_loadu_ps(from); }
  static Floats unpack(const int8_t *from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from))));
  }
  static Floats add_product(Floats a, Floats b, Floats sum) { return _mm512_fmadd_ps(a, b, sum); }
  static float sum(Floats lanes) { return _mm512_reduce_add_ps(lanes); }
};
} // namespace

void product_wide(const Product &p) { multiply<Wide>(p); }
