// Chooses the widest vectors that the processor has.
#include "kernel.h"

namespace {
// Where there are none that we know.
struct Single {
  static constexpr int LANES = 1, ROWS = 2, OUTS = 4;
  using Floats = float;
  static Floats load(const float *from) { return *from; }
  static Floats unpack(const int8_t *from) { return *from; }
  static Floats add_product(Floats a, Floats b, Floats sum) { return sum + a * b; }
  static float sum(Floats lane) { return lane; }
};

using Multiply = void (*)(const Product &);

Multiply best() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) return product_wide;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return product_narrow;
#endif
  return [](const Product &p) { multiply<Single>(p); };
}
} // namespace

extern "C" void storyteller_product_of_bytes(const Product *product) noexcept {
  static const Multiply chosen = best();
  chosen(*product);
}
