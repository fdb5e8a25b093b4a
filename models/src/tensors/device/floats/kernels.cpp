// The kernels that the processor has, best first; none where it cannot fuse.
#include "kernel.h"
#include <cstddef>
#include <vector>

namespace {
using Multiply = void (*)(const FloatProduct &);

std::vector<Multiply> all() {
  std::vector<Multiply> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(floats_wide);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) kernels.push_back(floats_narrow);
#endif
  return kernels;
}

const std::vector<Multiply> &kernels() {
  static const std::vector<Multiply> found = all();
  return found;
}
} // namespace

extern "C" int64_t storyteller_kernels_of_floats() noexcept { return static_cast<int64_t>(kernels().size()); }

// `kernel`: 0 is the best.
extern "C" void storyteller_product_of_floats(const FloatProduct *product, int64_t kernel) noexcept {
  kernels()[static_cast<size_t>(kernel)](*product);
}
