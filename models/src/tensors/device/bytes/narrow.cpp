// Eight floats at a time, for AVX2.
#include "kernel.h"
#include <immintrin.h>

namespace {
struct Narrow {
  static constexpr int LANES = 8, ROWS = 4, OUTS = 3;
  using Floats = __m256;
  static Floats load(const float *from) { return _mm256_loadu_ps(from); }
  static Floats unpack(const int8_t *from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(from))));
  }
  static Floats add_product(Floats a, Floats b, Floats sum) { return _mm256_fmadd_ps(a, b, sum); }
  static float sum(Floats lanes) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps(lanes, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1)));
  }
};
} // namespace

void product_narrow(const Product &p) { multiply<Narrow>(p); }
