// The model that the engines compute, written as plainly as can be: sums in double in the order of
// the formulas, whole sequences, no cache, no batch. What the engines' tests compare with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/base/host_tensor.h"
#include "core/config/model_config.h"
#include "core/kernels/token_gate.h"
#include "core/routes/task_route.h"

namespace trivium {

using PlainRow = std::vector<double>;
using PlainRows = std::vector<PlainRow>;  // [positions][width]

// A layer's tensors, or a model's with an empty prefix.
struct PlainWeights {
  const TensorReader& read;
  std::string prefix;

  HostTensor tensor(const std::string& name) const { return read(prefix + name); }
  PlainWeights below(const std::string& name) const { return {read, prefix + name}; }
};

inline double plain_gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

// x W^T + b of every row.
inline PlainRows plain_linear(const PlainRows& rows, const PlainWeights& layer,
                              const std::string& name) {
  const HostTensor weight = layer.tensor(name + ".weight"), bias = layer.tensor(name + ".bias");
  const auto columns = static_cast<size_t>(weight.shape[0]);
  const auto depth = static_cast<size_t>(weight.shape[1]);
  PlainRows result(rows.size(), PlainRow(columns));
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t c = 0; c < columns; ++c) {
      double sum = bias.values.get()[c];
      for (size_t k = 0; k < depth; ++k) sum += rows[row][k] * weight.values.get()[c * depth + k];
      result[row][c] = sum;
    }
  }
  return result;
}

inline void plain_norm(PlainRows& rows, const PlainWeights& layer, const std::string& name,
                       double eps) {
  const HostTensor gain = layer.tensor(name + ".weight"), bias = layer.tensor(name + ".bias");
  for (PlainRow& row : rows) {
    double mean = 0, variance = 0;
    for (const double x : row) mean += x / static_cast<double>(row.size());
    for (const double x : row) {
      variance += (x - mean) * (x - mean) / static_cast<double>(row.size());
    }
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] =
          (row[i] - mean) / std::sqrt(variance + eps) * gain.values.get()[i] + bias.values.get()[i];
    }
  }
}

inline void plain_add(PlainRows& rows, const PlainRows& more, double factor = 1) {
  for (size_t row = 0; row < rows.size(); ++row) {
    for (size_t i = 0; i < rows[row].size(); ++i) rows[row][i] += factor * more[row][i];
  }
}

// Multi-head attention of `rows` to `memory`; `causal`: position i sees the first i + 1.
inline PlainRows plain_attention(const PlainRows& rows, const PlainRows& memory, int64_t heads,
                                 bool causal, const PlainWeights& layer, const std::string& name) {
  const PlainRows queries = plain_linear(rows, layer, name + ".q_proj");
  const PlainRows keys = plain_linear(memory, layer, name + ".k_proj");
  const PlainRows values = plain_linear(memory, layer, name + ".v_proj");
  const size_t width = rows[0].size(), head_dim = width / static_cast<size_t>(heads);
  PlainRows mixed(rows.size(), PlainRow(width, 0));
  for (size_t begin = 0; begin < width; begin += head_dim) {
    for (size_t row = 0; row < rows.size(); ++row) {
      const size_t seen = causal ? row + 1 : memory.size();
      PlainRow weights(seen, 0);
      double sum = 0;
      for (size_t m = 0; m < seen; ++m) {
        for (size_t i = begin; i < begin + head_dim; ++i) {
          weights[m] += queries[row][i] * keys[m][i];
        }
        sum += weights[m] = std::exp(weights[m] / std::sqrt(static_cast<double>(head_dim)));
      }
      for (size_t m = 0; m < seen; ++m) {
        for (size_t i = begin; i < begin + head_dim; ++i) {
          mixed[row][i] += weights[m] / sum * values[m][i];
        }
      }
    }
  }
  return plain_linear(mixed, layer, name + ".out_proj");
}

// The gate of a layer for row `row` of the tasks: [experts][d_model].
inline PlainRows plain_gate(const ModelConfig& config, const PlainWeights& layer, int64_t row) {
  const TokenExpertConfig& experts = config.token_experts;
  const auto width = static_cast<size_t>(config.d_model);
  PlainRows gate(static_cast<size_t>(experts.num_experts), PlainRow(width, 0));
  if (experts.gate_embedding_dim == 0) {
    const HostTensor all = layer.tensor("gate.weight");
    const float* own =
        all.values.get() + (all.shape[0] == 1 ? 0 : row) * experts.num_experts * config.d_model;
    for (size_t i = 0; i < gate.size() * width; ++i) gate[i / width][i % width] = own[i];
    return gate;
  }
  const auto dim = static_cast<size_t>(experts.gate_embedding_dim);
  const HostTensor generator = layer.tensor("gate.generator");
  const HostTensor embeddings = layer.read("gate_embeddings.weight");
  for (size_t i = 0; i < gate.size() * width; ++i) {
    for (size_t k = 0; k < dim; ++k) {
      gate[i / width][i % width] += static_cast<double>(generator.values.get()[i * dim + k]) *
                                    embeddings.values.get()[static_cast<size_t>(row) * dim + k];
    }
  }
  return gate;
}

struct PlainChoice {
  size_t expert = 0;
  double probability = 1;
};

inline PlainChoice plain_choice(const PlainRow& token, const PlainRows& gate) {
  PlainRow logits;
  for (const PlainRow& expert : gate) {
    double logit = 0;
    for (size_t i = 0; i < token.size(); ++i) logit += token[i] * expert[i];
    logits.push_back(logit);
  }
  const auto best = std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - *best);
  return {static_cast<size_t>(best - logits.begin()), 1 / sum};
}

