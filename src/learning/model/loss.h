// The training loss.
#pragma once

#include <torch/torch.h>

namespace trivium::learning {

// Label-smoothed cross-entropy over the whole vocabulary (docs/spec/task_level.md, section 5): per
// token (1 - smoothing) * -log p_y + smoothing / vocab_size * sum_v -log p_v. logits: [tokens,
// vocab_size]; labels: int64 [tokens]. Returns [tokens].
torch::Tensor label_smoothed_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double smoothing);

struct OutputLoss {
  torch::Tensor sum;     // sum over tokens of weight * loss; a scalar that carries the gradient
  torch::Tensor losses;  // float32 [tokens], without a gradient
};

// label_smoothed_loss of an output layer's logits, hidden weight^T + bias. On the CPU the logits of
// at most 1024 tokens exist at a time, in the products' number type, and turn into their gradient
// in place: no probability is stored. hidden: [tokens, d_model]; weight: [vocab_size, d_model],
// which gets the gradient; narrow_weight: what the products read in its place; bias: [vocab_size];
// labels: int64 [tokens]; weights: float32 [tokens], undefined: 1 each. No gradient for these.
OutputLoss output_loss(const torch::Tensor& hidden, const torch::Tensor& weight,
                       const torch::Tensor& narrow_weight, const torch::Tensor& bias,
                       const torch::Tensor& labels, const torch::Tensor& weights, double smoothing);

}  // namespace trivium::learning
