// A tiny model for the engines' tests: every weight random, and the same for the same name.
#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random_tensor.h"
#include "core/engine/engine.h"

namespace trivium {

// 2 + 3 layers of width 24; the decoder's first layer is always an ordinary one. Where token gates
// are asked for, there are two.
inline ModelConfig engine_config(int64_t num_experts) {
  ModelConfig config;
  config.vocab_size = 150;
  config.max_position_embeddings = 24;
  config.d_model = 24;
  config.encoder_layers = 2;
  config.decoder_layers = 3;
  config.encoder_attention_heads = 2;
  config.decoder_attention_heads = 4;
  config.encoder_ffn_dim = 36;
  config.decoder_ffn_dim = 40;
  config.scale_embedding = true;
  config.routing.num_experts = num_experts;
  config.routing.decoder_vanilla_layers = {0};
  return config;
}

// The shape that `config` asks for.
inline std::vector<int64_t> tensor_shape(const ModelConfig& config, const std::string& name) {
  const auto ends = [&](const char* end) { return name.ends_with(end); };
  const int64_t width = config.d_model;
  const int64_t inner =
      name.starts_with("encoder") ? config.encoder_ffn_dim : config.decoder_ffn_dim;
  const TokenExpertConfig& tokens = config.token_experts;
  if (ends("gate.weight")) {
    return {tokens.gates == TokenGates::kShared ? 1 : 2, tokens.num_experts, width};
  }
  if (ends("gate.generator")) return {tokens.num_experts * width, tokens.gate_embedding_dim};
  if (ends("gate_embeddings.weight")) return {2, tokens.gate_embedding_dim};
  if (ends("shared.weight")) return {config.vocab_size, width};
  if (ends("final_logits_bias")) return {1, config.vocab_size};
  if (ends("embed_positions.weight")) return {config.max_position_embeddings + 2, width};
  if (ends("fc1.weight")) return {inner, width};
  if (ends("fc1.bias")) return {inner};
  if (ends("fc2.weight")) return {width, inner};
  if (ends("_proj.weight")) return {width, width};
  return {width};
}

// Sizes that keep hidden states near 1. Biases and LayerNorms are random too, so that none can be
// left out unnoticed.
inline TensorReader random_weights(const ModelConfig& config) {
  return [config](const std::string& name) {
    const std::vector<int64_t> shape = tensor_shape(config, name);
    Rng rng(std::hash<std::string>{}(name));
    const bool is_gain = name.find("norm") != std::string::npos && name.ends_with("weight");
    const double scale = shape.size() == 2 && shape[0] > 1
                             ? 1.5 / std::sqrt(static_cast<double>(shape.back()))
                             : 0.3;
    return random_tensor(rng, shape, scale, is_gain);
  };
}

enum class Routes { kDense, kOneHot, kSoft, kTokenGates };

// Random ids that are no special tokens, as many as `length`.
inline std::vector<int32_t> random_ids(const ModelConfig& config, int64_t length, uint64_t seed) {
  Rng rng(seed);
  std::vector<int32_t> ids(static_cast<size_t>(length));
  for (int32_t& id : ids) {
    id = static_cast<int32_t>(4 + rng.below(static_cast<uint64_t>(config.vocab_size) - 4));
  }
  return ids;
}

// A route of `config`'s pools.
inline TaskRoute random_route(const ModelConfig& config, Routes kind, uint64_t seed) {
  Rng rng(seed);
  const auto layer = [&](bool is_pool) {
    if (!is_pool) return std::vector<float>{1.0f};
    std::vector<float> weights(static_cast<size_t>(config.routing.num_experts), 0.0f);
    if (kind == Routes::kOneHot) {
      weights[rng.below(weights.size())] = 1;
      return weights;
    }
    float sum = 0;
    for (float& weight : weights) sum += weight = static_cast<float>(0.1 + rng.uniform());
    if (rng.below(3) == 0) sum -= std::exchange(weights[rng.below(weights.size())], 0.0f);
    for (float& weight : weights) weight /= sum;
    return weights;
  };
  TaskRoute route;
  if (kind == Routes::kTokenGates) route.gates = static_cast<int64_t>(rng.below(2));
  for (int64_t l = 0; l < config.encoder_layers; ++l) {
    route.encoder.push_back(layer(config.encoder_layer_is_pool(l)));
  }
  for (int64_t l = 0; l < config.decoder_layers; ++l) {
    route.decoder.push_back(layer(config.decoder_layer_is_pool(l)));
  }
  return route;
}

}  // namespace trivium
