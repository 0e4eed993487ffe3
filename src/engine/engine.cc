#include "engine/engine.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/layer_norm.h"

namespace trivium {
namespace {

// The sequences of a batch that take one expert of a layer.
struct ExpertUse {
  int64_t expert = 0;
  std::vector<size_t> sources;
  std::vector<float> weights;
};

std::vector<ExpertUse> uses_of_layer(std::span<const EngineSource> sources, size_t layer,
                                     size_t num_experts, float threshold) {
  std::vector<ExpertUse> uses(num_experts);
  for (size_t e = 0; e < num_experts; ++e) uses[e].expert = static_cast<int64_t>(e);
  for (size_t i = 0; i < sources.size(); ++i) {
    const std::vector<float>& weights = sources[i].route->encoder.at(layer);
    check(weights.size() <= num_experts, "the route is of another model");
    for (const ActiveExpert& active : active_experts(weights, threshold)) {
      uses[active.expert].sources.push_back(i);
      uses[active.expert].weights.push_back(active.weight);
    }
  }
  std::erase_if(uses, [](const ExpertUse& use) { return use.sources.empty(); });
  return uses;
}

}  // namespace

int64_t TaskRoute::main_expert(const std::vector<float>& weights) {
  return std::max_element(weights.begin(), weights.end()) - weights.begin();
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

std::vector<ActiveExpert> active_experts(const std::vector<float>& weights, float threshold) {
  const int64_t main = TaskRoute::main_expert(weights);
  std::vector<ActiveExpert> active;
  float total = 0;
  bool all = true;
  for (size_t e = 0; e < weights.size(); ++e) {
    const auto expert = static_cast<int64_t>(e);
    if (weights[e] == 0) continue;
    if (weights[e] < threshold && expert != main) {
      all = false;
      continue;
    }
    active.push_back({expert, weights[e]});
    total += weights[e];
  }
  if (!all) {
    for (ActiveExpert& expert : active) expert.weight /= total;
  }
  return active;
}

Engine::Engine(const ModelConfig& config, const EngineOptions& options, const TensorReader& read)
    : options_(options),
      weights_(config, options.type, read),
      threads_(options.threads),
      context_{&threads_, &block_kernels(options.instructions)},
      scratch_(options.type, options.threads) {}

LayerShape Engine::encoder_shape() const {
  return {config().d_model, config().encoder_attention_heads,
          static_cast<float>(config().layer_norm_eps)};
}

LayerShape Engine::decoder_shape() const {
  return {config().d_model, config().decoder_attention_heads,
          static_cast<float>(config().layer_norm_eps)};
}

void Engine::embed(const StackEmbedding& embedding, std::span<const int32_t> ids,
                   std::span<const int32_t> positions, float* hidden) {
  const int64_t width = config().d_model;
  const float scale =
      config().scale_embedding ? std::sqrt(static_cast<float>(config().d_model)) : 1.0f;
  for_rows(context_, static_cast<int64_t>(ids.size()), width, [&](int64_t row) {
    float* place = hidden + row * width;
    const float* position = embedding.positions.data() + positions[row] * width;
    weights_.tokens.get_column(ids[row], place);
    for (int64_t i = 0; i < width; ++i) place[i] = place[i] * scale + position[i];
    layer_norm_row(place, width, embedding.norm.gamma.data(), embedding.norm.beta.data(),
                   static_cast<float>(config().layer_norm_eps), place);
  });
}

void Engine::encode(std::span<const EngineSource> sources, AlignedBuffer<float>& hidden) {
  std::vector<Segment> segments;
  std::vector<int32_t> ids, positions;
  for (const EngineSource& source : sources) {
    const int64_t len = checked_length(source, config());
    segments.push_back(
        {static_cast<int64_t>(ids.size()), len, static_cast<int32_t>(source.route->gates)});
    for (int64_t i = 0; i < len; ++i) {
      ids.push_back(source.ids[i]);
      positions.push_back(static_cast<int32_t>(i));
    }
  }
  hidden.reserve(static_cast<int64_t>(ids.size()) * config().d_model);
  embed(weights_.encoder_embedding, ids, positions, hidden.data());
  for (size_t layer = 0; layer < weights_.encoder.size(); ++layer) {
    if (weights_.encoder[layer].size() == 1) {
      encoder_layer(context_, encoder_shape(), weights_.encoder[layer][0], segments, hidden.data(),
                    scratch_);
    } else {
      encode_pool(layer, sources, segments, hidden);
    }
  }
}

// Runs each expert once, on the rows of all sequences that take it.
void Engine::encode_pool(size_t layer, std::span<const EngineSource> sources,
                         std::span<const Segment> segments, AlignedBuffer<float>& hidden) {
  const int64_t width = config().d_model;
  const auto& experts = weights_.encoder[layer];
  const auto uses = uses_of_layer(sources, layer, experts.size(), options_.expert_threshold);
  const auto is_one = [](float weight) { return weight == 1; };
  if (uses.size() == 1 && std::all_of(uses[0].weights.begin(), uses[0].weights.end(), is_one)) {
    encoder_layer(context_, encoder_shape(), experts[uses[0].expert], segments, hidden.data(),
                  scratch_);
    return;
  }
  const int64_t rows = segments.back().begin + segments.back().len;
  std::fill_n(pooled_.reserve(rows * width), rows * width, 0.0f);
  gathered_.reserve(rows * width);
  std::vector<Segment> own;
  for (const ExpertUse& use : uses) {
    own.clear();
    int64_t count = 0;
    for (const size_t source : use.sources) {
      const Segment& segment = segments[source];
      std::copy_n(hidden.data() + segment.begin * width, segment.len * width,
                  gathered_.data() + count * width);
      own.push_back({count, segment.len, segment.gates});
      count += segment.len;
    }
    encoder_layer(context_, encoder_shape(), experts[use.expert], own, gathered_.data(), scratch_);
    for (size_t i = 0; i < use.sources.size(); ++i) {
      const float* from = gathered_.data() + own[i].begin * width;
      float* to = pooled_.data() + segments[use.sources[i]].begin * width;
      for (int64_t k = 0; k < own[i].len * width; ++k) to[k] += use.weights[i] * from[k];
    }
  }
  std::swap(hidden, pooled_);
}

}  // namespace trivium
