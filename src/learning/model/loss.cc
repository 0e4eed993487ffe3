#include "learning/model/loss.h"

#include "core/kernels/cross_entropy.h"
#include "learning/model/bfloat16_scope.h"

namespace trivium::learning {
namespace {

constexpr int64_t kPieceTokens = 1024;

// The losses of one piece's tokens, whose logits become their gradient.
void losses_in_place(torch::Tensor& logits, const torch::Tensor& labels,
                     const torch::Tensor& weights, double smoothing, torch::Tensor losses) {
  const int64_t vocab_size = logits.size(1);
  const auto* label = labels.const_data_ptr<int64_t>();
  const auto* weight = weights.const_data_ptr<float>();
  auto* loss = losses.data_ptr<float>();
  void* rows = logits.data_ptr();
  const bool narrow = logits.scalar_type() == torch::kBFloat16;
  const auto share = static_cast<float>(smoothing);
  at::parallel_for(0, logits.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t place = t * vocab_size;
      loss[t] = narrow ? cross_entropy_row(static_cast<uint16_t*>(rows) + place, vocab_size,
                                           label[t], share, weight[t])
                       : cross_entropy_row(static_cast<float*>(rows) + place, vocab_size, label[t],
                                           share, weight[t]);
    }
  });
}

class PiecewiseLoss : public torch::autograd::Function<PiecewiseLoss> {
 public:
  // The gradients are ready with the loss, up to the factor that backward() gets.
  static torch::autograd::tensor_list forward(
      torch::autograd::AutogradContext* context, const torch::Tensor& hidden,
      const torch::Tensor& weight, const torch::Tensor& narrow_weight, const torch::Tensor& bias,
      const torch::Tensor& labels, const torch::Tensor& weights, double smoothing) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
    const int64_t tokens = hidden.size(0);
    const torch::Tensor products_bias = bias.to(narrow_weight.scalar_type());
    torch::Tensor losses = torch::empty({tokens}, torch::kFloat32);
    torch::Tensor of_hidden, of_weight;
    if (hidden.requires_grad()) of_hidden = torch::empty(hidden.sizes(), hidden.options());
    for (int64_t first = 0; first < tokens; first += kPieceTokens) {
      const int64_t count = std::min(kPieceTokens, tokens - first);
      const torch::Tensor rows =
          hidden.detach().narrow(0, first, count).to(narrow_weight.scalar_type());
      torch::Tensor logits = at::linear(rows, narrow_weight, products_bias);
      losses_in_place(logits, labels.narrow(0, first, count), weights.narrow(0, first, count),
                      smoothing, losses.narrow(0, first, count));
      if (of_hidden.defined()) {
        of_hidden.narrow(0, first, count).copy_(at::mm(logits, narrow_weight));
      }
      if (!weight.requires_grad()) continue;
      const torch::Tensor part = at::mm(logits.t(), rows);
      of_weight = of_weight.defined() ? of_weight.add_(part) : part.to(torch::kFloat32);
    }
    if (of_hidden.defined()) context->saved_data["hidden"] = of_hidden;
    if (of_weight.defined()) context->saved_data["weight"] = of_weight;
    context->mark_non_differentiable({losses});
    return {at::dot(losses, weights), losses};
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    const double factor = gradients[0].item<double>();
    // Taken out of the context, so that the parameter can keep it as its gradient.
    const auto take = [&](const char* name) -> torch::Tensor {
      const auto found = context->saved_data.find(name);
      if (found == context->saved_data.end()) return {};
      torch::Tensor gradient = std::move(found->second).toTensor();
      context->saved_data.erase(found);
      return factor == 1 ? gradient : gradient.mul_(factor);
    };
    const torch::Tensor of_hidden = take("hidden"), of_weight = take("weight");
    return {of_hidden, of_weight, {}, {}, {}, {}, {}};
  }
};

}  // namespace

torch::Tensor label_smoothed_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double smoothing) {
  return at::cross_entropy_loss(logits.to(torch::kFloat32), labels, /*weight=*/{},
                                at::Reduction::None,
                                /*ignore_index=*/-100, smoothing);
}

OutputLoss output_loss(const torch::Tensor& hidden, const torch::Tensor& weight,
                       const torch::Tensor& narrow_weight, const torch::Tensor& bias,
                       const torch::Tensor& labels, const torch::Tensor& token_weights,
                       double smoothing) {
  const torch::Tensor weights =
      token_weights.defined()
          ? token_weights
          : torch::ones({hidden.size(0)}, labels.options().dtype(torch::kFloat32));
  if (!hidden.is_cpu() || weight.scalar_type() != torch::kFloat32) {
    const torch::Tensor losses =
        label_smoothed_loss(at::linear(hidden, weight, bias), labels, smoothing);
    return {(losses * weights).sum(), losses.detach()};
  }
  const auto result = PiecewiseLoss::apply(
      hidden, torch::GradMode::is_enabled() ? weight : weight.detach(), narrow_weight,
      bias.detach(), labels.contiguous(), weights.contiguous(), smoothing);
  return {result[0], result[1]};
}

}  // namespace trivium::learning
