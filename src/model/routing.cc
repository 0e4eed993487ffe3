#include "model/routing.h"

#include "base/error.h"

namespace trivium {
namespace {

ExpertRows make_rows(const std::vector<int64_t>& rows, int64_t batch, torch::Device device) {
  ExpertRows result;
  result.count = static_cast<int64_t>(rows.size());
  if (result.count > 0 && result.count < batch) {
    result.index = torch::tensor(rows, torch::kInt64).to(device);
  }
  return result;
}

}  // namespace

torch::Tensor ExpertRows::of(const torch::Tensor& batch_first) const {
  return index.defined() ? batch_first.index_select(0, index) : batch_first;
}

StackPlan make_stack_plan(const torch::Tensor& weights) {
  if (!weights.defined()) return {};
  check(weights.dim() == 3, "routing weights are [layers, batch, num_experts]");
  const bool needs_gradient = weights.requires_grad() && torch::GradMode::is_enabled();
  const torch::Tensor host = weights.detach().to(torch::kCPU, torch::kFloat32).contiguous();
  const auto value = host.accessor<float, 3>();
  const int64_t layers = host.size(0), batch = host.size(1), num_experts = host.size(2);
  StackPlan plan(layers);
  for (int64_t l = 0; l < layers; ++l) {
    LayerPlan& layer = plan[l];
    layer.weights = weights.select(0, l);
    layer.unit_weights = !needs_gradient;
    for (int64_t e = 0; e < num_experts; ++e) {
      std::vector<int64_t> active, inactive;
      for (int64_t b = 0; b < batch; ++b) {
        (value[l][b][e] > 0 ? active : inactive).push_back(b);
        if (value[l][b][e] != 0 && value[l][b][e] != 1) layer.unit_weights = false;
      }
      layer.active.push_back(make_rows(active, batch, weights.device()));
      if (needs_gradient) layer.inactive.push_back(make_rows(inactive, batch, weights.device()));
    }
  }
  return plan;
}

}  // namespace trivium
