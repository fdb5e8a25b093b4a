// Two kernels of libtorch that its Rust bindings leave out: a matrix packed as 16-bit floats for FBGEMM, and the product
// with it. Nothing is thrown across the border: a null pointer says that the kernel is not to be had here.
#include <ATen/core/Tensor.h>
#include <ATen/ops/fbgemm_linear_fp16_weight_fp32_activation.h>
#include <ATen/ops/fbgemm_pack_gemm_matrix_fp16.h>
#include <c10/util/Exception.h>

namespace {
// libtorch warns once that these kernels have successors in other packages; nobody who reads a log can act on it
struct Silent : public c10::WarningHandler {
  void process(const c10::Warning &) override {}
};
Silent silent;
} // namespace

extern "C" at::Tensor *storyteller_pack_half(const at::Tensor *weight) noexcept {
  try {
    c10::WarningUtils::WarningHandlerGuard quiet(&silent);
    return new at::Tensor(at::fbgemm_pack_gemm_matrix_fp16(*weight));
  } catch (...) {
    return nullptr;
  }
}

extern "C" at::Tensor *storyteller_product_half(const at::Tensor *rows, const at::Tensor *packed,
                                                const at::Tensor *bias) noexcept {
  try {
    c10::WarningUtils::WarningHandlerGuard quiet(&silent);
    return new at::Tensor(at::fbgemm_linear_fp16_weight_fp32_activation(*rows, *packed, *bias));
  } catch (...) {
    return nullptr;
  }
}
