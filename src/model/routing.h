// Routes: which expert of each layer each row of a batch takes, with what weight, and the pools
// that follow them. Rows of one batch may belong to different tasks and take different routes.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace trivium {

// Weights over experts, [layers, batch, num_experts] for each stack; rows sum to 1. Undefined for a
// dense model. (task_level_moe.md, 1.5)
struct RoutingWeights {
  torch::Tensor encoder;
  torch::Tensor decoder;
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
      inactive;              // per expert: rows with weight 0 that the router's gradient needs
  bool unit_weights = true;  // every row has one expert with weight exactly 1, and no gradient
};

// The plan of every layer of a stack; empty for a dense model.
using StackPlan = std::vector<LayerPlan>;

// weights: [layers, batch, num_experts] or undefined. When `weights` needs a gradient, rows with
// weight 0 are planned as inactive: straight-through selection gives unselected experts the weight
// 0 forward, but the router's gradient d loss / d weight = <d loss / d output, expert output> needs
// their output. They need no backward pass of their own, since it would be multiplied by 0.
StackPlan make_stack_plan(const torch::Tensor& weights);

// The mixture of `experts` over rows (task_level_moe.md, 1.2): out[b] = sum_e weights[b, e] * f(e,
// rows), where run(e, rows) computes expert e on its rows, [count, len, d_model], and is called for
// experts that have rows only. `shape_like`: [batch, len, d_model].
template <typename Run>
torch::Tensor mix_experts(const LayerPlan& plan, const torch::Tensor& shape_like, Run&& run) {
  const auto num_experts = static_cast<int64_t>(plan.active.size());
  for (int64_t e = 0; e < num_experts; ++e) {
    if (plan.unit_weights && plan.active[e].all()) return run(e, plan.active[e]);
  }
  torch::Tensor out = torch::zeros_like(shape_like);
  const auto add = [&](int64_t e, const ExpertRows& rows, torch::Tensor expert_output) {
    if (!plan.unit_weights) {
      expert_output = expert_output * rows.of(plan.weights).select(1, e).view({-1, 1, 1});
    }
    expert_output = expert_output.to(out.scalar_type());
    out = rows.all() ? out + expert_output : out.index_add(0, rows.index, expert_output);
  };
  for (int64_t e = 0; e < num_experts; ++e) {
    if (plan.active[e].count > 0) add(e, plan.active[e], run(e, plan.active[e]));
    if (plan.inactive.empty() || plan.inactive[e].count == 0) continue;
    torch::Tensor output;
    {
      torch::NoGradGuard no_grad;
      output = run(e, plan.inactive[e]);
    }
    add(e, plan.inactive[e], output);
  }
  return out;
}

}  // namespace trivium
