#include "learning/model/expert_distance.h"

namespace trivium::learning {
namespace {

// Tensor by tensor, so that autograd holds the differences of one tensor only at a time.
template <typename Layer>
double add_pool_gradients(const std::vector<Layer>& experts, double coefficient) {
  const auto pairs = static_cast<double>(experts.size() * (experts.size() - 1) / 2);
  std::vector<std::vector<torch::Tensor>> parameters;
  for (const Layer& expert : experts) parameters.push_back(expert->parameters());
  double distance = 0;
  for (size_t p = 0; p < parameters[0].size(); ++p) {
    torch::Tensor sum = torch::zeros({}, parameters[0][p].options());
    for (size_t i = 0; i < experts.size(); ++i) {
      for (size_t j = i + 1; j < experts.size(); ++j) {
        sum = sum + ((parameters[i][p] - parameters[j][p]).square().sum() + 1e-12).sqrt();
      }
    }
    const torch::Tensor mean = sum / pairs;
    distance += mean.item<double>();
    if (mean.requires_grad()) (coefficient * mean).backward();
  }
  return distance;
}

template <typename Layer>
double add_stack_gradients(std::vector<LayerSlot<Layer>>& layers, double coefficient) {
  double distance = 0;
  for (const LayerSlot<Layer>& slot : layers) {
    if (slot.experts.size() > 1) distance += add_pool_gradients(slot.experts, coefficient);
  }
  return distance;
}

}  // namespace

double add_expert_distance_gradients(Seq2SeqModelImpl& model, double coefficient) {
  return add_stack_gradients(model.encoder()->layers(), coefficient) +
         add_stack_gradients(model.decoder()->layers(), coefficient);
}

}  // namespace trivium::learning
