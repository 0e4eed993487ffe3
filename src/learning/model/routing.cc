#include "learning/model/routing.h"

#include "core/base/error.h"

namespace trivium::learning {
namespace {

ExpertRows make_rows(const std::vector<int64_t>& rows, int64_t batch, torch::Device device) {
  ExpertRows result;
  result.count = static_cast<int64_t>(rows.size());
  if (result.count > 0 && result.count < batch) {
    result.index = torch::tensor(rows, torch::kInt64).to(device);
  }
  return result;
}

torch::Tensor weighted_sum(const LayerPlan& plan, const torch::Tensor& like,
                           const std::vector<ExpertOutput>& outputs) {
  // With unit weights every row is written once.
  torch::Tensor sum = plan.unit_weights ? torch::empty_like(like) : torch::zeros_like(like);
  for (const ExpertOutput& part : outputs) {
    if (!part.is_active) continue;
    const torch::Tensor output = part.output.to(sum.scalar_type());
    if (plan.unit_weights) {
      part.rows.all() ? sum.copy_(output) : sum.index_copy_(0, part.rows.index, output);
      continue;
    }
    const torch::Tensor weights =
        part.rows.of(plan.weights).select(1, part.expert).view({-1, 1, 1});
    part.rows.all() ? sum.addcmul_(output, weights)
                    : sum.index_add_(0, part.rows.index, output * weights);
  }
  return sum;
}

// <gradient[row], output[i]> of every row of the expert: [rows].
torch::Tensor inner_products(const torch::Tensor& gradient, const torch::Tensor& output,
                             const torch::Tensor& index) {
  const torch::Tensor host = index.defined() ? index.to(torch::kCPU) : torch::Tensor();
  std::vector<torch::Tensor> products;
  for (int64_t i = 0; i < output.size(0); ++i) {
    const int64_t row = host.defined() ? host.data_ptr<int64_t>()[i] : i;
    products.push_back(at::dot(gradient[row].reshape(-1), output[i].reshape(-1)));
  }
  return torch::stack(products);
}

// weighted_sum with its derivatives. Autograd's own of the sum would add the unselected experts'
// zeros, copy the sum for every expert and scale every gradient by 1.
class CombineOutputs : public torch::autograd::Function<CombineOutputs> {
 public:
  // active: the outputs of `outputs` that carry a gradient, in order.
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& weights, at::TensorList /*active*/,
                               const LayerPlan& plan, const torch::Tensor& like,
                               const std::vector<ExpertOutput>& outputs) {
    std::vector<torch::Tensor> saved = {weights};
    std::vector<int64_t> experts, is_active;
    for (const ExpertOutput& part : outputs) {
      saved.push_back(part.output);
      saved.push_back(part.rows.index);
      experts.push_back(part.expert);
      is_active.push_back(part.is_active);
    }
    context->save_for_backward(saved);
    context->saved_data["experts"] = experts;
    context->saved_data["is_active"] = is_active;
    context->saved_data["unit_weights"] = plan.unit_weights;
    return weighted_sum(plan, like, outputs);
  }

  static std::vector<torch::Tensor> backward(torch::autograd::AutogradContext* context,
                                             const std::vector<torch::Tensor>& gradients) {
    // Autocast would round the products.
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(
        c10::DispatchKeySet({c10::DispatchKey::AutocastCPU, c10::DispatchKey::AutocastCUDA}));
    const torch::Tensor& gradient = gradients[0];
    const std::vector<torch::Tensor> saved = context->get_saved_variables();
    const std::vector<int64_t> experts = context->saved_data["experts"].toIntVector();
    const std::vector<int64_t> is_active = context->saved_data["is_active"].toIntVector();
    const bool unit_weights = context->saved_data["unit_weights"].toBool();
    const torch::Tensor& weights = saved[0];
    torch::Tensor to_weights = torch::zeros_like(weights);
    std::vector<torch::Tensor> result = {to_weights};
    for (size_t i = 0; i < experts.size(); ++i) {
      const torch::Tensor& output = saved[1 + 2 * i];
      const torch::Tensor& index = saved[2 + 2 * i];
      const ExpertRows rows{output.size(0), index};
      torch::Tensor column = to_weights.select(1, experts[i]);
      const torch::Tensor products =
          inner_products(gradient, output.to(gradient.scalar_type()), index)
              .to(weights.scalar_type());
      rows.all() ? column.copy_(products) : column.index_copy_(0, index, products);
      if (is_active[i] == 0) continue;
      torch::Tensor to_output = rows.of(gradient);
      if (!unit_weights) {
        to_output = to_output * rows.of(weights).select(1, experts[i]).view({-1, 1, 1});
      }
      result.push_back(to_output.to(output.scalar_type()));
    }
    result.resize(result.size() + 3);  // the arguments that are no variables
    return result;
  }
};

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
    layer.needs_gradient = needs_gradient;
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

torch::Tensor combine_outputs(const LayerPlan& plan, const torch::Tensor& like,
                              const std::vector<ExpertOutput>& outputs) {
  if (!torch::GradMode::is_enabled()) return weighted_sum(plan, like, outputs);
  std::vector<torch::Tensor> active;
  for (const ExpertOutput& part : outputs) {
    if (part.is_active) active.push_back(part.output);
  }
  return CombineOutputs::apply(plan.weights, at::TensorList(active), plan, like, outputs);
}

}  // namespace trivium::learning
