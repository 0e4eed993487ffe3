// The token embedding of a training batch, which is also its output layer's weight.
#pragma once

#include <torch/torch.h>

namespace trivium::learning {

struct TiedEmbedding {
  torch::Tensor source, target;  // the ids' rows, [..., d_model]
  torch::Tensor output_weight;   // the weight itself, [vocab_size, d_model]
};

// weight: [vocab_size, d_model]; source and target: int64 [...]. One node of the graph for all
// three uses: their gradients meet in the output layer's, in place, instead of as three tables of
// the vocabulary's size and their sums. A graph holds it once: of output_weight, exactly one
// gradient.
TiedEmbedding tied_embedding(const torch::Tensor& weight, const torch::Tensor& source,
                             const torch::Tensor& target);

}  // namespace trivium::learning
