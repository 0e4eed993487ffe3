// The training loss.
#pragma once

#include <torch/torch.h>

namespace trivium {

// Label-smoothed cross-entropy over the whole vocabulary (task_level_moe.md, section 5): per token
// (1 - smoothing) * -log p_y + smoothing / vocab_size * sum_v -log p_v.
// logits: [tokens, vocab_size]; labels: int64 [tokens]. Returns [tokens].
torch::Tensor label_smoothed_loss(const torch::Tensor& logits, const torch::Tensor& labels,
                                  double smoothing);

}  // namespace trivium
