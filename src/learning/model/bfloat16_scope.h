// Mixed precision on the CPU and on GPUs.
#pragma once

#include <torch/torch.h>

#include <span>
#include <string>

#include "core/kernels/instruction_set.h"

namespace trivium::learning {

// Matrix products in bfloat16 while in scope; weights and their gradients stay float32. Scopes may
// lie in one another: the end of one restores what it found. The first one on a CPU for which
// LibTorch has no products of bfloat16 warns that it is slow.
class Bfloat16Scope {
 public:
  Bfloat16Scope(bool enabled, torch::DeviceType device);
  ~Bfloat16Scope();
  Bfloat16Scope(const Bfloat16Scope&) = delete;
  Bfloat16Scope& operator=(const Bfloat16Scope&) = delete;

 private:
  bool enabled_;
  torch::DeviceType device_;
  bool was_enabled_ = false;
  torch::ScalarType old_type_ = torch::kFloat32;
};

// What to tell who trains in bfloat16 on a CPU with these instructions; "" where LibTorch has
// products of bfloat16 for them.
std::string slow_bfloat16_warning(std::span<const InstructionSet> available);

// Whether a scope is open for tensors on the device of `like`.
bool in_bfloat16_scope(const torch::Tensor& like);

// `tensor` as matrix products in this thread's scope read it: cast once for what several of them
// read, where each would cast it for itself; the tensor itself out of scope.
torch::Tensor product_input(const torch::Tensor& tensor);

}  // namespace trivium::learning
