// The small random models of tests/golden, made by tools/make_model_golden.py.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>

#include "core/checkpoint/safetensors.h"
#include "learning/model/random_model.h"
#include "learning/storage/checkpoint.h"
#include "learning/storage/hugging_face.h"

namespace trivium::learning {

inline std::filesystem::path tiny_bart() {
  return std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bart";
}
inline std::filesystem::path tiny_bert() {
  return std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert";
}

// A golden file's tensors; integers as int64, the rest as float32.
inline NamedTensors read_golden(const std::filesystem::path& file) {
  NamedTensors tensors;
  SafetensorsReader reader(file);
  for (const TensorEntry& entry : reader.entries()) {
    const auto type = entry.dtype == Dtype::kI64 ? torch::kInt64 : torch::kFloat32;
    torch::Tensor tensor = torch::empty(entry.shape, type);
    reader.read(entry, {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()});
    tensors[entry.name] = tensor;
  }
  return tensors;
}

// lengths: int64 [batch] -> bool [batch, width], true at real tokens.
inline torch::Tensor mask_of(const torch::Tensor& lengths, int64_t width) {
  return torch::arange(width).unsqueeze(0) < lengths.unsqueeze(1);
}

// Three experts in every layer but encoder layer 0.
inline ExpertOptions three_experts() {
  ExpertOptions options;
  options.routing.num_experts = 3;
  options.routing.encoder_vanilla_layers = {0};
  options.routing.task_vector_dim = 8;
  options.routing.router_hidden_dim = 6;
  options.num_tasks = 5;
  return options;
}

}  // namespace trivium::learning
