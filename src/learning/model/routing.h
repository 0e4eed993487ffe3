// Routes: which expert of each layer each row of a batch takes, with what weight, and the pools
// that follow them. Rows of one batch may belong to different tasks and take different routes.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace trivium::learning {

// Weights over experts, [layers, batch, num_experts] for each stack; rows sum to 1. Undefined for a
// dense model. (docs/spec/task_level.md, section 1.5)
struct RoutingWeights {
  torch::Tensor encoder;
  torch::Tensor decoder;
  torch::Tensor task_ids{};  // int64 [batch], which token gates read; undefined: the first task
};

// The rows of a batch that one expert computes.
struct ExpertRows {
  int64_t count = 0;
  torch::Tensor index;  // int64 [count]; undefined when the expert has every row
  bool all() const { return count > 0 && !index.defined(); }

  // The expert's rows of `batch_first` [batch, ...]; the tensor itself when it has every row.
  torch::Tensor of(const torch::Tensor& batch_first) const;
};

// One layer's routing of one batch, resolved on the host once and used by every step.
struct LayerPlan {
  torch::Tensor weights;           // [batch, num_experts]
  std::vector<ExpertRows> active;  // per expert: rows with weight > 0
  std::vector<ExpertRows>
      inactive;                 // per expert: rows with weight 0 that the router's gradient needs
  bool unit_weights = true;     // every row has one expert, with weight exactly 1
  bool needs_gradient = false;  // the weights do
};

// The plan of every layer of a stack; empty for a dense model.
using StackPlan = std::vector<LayerPlan>;

// weights: [layers, batch, num_experts] or undefined. When `weights` needs a gradient, rows with
// weight 0 are planned as inactive: straight-through selection gives unselected experts the weight
// 0 forward, but the router's gradient d loss / d weight = <d loss / d output, expert output> needs
// their output. They need no backward pass of their own, since it would be multiplied by 0.
StackPlan make_stack_plan(const torch::Tensor& weights);

// What one expert made of its rows.
struct ExpertOutput {
  int64_t expert = 0;
  bool is_active = true;  // otherwise its rows have weight 0 and it carries no gradient
  ExpertRows rows;
  torch::Tensor output;  // [rows.count, len, d_model]
};

// [batch, len, d_model], shaped and typed as `like`: out[b] = sum_e weights[b, e] * output of e. Of
// the weights' gradient it computes exactly the products <d loss / d out[b], output of e>, and no
// expert with weight 0 is added or gets a gradient.
torch::Tensor combine_outputs(const LayerPlan& plan, const torch::Tensor& like,
                              const std::vector<ExpertOutput>& outputs);

// The mixture of `experts` over rows (docs/spec/task_level.md, section 1.2): out[b] = sum_e
// weights[b, e] * f(e, rows), where run(e, rows) computes expert e on its rows, [count, len,
// d_model], and is called for experts that have rows only. `like`: [batch, len, d_model].
template <typename Run>
torch::Tensor mix_experts(const LayerPlan& plan, const torch::Tensor& like, Run&& run) {
  std::vector<ExpertOutput> outputs;
  for (size_t e = 0; e < plan.active.size(); ++e) {
    const auto expert = static_cast<int64_t>(e);
    const ExpertRows& active = plan.active[e];
    if (plan.unit_weights && !plan.needs_gradient && active.all()) return run(expert, active);
    if (active.count > 0) outputs.push_back({expert, true, active, run(expert, active)});
    if (plan.inactive.empty() || plan.inactive[e].count == 0) continue;
    const torch::NoGradGuard no_grad;
    outputs.push_back({expert, false, plan.inactive[e], run(expert, plan.inactive[e])});
  }
  return combine_outputs(plan, like, outputs);
}

}  // namespace trivium::learning
