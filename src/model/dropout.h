// Dropout that is quick on the CPU.
#pragma once

#include <torch/torch.h>

namespace trivium {

// In training, sets each element to 0 with the probability `rate`, rounded to 1/65536, and scales
// the others by 1 / (1 - rate); `input` itself otherwise. Draws from the global generator.
torch::Tensor drop_out(const torch::Tensor& input, double rate, bool training);

}  // namespace trivium
