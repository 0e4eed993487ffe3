#include "learning/model/bfloat16_scope.h"

#include <ATen/autocast_mode.h>

namespace trivium::learning {

Bfloat16Scope::Bfloat16Scope(bool enabled, torch::DeviceType device)
    : enabled_(enabled), device_(device) {
  if (!enabled_) return;
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
