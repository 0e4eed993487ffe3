// What both engines ask of a sequence before they encode it, and the sizes of a stack's layers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/config/model_config.h"
#include "core/routes/task_route.h"

namespace trivium {

// A sequence to encode.
struct EngineSource {
  std::span<const int32_t> ids;
  const TaskRoute* route = nullptr;
};

// Sources and their routes side by side; what they point to must outlive the result.
std::vector<EngineSource> engine_sources(const std::vector<std::vector<int32_t>>& sources,
                                         const std::vector<const TaskRoute*>& routes);

// The number of ids. Error kConfig when there are more than the model's positions; none, or a token
// outside the vocabulary, is a bug.
int64_t checked_length(const EngineSource& source, const ModelConfig& config);

// How many of the first sources, at least one, are encoded together: what keeps the products busy,
// and no more, since the memory for activations grows with it.
size_t group_size(std::span<const EngineSource> sources);

// Sizes of a stack's layers.
struct LayerShape {
  int64_t d_model = 0;
  int64_t num_heads = 0;
  float layer_norm_eps = 1e-5f;
  int64_t head_dim() const { return d_model / num_heads; }
};
LayerShape encoder_shape(const ModelConfig& config);
LayerShape decoder_shape(const ModelConfig& config);

}  // namespace trivium
