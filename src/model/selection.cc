#include "model/selection.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace trivium {
namespace {

torch::Tensor one_hot_argmax(const torch::Tensor& weights) {
  return torch::zeros_like(weights).scatter_(-1, weights.argmax(-1, /*keepdim=*/true), 1.0);
}

}  // namespace

double TemperatureSchedule::at(int64_t step) const {
  return std::max(initial * std::exp(-rate * static_cast<double>(step)), minimum);
}

torch::Tensor select_experts(const torch::Tensor& logits, SelectionKind kind, double temperature,
                             const torch::Tensor& gumbel_noise) {
  if (kind == SelectionKind::kSoftmax) return torch::softmax(logits / temperature, -1);
  check(gumbel_noise.defined(), "Gumbel selection needs noise");
  const torch::Tensor soft = torch::softmax((logits + gumbel_noise) / temperature, -1);
  if (kind == SelectionKind::kGumbelSoftmax) return soft;
  // soft - soft.detach() is exactly 0, so the forward value is exactly one-hot.
  return one_hot_argmax(soft.detach()) + (soft - soft.detach());
}

torch::Tensor select_experts_for_inference(const torch::Tensor& logits, SelectionKind kind,
                                           double temperature) {
  if (kind == SelectionKind::kSoftmax) return torch::softmax(logits / temperature, -1);
  return one_hot_argmax(logits);
}

torch::Tensor draw_gumbel(at::IntArrayRef shape, torch::Generator generator) {
  return torch::empty(shape).exponential_(1.0, std::move(generator)).log_().neg_();
}

}  // namespace trivium
