// The kernels that the processor has, best first.
#include "kernel.h"
#include <cstddef>
#include <vector>
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {
// Where there are no vectors that we know: one output after the other.
struct Single {
  static constexpr int LANES = 2, ROWS = 1;
  struct Two {
    int32_t first, second;
  };
  struct Floats {
    float first, second;
  };
  struct Quad {
    int32_t numbers[QUAD];
  };
  using Ints = Two;
  using Pairs = Quad;
  template <typename Number>
  static Pairs of(const Number *from) {
    return {{from[0], from[1], from[2], from[3]}};
  }
  static Pairs unpack(const int8_t *from) { return of(from); }
  static Pairs spread(const int16_t *from) { return of(from); }
  static Ints add_products(Ints sum, Pairs a, Pairs b) {
    const auto product = [&](int k) { return a.numbers[k] * b.numbers[k]; };
    return {sum.first + product(0) + product(1), sum.second + product(2) + product(3)};
  }
  static Ints halves_added(Ints a, Ints b) { return {a.first + a.second, b.first + b.second}; }
  static Floats times(Ints a, float b) { return {static_cast<float>(a.first) * b, static_cast<float>(a.second) * b}; }
  static Floats add(Floats a, Floats b) { return {a.first + b.first, a.second + b.second}; }
  static void store(float *to, Floats lanes) {
    to[0] = lanes.first;
    to[1] = lanes.second;
  }
};

using Multiply = void (*)(const Product &);

#if defined(__x86_64__)
// Whether tiles may be used: the processor has them, and the system grants the process their room.
bool has_tiles() {
#if defined(__linux__)
  constexpr long ASK = 0x1023, DATA_OF_TILES = 18;
  return __builtin_cpu_supports("amx-int8") && __builtin_cpu_supports("avx512f") &&
         syscall(SYS_arch_prctl, ASK, DATA_OF_TILES) == 0;
#else
  return false;
#endif
}
#endif

std::vector<Multiply> all() {
  std::vector<Multiply> kernels;
#if defined(__x86_64__)
  if (has_tiles()) kernels.push_back(product_tiles);
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
