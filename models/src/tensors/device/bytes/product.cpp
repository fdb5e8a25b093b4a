// The kernels that the processor has, best first.
#include "kernel.h"
#include <cstddef>
#include <vector>

namespace {
// Where there are no vectors that we know: one output after the other.
struct Single {
  static constexpr int LANES = 1, ROWS = 1;
  using Floats = float;
  using Ints = int32_t;
  struct Pair {
    int32_t first, second;
  };
  using Pairs = Pair;
  static Pairs unpack(const int8_t *from) { return {from[0], from[1]}; }
  static Pairs spread(const int16_t *from) { return {from[0], from[1]}; }
  static Ints add_products(Ints sum, Pairs a, Pairs b) { return sum + a.first * b.first + a.second * b.second; }
  static Floats times(Ints a, float b) { return static_cast<float>(a) * b; }
  static Floats add(Floats a, Floats b) { return a + b; }
  static void store(float *to, Floats lane) { *to = lane; }
};

using Multiply = void (*)(const Product &);

std::vector<Multiply> all() {
  std::vector<Multiply> kernels;
#if defined(__x86_64__)
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  if (wide && __builtin_cpu_supports("avx512vnni")) kernels.push_back(product_wide);
  if (wide) kernels.push_back(product_middle);
  if (__builtin_cpu_supports("avx2")) kernels.push_back(product_narrow);
#endif
  kernels.push_back([](const Product &p) { multiply<Single>(p); });
  return kernels;
}

const std::vector<Multiply> &kernels() {
  static const std::vector<Multiply> found = all();
  return found;
}
} // namespace

extern "C" int64_t storyteller_kernels_of_bytes() noexcept { return static_cast<int64_t>(kernels().size()); }

// `kernel`: 0 is the best.
extern "C" void storyteller_product_of_bytes(const Product *product, int64_t kernel) noexcept {
  kernels()[static_cast<size_t>(kernel)](*product);
}
