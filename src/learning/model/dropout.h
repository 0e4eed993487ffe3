// Dropout that is quick on the CPU.
#pragma once

#include <torch/torch.h>

namespace trivium::learning {

// In training, sets each element to 0 with the probability `rate` and scales the others by
// 1 / (1 - rate); `input` itself otherwise. Draws its key from the global generator.
torch::Tensor drop_out(const torch::Tensor& input, double rate, bool training);

// residual + drop_out(input, rate, training), in one pass where the residual is float32 on the CPU.
// Both have one shape; the sum has the residual's type, as type promotion has it.
torch::Tensor add_dropped_out(const torch::Tensor& residual, const torch::Tensor& input,
                              double rate, bool training);

}  // namespace trivium::learning
