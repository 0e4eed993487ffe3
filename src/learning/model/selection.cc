#include "learning/model/selection.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace trivium::learning {
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

torch::Tensor draw_random_routes(at::IntArrayRef shape, int64_t count, torch::Generator generator) {
  check(count >= 1 && count <= shape.back(), "as many experts as there are");
  const torch::Tensor order =
      torch::rand(shape, std::move(generator)).argsort(/*dim=*/-1, /*descending=*/false);
  return torch::zeros(shape).scatter_(-1, order.narrow(-1, 0, count),
                                      1.0 / static_cast<double>(count));
}

torch::Tensor explore(const torch::Tensor& weights, double epsilon, torch::Generator generator) {
  if (epsilon <= 0) return weights;
  const torch::Tensor explores =
      torch::rand({weights.size(0), weights.size(1), 1}, generator) < epsilon;
  const torch::Tensor random = draw_random_routes(weights.sizes(), /*count=*/1, generator);
  return torch::where(explores.to(weights.device()), random.to(weights.options()), weights);
}

}  // namespace trivium::learning
