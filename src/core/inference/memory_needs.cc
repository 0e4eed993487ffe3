#include "core/inference/memory_needs.h"

#include <algorithm>

#include "core/checkpoint/tensor_files.h"
#include "core/kernels/attention.h"

namespace trivium {
namespace {

// A row that mixes experts keeps keys and values of each.
int64_t most_mixed(const LoadedModel& model) {
  int64_t most = 1;
  const auto rows = static_cast<int64_t>(model.tasks().entries().size());
  for (int64_t row = -1; row < rows; ++row) {
    for (const std::vector<float>& layer : model.route(row).decoder) {
      const auto mixed = std::count_if(layer.begin(), layer.end(), [](float w) { return w > 0; });
      most = std::max(most, static_cast<int64_t>(mixed));
    }
  }
  return most;
}

}  // namespace

MemoryNeeds memory_needs(const LoadedModel& model, ComputeType type, int64_t tokens) {
  const ModelConfig& config = model.config();
  const int64_t key_and_value = 2 * config.d_model * size_of(attention_type(type));
  return {static_cast<int64_t>(TensorFiles(model.folder()).elements()) * size_of(type),
          tokens * config.decoder_layers * most_mixed(model) * key_and_value};
}

}  // namespace trivium
