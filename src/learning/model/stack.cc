#include "learning/model/stack.h"

#include <cmath>

#include "core/base/error.h"
#include "learning/model/dropout.h"

namespace trivium::learning {
namespace {

// BART's learned position tables have two unused rows at their start.
constexpr int64_t kPositionOffset = 2;

// A module that only names its children.
std::shared_ptr<torch::nn::Module> make_container() {
  return std::make_shared<torch::nn::Module>();
}

}  // namespace

std::vector<bool> pool_layers(int64_t layers, const ModelConfig& config, bool is_encoder) {
  std::vector<bool> is_pool(layers);
  for (int64_t l = 0; l < layers; ++l) {
    is_pool[l] = is_encoder ? config.encoder_layer_is_pool(l) : config.decoder_layer_is_pool(l);
  }
  return is_pool;
}

torch::Tensor register_table(torch::nn::Module& parent, const std::string& name, int64_t rows,
                             int64_t columns) {
  auto table = parent.register_module(name, make_container());
  return table->register_parameter("weight", torch::empty({rows, columns}));
}

GateTable register_gates(torch::nn::Module& model, const ModelConfig& config, int64_t num_tasks) {
  const TokenExpertConfig& experts = config.token_experts;
  if (experts.num_experts == 1) return {};
  GateTable gates;
  if (experts.gates == TokenGates::kPerTask) gates.count = num_tasks;
  if (experts.gate_embedding_dim > 0) {
    gates.embeddings =
        register_table(model, "gate_embeddings", gates.count, experts.gate_embedding_dim);
  }
  return gates;
}

void init_parameter(const std::string& name, torch::Tensor value, double std) {
  constexpr double kGateStd = 0.001;
  torch::NoGradGuard no_grad;
  const auto contains = [&](const char* part) { return name.find(part) != std::string::npos; };
  if (contains("layer_norm") || contains("layernorm")) {
    name.ends_with("weight") ? value.fill_(1) : value.zero_();
  } else if (name.ends_with("bias")) {
    value.zero_();
  } else if (name.ends_with(".gate.generator")) {
    // Times an embedding of N(0, 1 / dim) this is a gate of kGateStd.
    value.normal_(0, kGateStd * std::sqrt(static_cast<double>(value.size(1))));
  } else if (name.ends_with(".gate.weight")) {
    value.normal_(0, kGateStd);
  } else if (name.starts_with("gate_embeddings")) {
    // So small that a step of Adam, which moves every weight of the generator alike, moves a gate
    // about as far as one with weights of its own, not 50 times as far.
    value.normal_(0, 1 / static_cast<double>(value.size(1)));
  } else if (name.starts_with("task_vectors")) {
    value.normal_(0, 1);
  } else {
    value.normal_(0, std);
  }
}

template <typename Layer>
StackImpl<Layer>::StackImpl(const ModelConfig& config, const LayerOptions& options,
                            const std::vector<bool>& layer_is_pool)
    : dropout_(config.dropout),
      embedding_scale_(config.scale_embedding ? std::sqrt(static_cast<double>(config.d_model))
                                              : 1.0) {
  position_weight_ = register_table(
      *this, "embed_positions", config.max_position_embeddings + kPositionOffset, config.d_model);
  layernorm_embedding_ = register_module(
      "layernorm_embedding",
      torch::nn::LayerNorm(
          torch::nn::LayerNormOptions({config.d_model}).eps(config.layer_norm_eps)));
  auto list = register_module("layers", make_container());
  for (size_t l = 0; l < layer_is_pool.size(); ++l) {
    LayerSlot<Layer> slot;
    if (layer_is_pool[l]) {
      auto pool = list->register_module(std::to_string(l), make_container());
      auto experts = pool->register_module("experts", make_container());
      for (int64_t e = 0; e < config.routing.num_experts; ++e) {
        slot.experts.push_back(experts->register_module(std::to_string(e), Layer(options)));
      }
    } else {
      slot.experts.push_back(list->register_module(std::to_string(l), Layer(options)));
    }
    layers_.push_back(std::move(slot));
  }
}

template <typename Layer>
torch::Tensor StackImpl<Layer>::embed(torch::Tensor tokens, int64_t offset,
                                      const torch::Tensor& segments) {
  const int64_t length = tokens.size(1);
  const int64_t limit = position_weight_.size(0) - kPositionOffset;
  if (offset + length > limit) {
    throw Error(ExitCode::kConfig, "a sequence of " + std::to_string(offset + length) +
                                       " ids is longer than the model's " + std::to_string(limit) +
                                       " positions; lower the maximal lengths");
  }
  if (embedding_scale_ != 1.0) tokens = tokens * embedding_scale_;
  torch::Tensor positions = position_weight_.narrow(0, offset + kPositionOffset, length);
  torch::Tensor sum = tokens + positions;
  if (segments.defined()) sum = sum + segments;
  return drop_out(layernorm_embedding_(sum), dropout_, this->is_training());
}

template <typename Layer>
void StackImpl<Layer>::set_dropout(const DropoutRates& rates) {
  dropout_ = rates.residual;
  for (auto& slot : layers_) {
    for (auto& expert : slot.experts) expert->set_dropout(rates);
  }
}

template <typename Layer>
void StackImpl<Layer>::shard_experts(const std::shared_ptr<const ExpertShards>& shards) {
  shards_ = shards;
  for (auto& slot : layers_) {
    for (auto& expert : slot.experts) expert->feed_forward().shard(shards);
  }
}

template <typename Layer>
void StackImpl<Layer>::add_expert_parameters(std::vector<ExpertParameter>& parameters) {
  for (auto& slot : layers_) {
    const auto count = static_cast<int64_t>(slot.experts.size());
    for (int64_t e = 0; e < count; ++e) {
      auto& layer = slot.experts[static_cast<size_t>(e)];
      if (count == 1) {
        layer->feed_forward().add_expert_parameters(parameters);
        continue;
      }
      for (const torch::Tensor& value : layer->parameters()) {
        parameters.push_back({value, e, count});
      }
    }
  }
}

template class StackImpl<EncoderLayer>;
template class StackImpl<DecoderLayer>;

torch::Tensor run_encoder(EncoderStack& encoder, torch::Tensor hidden, const torch::Tensor& mask,
                          const StackPlan& plan, const torch::Tensor& task_ids) {
  const torch::Tensor keys = attention_mask(mask);
  auto& layers = encoder->layers();
  for (size_t l = 0; l < layers.size(); ++l) {
    auto& experts = layers[l].experts;
    if (experts.size() == 1) {
      hidden = experts[0](hidden, keys, task_ids);
      continue;
    }
    if (encoder->shards() != nullptr) {
      hidden = mix_sharded_experts(
          *encoder->shards(), plan.at(l), {hidden, {}, keys},
          [&](int64_t e, const LayerInput& rows) { return experts[e](rows.hidden, rows.mask); });
      continue;
    }
    hidden = mix_experts(plan.at(l), hidden, [&](int64_t e, const ExpertRows& rows) {
      return experts[e](rows.of(hidden), rows.of(keys));
    });
  }
  return hidden;
}

torch::Tensor attention_mask(const torch::Tensor& mask) { return mask.unsqueeze(1).unsqueeze(1); }

}  // namespace trivium::learning
