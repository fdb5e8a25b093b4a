// Kernels of libtorch that its Rust bindings leave out: matrices packed as bytes, and products of bytes with them. Nothing is
// thrown across the border: a null pointer says that the kernel is not to be had here.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/quantized/PackedParams.h>

namespace {
using Bytes = c10::intrusive_ptr<LinearPackedParamsBase>;

Bytes pack(const at::Tensor &weight, double largest) {
  // each output has a scale of its own, so that a large one does not coarsen the others
  const auto scales = (weight.abs().amax(1) / largest).clamp_min(1e-12).to(at::kDouble);
  const auto zeros = at::zeros({weight.size(0)}, at::kLong);
  const auto bytes = at::quantize_per_channel(weight, scales, zeros, 0, at::kQInt8);
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("quantized::linear_prepack", "")
                             .typed<Bytes(at::Tensor, std::optional<at::Tensor>)>();
  return op.call(bytes, std::nullopt);
}
} // namespace

// Weights become whole numbers up to `largest`; the packed matrix lives as long as the tensor that stands for it.
extern "C" at::Tensor *storyteller_pack_bytes(const at::Tensor *weight, double largest) noexcept {
  try {
    at::NoGradGuard no_grad;
    auto *held = new Bytes(pack(*weight, largest));
    return new at::Tensor(at::from_blob(
        held, {static_cast<int64_t>(sizeof(Bytes))}, [held](void *) { delete held; }, at::kByte));
  } catch (...) {
    return nullptr;
  }
}

extern "C" at::Tensor *storyteller_product_bytes(const at::Tensor *rows, const at::Tensor *packed) noexcept {
  try {
    at::NoGradGuard no_grad;
    const auto &held = *static_cast<const Bytes *>(packed->data_ptr());
    // each row has a scale of its own: the first token of a text is a hundred times as large as the others
    const auto peaks = rows->abs().amax(1, true).clamp_min(1e-12);
    return new at::Tensor(held->apply_dynamic(*rows / peaks, false).mul_(peaks));
  } catch (...) {
    return nullptr;
  }
}
