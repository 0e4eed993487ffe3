#include "learning/model/token_gate.h"

#include <utility>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// [rows, d] -> [batch * len, d], 0 at pads.
torch::Tensor spread(const torch::Tensor& tokens, const torch::Tensor& place) {
  const torch::Tensor pad = torch::zeros({1, tokens.size(1)}, tokens.options());
  return torch::cat({tokens, pad}).index_select(0, place);
}

// Each of the two is the other's gradient, since no position is taken twice. LibTorch's own
// index_select adds up gradients row by row, which on the CPU costs more than the experts' gates.
struct Gather : torch::autograd::Function<Gather> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& hidden,
                               const torch::Tensor& order, const torch::Tensor& place) {
    context->save_for_backward({place});
    return hidden.index_select(0, order);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {spread(gradients[0], context->get_saved_variables()[0]), {}, {}};
  }
};

struct Scatter : torch::autograd::Function<Scatter> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& tokens,
                               const torch::Tensor& order, const torch::Tensor& place,
                               const torch::Tensor& filling) {
    context->save_for_backward({order, filling});
    return spread(tokens, place);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    torch::Tensor gradient = gradients[0].index_select(0, saved[0]);
    if (saved[1].numel() > 0) gradient.index_fill_(0, saved[1], 0);
    return {gradient, {}, {}, {}};
  }
};

}  // namespace

TokenGateImpl::TokenGateImpl(int64_t d_model, const TokenExpertConfig& config, GateTable table)
    : d_model_(d_model), num_experts_(config.num_experts), table_(std::move(table)) {
  if (table_.embeddings.defined()) {
    generator_ = register_parameter(
        "generator", torch::empty({num_experts_ * d_model, table_.embeddings.size(1)}));
  } else {
    weight_ = register_parameter("weight", torch::empty({table_.count, num_experts_, d_model}));
  }
}

torch::Tensor TokenGateImpl::weights() const {
  if (weight_.defined()) return weight_;
  return torch::matmul(table_.embeddings, generator_.t()).view({-1, num_experts_, d_model_});
}

torch::Tensor TokenGateImpl::forward(const torch::Tensor& hidden, const torch::Tensor& rows) {
  // Logits are small at the start, so in bfloat16 they would tie (docs/spec/mt_tag.md, section 12).
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      c10::DispatchKeySet({c10::DispatchKey::AutocastCPU, c10::DispatchKey::AutocastCUDA}));
  torch::Tensor weights = this->weights();  // [count, num_experts, d_model]
  if (table_.count == 1) {
    weights = weights[0];
  } else {
    weights = rows.defined() ? weights.index_select(0, rows) : weights.narrow(0, 0, 1);
  }
  const torch::Tensor exact =
      hidden.scalar_type() == weights.scalar_type() ? hidden : hidden.to(weights.scalar_type());
  const torch::Tensor probabilities =
      torch::softmax(torch::matmul(exact, weights.transpose(-2, -1)), -1);
  if (recording_) recorded_ = probabilities.detach();
  return probabilities;
}

TokenDispatch dispatch_tokens(const torch::Tensor& experts, const torch::Tensor& real,
                              int64_t num_experts, int64_t multiple) {
  const torch::Tensor chosen = experts.to(torch::kCPU).contiguous();
  torch::Tensor mask;
  if (real.defined()) mask = real.to(torch::kCPU).contiguous();
  const int64_t positions = chosen.numel();
  const int64_t* expert = chosen.data_ptr<int64_t>();
  const bool* is_real = mask.defined() ? mask.data_ptr<bool>() : nullptr;
  check(!mask.defined() || mask.numel() == positions, "one mask a position");

  TokenDispatch dispatch;
  dispatch.counts.assign(static_cast<size_t>(num_experts), 0);
  for (int64_t p = 0; p < positions; ++p) {
    if (is_real == nullptr || is_real[p]) ++dispatch.counts.at(static_cast<size_t>(expert[p]));
  }
  std::vector<int64_t> next;     // where each expert's next token goes
  std::vector<int64_t> filling;  // rows without a token
  int64_t rows = 0;
  for (int64_t& count : dispatch.counts) {
    next.push_back(rows);
    const int64_t filled = (count + multiple - 1) / multiple * multiple;
    for (int64_t r = rows + count; r < rows + filled; ++r) filling.push_back(r);
    count = filled;
    rows += filled;
  }
  dispatch.order = torch::zeros({rows}, torch::kInt64);
  dispatch.place = torch::empty({positions}, torch::kInt64);
  dispatch.filling = torch::tensor(filling, torch::kInt64).to(experts.device());
  auto* order = dispatch.order.data_ptr<int64_t>();
  auto* place = dispatch.place.data_ptr<int64_t>();
  for (int64_t p = 0; p < positions; ++p) {
    place[p] = rows;
    if (is_real != nullptr && !is_real[p]) continue;
    place[p] = next[static_cast<size_t>(expert[p])]++;
    order[place[p]] = p;
  }
  dispatch.order = dispatch.order.to(experts.device());
  dispatch.place = dispatch.place.to(experts.device());
  return dispatch;
}

torch::Tensor gather_tokens(const torch::Tensor& hidden, const TokenDispatch& dispatch) {
  return Gather::apply(hidden, dispatch.order, dispatch.place);
}

torch::Tensor scatter_tokens(const torch::Tensor& tokens, const TokenDispatch& dispatch) {
  return Scatter::apply(tokens, dispatch.order, dispatch.place, dispatch.filling);
}

}  // namespace trivium::learning
