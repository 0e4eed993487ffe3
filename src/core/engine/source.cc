#include "core/engine/source.h"

#include <string>

#include "core/base/error.h"

namespace trivium {
namespace {

LayerShape shape_of(const ModelConfig& config, int64_t num_heads) {
  return {config.d_model, num_heads, static_cast<float>(config.layer_norm_eps)};
}

}  // namespace

std::vector<EngineSource> engine_sources(const std::vector<std::vector<int32_t>>& sources,
                                         const std::vector<const TaskRoute*>& routes) {
  check(sources.size() == routes.size(), "a route for each source");
  std::vector<EngineSource> result;
  for (size_t i = 0; i < sources.size(); ++i) result.push_back({sources[i], routes[i]});
  return result;
}

int64_t checked_length(const EngineSource& source, const ModelConfig& config) {
  const auto len = static_cast<int64_t>(source.ids.size());
  check(len > 0, "a source has at least one token");
  if (len > config.max_position_embeddings) {
    throw Error(ExitCode::kConfig, "a sequence of " + std::to_string(len) +
                                       " ids is longer than the model's " +
                                       std::to_string(config.max_position_embeddings) +
                                       " positions; lower the maximal lengths");
  }
  for (const int32_t id : source.ids) {
    check(id >= 0 && id < config.vocab_size, "a token is of the vocabulary");
  }
  return len;
}

size_t group_size(std::span<const EngineSource> sources) {
  constexpr size_t kTokens = 1024;
  size_t count = 1, tokens = sources[0].ids.size();
  while (count < sources.size() && tokens + sources[count].ids.size() <= kTokens) {
    tokens += sources[count++].ids.size();
  }
  return count;
}

LayerShape encoder_shape(const ModelConfig& config) {
  return shape_of(config, config.encoder_attention_heads);
}

LayerShape decoder_shape(const ModelConfig& config) {
  return shape_of(config, config.decoder_attention_heads);
}

}  // namespace trivium
