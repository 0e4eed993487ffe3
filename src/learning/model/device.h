// The device that tensors live on.
#pragma once

#include <torch/torch.h>

#include <string>

namespace trivium::learning {

// "cpu", "cuda" or "cuda:N". CUDA is loaded (libtorch_cuda) at the first call that names it,
// because it costs every start a second; Error kUnavailable where it, or the GPU, is missing.
torch::Device parse_device(const std::string& name);

}  // namespace trivium::learning
