// The length of a gradient.
#pragma once

#include <torch/torch.h>

namespace trivium::learning {

// The sum of a tensor's squares. On the CPU by several threads, which LibTorch's norm of one tensor
// is not; the result does not depend on how many.
double squared_norm(const torch::Tensor& tensor);

}  // namespace trivium::learning
