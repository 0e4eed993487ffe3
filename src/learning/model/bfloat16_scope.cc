#include "learning/model/bfloat16_scope.h"

#include <ATen/autocast_mode.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace trivium::learning {
namespace {

void warn_once_where_slow() {
  static const bool warned = [] {
    const std::string warning = slow_bfloat16_warning(available_instruction_sets());
    if (!warning.empty()) spdlog::warn("{}", warning);
    return true;
  }();
  (void)warned;
}

}  // namespace

// LibTorch asks oneDNN for them, which has them from AVX-512 and from Arm's matrix products on; for
// other processors it has a plain loop.
std::string slow_bfloat16_warning(std::span<const InstructionSet> available) {
  const auto has = [&](InstructionSet set) { return std::ranges::count(available, set) > 0; };
  if (has(InstructionSet::kAvx512) || has(InstructionSet::kNeonMatrix)) return "";
  return "bf16 on this processor takes many times as long as fp32: LibTorch has no products of "
         "bfloat16 for it; choose fp32 (--precision, or precision = \"fp32\" in the settings)";
}

Bfloat16Scope::Bfloat16Scope(bool enabled, torch::DeviceType device)
    : enabled_(enabled), device_(device) {
  if (!enabled_) return;
  if (device_ == torch::kCPU) warn_once_where_slow();
  was_enabled_ = at::autocast::is_autocast_enabled(device_);
  old_type_ = at::autocast::get_autocast_dtype(device_);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::increment_nesting();
}

Bfloat16Scope::~Bfloat16Scope() {
  if (!enabled_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
  at::autocast::set_autocast_dtype(device_, old_type_);
}

bool in_bfloat16_scope(const torch::Tensor& like) {
  return at::autocast::is_autocast_enabled(like.device().type());
}

torch::Tensor product_input(const torch::Tensor& tensor) {
  if (tensor.scalar_type() != torch::kFloat32 || !in_bfloat16_scope(tensor)) return tensor;
  return tensor.to(at::autocast::get_autocast_dtype(tensor.device().type()));
}

}  // namespace trivium::learning
