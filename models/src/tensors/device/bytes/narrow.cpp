// For AVX2.
#include "kernel.h"
#include <immintrin.h>

namespace {
struct Narrow {
  static constexpr int LANES = 8, ROWS = 2;
  using Floats = __m256;
  using Ints = __m256i;
  using Pairs = __m256i;
  static Pairs unpack(const int8_t *from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from)));
  }
  static Pairs spread(const int16_t *from) { return _mm256_set1_epi64x(quad_of(from)); }
  // sums of neighbours, those of `a` first
  static Ints halves_added(Ints a, Ints b) { return _mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xD8); }
  static Ints add_products(Ints sum, Pairs a, Pairs b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
  static Floats times(Ints a, float b) { return _mm256_mul_ps(_mm256_cvtepi32_ps(a), _mm256_set1_ps(b)); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static void store(float *to, Floats lanes) { _mm256_storeu_ps(to, lanes); }
};
} // namespace

void product_narrow(const Product &p) { multiply<Narrow>(p); }
