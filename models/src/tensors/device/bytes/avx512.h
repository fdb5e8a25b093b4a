// Thirty-two pairs at a time, but for how they are multiplied.
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
  static Pairs spread(const int16_t *from) { return _mm512_set1_epi32(pair_of(from)); }
  static Floats times(Ints a, float b) { return _mm512_mul_ps(_mm512_cvtepi32_ps(a), _mm512_set1_ps(b)); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static void store(float *to, Floats lanes) { _mm512_storeu_ps(to, lanes); }
};
} // namespace
