// Sixteen pairs at a time, but for how they are multiplied.
#pragma once
#include "kernel.h"
#include <immintrin.h>

namespace {
struct Avx512 {
  static constexpr int LANES = 16, ROWS = 8;
  using Floats = __m512;
  using Ints = __m512i;
  using Pairs = __m512i;
  static Pairs unpack(const int8_t *from) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)));
  }
  static Pairs spread(const int16_t *from) { return _mm512_set1_epi64(quad_of(from)); }
  // sums of neighbours, those of `a` first
  static Ints halves_added(Ints a, Ints b) {
    const Ints even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const Ints odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_permutex2var_epi32(a, even, b), _mm512_permutex2var_epi32(a, odd, b));
  }
  static Floats times(Ints a, float b) { return _mm512_mul_ps(_mm512_cvtepi32_ps(a), _mm512_set1_ps(b)); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static void store(float *to, Floats lanes) { _mm512_storeu_ps(to, lanes); }
};
} // namespace
