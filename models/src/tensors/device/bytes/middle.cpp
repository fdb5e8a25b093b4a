// For AVX-512 without them.
#include "avx512.h"

namespace {
struct Middle : Avx512 {
  static Ints add_products(Ints sum, Pairs a, Pairs b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
};
} // namespace

void product_middle(const Product &p) { multiply<Middle>(p); }
