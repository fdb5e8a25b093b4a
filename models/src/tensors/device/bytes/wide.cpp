// For AVX-512 with its instructions for neural networks (VNNI).
#include "avx512.h"

namespace {
struct Wide : Avx512 {
  static Ints add_products(Ints sum, Pairs a, Pairs b) { return _mm512_dpwssd_epi32(sum, a, b); }
};
} // namespace

void product_wide(const Product &p) { multiply<Wide>(p); }