// The feed-forward part of every row, without its residual. `choices`, where it is not null, gets
// what a layer with token gates chose.
inline PlainRows plain_feed_forward(const ModelConfig& config, const PlainRows& rows,
                                    const PlainWeights& layer, int64_t gates,
                                    std::vector<PlainChoice>* choices) {
  const auto network = [](const PlainRows& input, const PlainWeights& weights) {
    PlainRows inner = plain_linear(input, weights, "fc1");
    for (PlainRow& row : inner) std::transform(row.begin(), row.end(), row.begin(), plain_gelu);
    return plain_linear(inner, weights, "fc2");
  };
  if (config.token_experts.num_experts == 1) return network(rows, layer);
  const PlainRows gate = plain_gate(config, layer, gates);
  PlainRows result;
  for (const PlainRow& row : rows) {
    const PlainChoice choice = plain_choice(row, gate);
    if (choices != nullptr) choices->push_back(choice);
    const GateScale scale = config.token_experts.scale;
    double factor = 1;
    if (scale == GateScale::kProbability) factor = choice.probability;
    if (scale == GateScale::kProbabilityTimesExperts) {
      factor = choice.probability * static_cast<double>(gate.size());
    }
    const std::string expert = "experts." + std::to_string(choice.expert) + ".";
    result.push_back(network({row}, layer.below(expert))[0]);
    for (double& value : result.back()) value *= factor;
  }
  return result;
}

// One layer over a whole sequence; `memory` is null in the encoder, and makes it the decoder's.
inline PlainRows plain_layer(const ModelConfig& config, const PlainRows& rows,
                             const PlainRows* memory, const PlainWeights& layer, int64_t gates = 0,
                             std::vector<PlainChoice>* choices = nullptr) {
  const double eps = config.layer_norm_eps;
  const int64_t heads =
      memory == nullptr ? config.encoder_attention_heads : config.decoder_attention_heads;
  PlainRows hidden = rows;
  plain_add(hidden, plain_attention(rows, rows, heads, memory != nullptr, layer, "self_attn"));
  plain_norm(hidden, layer, "self_attn_layer_norm", eps);
  if (memory != nullptr) {
    plain_add(hidden, plain_attention(hidden, *memory, heads, false, layer, "encoder_attn"));
    plain_norm(hidden, layer, "encoder_attn_layer_norm", eps);
  }
  plain_add(hidden, plain_feed_forward(config, hidden, layer, gates, choices));
  plain_norm(hidden, layer, "final_layer_norm", eps);
  return hidden;
}

// A stack's layers, each a mixture of its experts by the route's weights.
inline PlainRows plain_stack(const ModelConfig& config, const TensorReader& read,
                             const std::string& stack, std::span<const int32_t> ids,
                             const PlainRows* memory, const TaskRoute& route,
                             std::vector<std::vector<PlainChoice>>* choices = nullptr) {
  const auto width = static_cast<size_t>(config.d_model);
  const HostTensor tokens = read("shared.weight"),
                   positions = read(stack + "embed_positions.weight");
  const double scale = config.scale_embedding ? std::sqrt(static_cast<double>(width)) : 1;
  PlainRows hidden(ids.size(), PlainRow(width));
  for (size_t row = 0; row < ids.size(); ++row) {
    for (size_t i = 0; i < width; ++i) {
      hidden[row][i] = scale * tokens.values.get()[static_cast<size_t>(ids[row]) * width + i] +
                       positions.values.get()[(row + 2) * width + i];
    }
  }
  plain_norm(hidden, {read, stack}, "layernorm_embedding", config.layer_norm_eps);
  const auto& layers = memory == nullptr ? route.encoder : route.decoder;
  for (size_t l = 0; l < layers.size(); ++l) {
    const PlainWeights layer{read, stack + "layers." + std::to_string(l) + "."};
    std::vector<PlainChoice>* own = nullptr;
    if (choices != nullptr) own = &choices->emplace_back();
    PlainRows mixed(ids.size(), PlainRow(width, 0));
    for (size_t e = 0; e < layers[l].size(); ++e) {
      if (layers[l][e] == 0) continue;
      const PlainWeights expert =
          layers[l].size() == 1 ? layer : layer.below("experts." + std::to_string(e) + ".");
      plain_add(mixed, plain_layer(config, hidden, memory, expert, route.gates, own), layers[l][e]);
    }
    hidden = mixed;
  }
  return hidden;
}

// Logits after each token of `target` (the start token first): [target.size()][vocab_size].
inline PlainRows plain_logits(const ModelConfig& config, const TensorReader& read,
                              std::span<const int32_t> source, std::span<const int32_t> target,
                              const TaskRoute& route) {
  const PlainRows memory = plain_stack(config, read, "encoder.", source, nullptr, route);
  const PlainRows hidden = plain_stack(config, read, "decoder.", target, &memory, route);
  const HostTensor tokens = read("shared.weight"), bias = read("final_logits_bias");
  PlainRows logits(hidden.size(), PlainRow(static_cast<size_t>(config.vocab_size)));
  for (size_t row = 0; row < hidden.size(); ++row) {
    for (size_t v = 0; v < logits[row].size(); ++v) {
      double sum = bias.values.get()[v];
      for (size_t i = 0; i < hidden[row].size(); ++i) {
        sum += hidden[row][i] * tokens.values.get()[v * hidden[row].size() + i];
      }
      logits[row][v] = sum;
    }
  }
  return logits;
}

inline PlainRow plain_log_softmax(const PlainRow& logits) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - most);
  PlainRow result;
  for (const double logit : logits) result.push_back(logit - most - std::log(sum));
  return result;
}

}  // namespace trivium
