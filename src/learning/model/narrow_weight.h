// Weights as matrix products in mixed precision read them.
#pragma once

#include <torch/torch.h>

namespace trivium::learning {

// A float32 weight's copy in bfloat16, which is made anew only when the weight has changed: once an
// optimiser step, however often the weight is used. The CPU only; autocast does it elsewhere.
class NarrowWeight {
 public:
  // `weight` itself out of a Bfloat16Scope; else its copy, through which gradients reach `weight`
  // in float32. Like any saved tensor, a copy must not be used after its weight changes.
  torch::Tensor of(const torch::Tensor& weight);

 private:
  torch::Tensor copy_;
  const void* source_ = nullptr;  // the weight's storage and version when the copy was made
  int64_t version_ = -1;
};

}  // namespace trivium::learning
