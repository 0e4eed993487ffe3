// Gates for a task that a classifier never saw, and how gates use their experts (mt_tag.md, section
// 10).
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "learning/storage/classifier_checkpoint.h"

namespace trivium::learning {

// A task's vector: the mean final hidden state over all tokens of its examples, [d_model].
torch::Tensor mean_state(ClassifierCheckpoint& encoder,
                         const std::vector<LabelledExample>& examples);

// The row of `vectors` [tasks, d_model] nearest to `vector` by cosine, after the mean of `vectors`
// was taken from both: what all texts have in common says nothing.
int64_t nearest_vector(const torch::Tensor& vectors, const torch::Tensor& vector);

// The share of the examples' tokens that each expert of each layer gets, [layers][experts]. Only
// for a model with token gates.
std::vector<std::vector<double>> expert_use(EncoderClassifier& model,
                                            const std::vector<LabelledExample>& examples,
                                            int32_t pad_id);

}  // namespace trivium::learning
