#include "model/seq2seq_model.h"

#include <cmath>

#include "base/error.h"
#include "model/selection.h"

namespace trivium {
namespace {

// BART's learned position tables have two unused rows at their start.
constexpr int64_t kPositionOffset = 2;

std::vector<bool> pool_layers(int64_t layers, const ModelConfig& config, bool is_encoder) {
  std::vector<bool> is_pool(layers);
  for (int64_t l = 0; l < layers; ++l) {
    is_pool[l] = is_encoder ? config.encoder_layer_is_pool(l) : config.decoder_layer_is_pool(l);
  }
  return is_pool;
}

// A module that only names its children.
std::shared_ptr<torch::nn::Module> make_container() {
  return std::make_shared<torch::nn::Module>();
}

torch::Tensor register_table(torch::nn::Module& parent, const std::string& name, int64_t rows,
                             int64_t columns) {
  auto table = parent.register_module(name, make_container());
  return table->register_parameter("weight", torch::empty({rows, columns}));
}

}  // namespace

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
torch::Tensor StackImpl<Layer>::embed(const torch::Tensor& ids, const torch::Tensor& shared,
                                      int64_t offset) {
  const int64_t length = ids.size(1);
  const int64_t limit = position_weight_.size(0) - kPositionOffset;
  if (offset + length > limit) {
    throw Error(ExitCode::kConfig, "a sequence of " + std::to_string(offset + length) +
                                       " ids is longer than the model's " + std::to_string(limit) +
                                       " positions; lower the maximal lengths");
  }
  torch::Tensor tokens = torch::embedding(shared, ids);
  if (embedding_scale_ != 1.0) tokens = tokens * embedding_scale_;
  torch::Tensor positions = position_weight_.narrow(0, offset + kPositionOffset, length);
  return torch::dropout(layernorm_embedding_(tokens + positions), dropout_, this->is_training());
}

template <typename Layer>
void StackImpl<Layer>::set_dropout(const DropoutRates& rates) {
  dropout_ = rates.residual;
  for (auto& slot : layers_) {
    for (auto& expert : slot.experts) expert->set_dropout(rates);
  }
}

template class StackImpl<EncoderLayer>;
template class StackImpl<DecoderLayer>;

Seq2SeqModelImpl::Seq2SeqModelImpl(const ModelConfig& config, int64_t num_tasks)
    : config_(config), num_tasks_(num_tasks) {
  shared_weight_ = register_table(*this, "shared", config.vocab_size, config.d_model);
  encoder_ = register_module(
      "encoder", EncoderStack(config, LayerOptions::encoder(config),
                              pool_layers(config.encoder_layers, config, /*is_encoder=*/true)));
  decoder_ = register_module(
      "decoder", DecoderStack(config, LayerOptions::decoder(config),
                              pool_layers(config.decoder_layers, config, /*is_encoder=*/false)));
  final_logits_bias_ = register_buffer("final_logits_bias", torch::zeros({1, config.vocab_size}));
  if (!is_routed()) return;
  if (config.routing.route_source == RouteSource::kTable) {
    const double average = 1.0 / static_cast<double>(config.routing.num_experts);
    route_table_ =
        register_module("route_table", make_container())
            ->register_buffer(
                "weight",
                torch::full({num_tasks, num_layers() * config.routing.num_experts}, average));
  } else {
    router_ = register_module("router", make_router(config.routing, num_layers()));
    task_vectors_ =
        register_table(*this, "task_vectors", num_tasks, config.routing.task_vector_dim);
  }
}

void Seq2SeqModelImpl::init_weights(uint64_t seed) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(seed);
  for (const auto& item : named_parameters()) {
    if (item.key().starts_with("router.")) continue;
    torch::Tensor value = item.value();
    if (item.key().find("layer_norm") != std::string::npos ||
        item.key().find("layernorm") != std::string::npos) {
      item.key().ends_with("weight") ? value.fill_(1) : value.zero_();
    } else if (item.key().ends_with("bias")) {
      value.zero_();
    } else {
      value.normal_(0, item.key().starts_with("task_vectors") ? 1.0 : config_.init_std);
    }
  }
  if (has_router()) router_->init_weights(config_.init_std);
  shared_weight_.select(0, config_.pad_token_id).zero_();
}

void Seq2SeqModelImpl::set_dropout(const DropoutRates& rates) {
  encoder_->set_dropout(rates);
  decoder_->set_dropout(rates);
}

torch::Tensor Seq2SeqModelImpl::router_logits(const torch::Tensor& task_ids) {
  check(has_router(), "the model has no router");
  return router_->forward(torch::embedding(task_vectors_, task_ids));
}

torch::Tensor Seq2SeqModelImpl::inference_routes(const torch::Tensor& task_ids,
                                                 double temperature) {
  torch::NoGradGuard no_grad;
  if (has_router()) {
    return select_experts_for_inference(router_logits(task_ids), config_.routing.selection,
                                        temperature);
  }
  check(is_routed(), "a dense model has no routes");
  return route_table_.index_select(0, task_ids)
      .view({-1, num_layers(), config_.routing.num_experts})
      .transpose(0, 1)
      .contiguous();
}

RoutingWeights Seq2SeqModelImpl::split_stacks(const torch::Tensor& weights) const {
  return {weights.narrow(0, 0, config_.encoder_layers),
          weights.narrow(0, config_.encoder_layers, config_.decoder_layers)};
}

torch::Tensor Seq2SeqModelImpl::encode(const torch::Tensor& source, const torch::Tensor& mask,
                                       const StackPlan& plan) {
  torch::Tensor hidden = encoder_->embed(source, shared_weight_, 0);
  const torch::Tensor keys = attention_mask(mask);
  auto& layers = encoder_->layers();
  for (size_t l = 0; l < layers.size(); ++l) {
    auto& experts = layers[l].experts;
    if (experts.size() == 1) {
      hidden = experts[0](hidden, keys);
      continue;
    }
    hidden = mix_experts(plan.at(l), hidden, [&](int64_t e, const ExpertRows& rows) {
      return experts[e](rows.of(hidden), rows.of(keys));
    });
  }
  return hidden;
}

torch::Tensor Seq2SeqModelImpl::decode(const torch::Tensor& decoder_input,
                                       const torch::Tensor& memory,
                                       const torch::Tensor& memory_mask, const StackPlan& plan) {
  torch::Tensor hidden = decoder_->embed(decoder_input, shared_weight_, 0);
  const torch::Tensor keys = attention_mask(memory_mask);
  auto& layers = decoder_->layers();
  for (size_t l = 0; l < layers.size(); ++l) {
    auto& experts = layers[l].experts;
    if (experts.size() == 1) {
      hidden = experts[0](hidden, memory, keys);
      continue;
    }
    hidden = mix_experts(plan.at(l), hidden, [&](int64_t e, const ExpertRows& rows) {
      return experts[e](rows.of(hidden), rows.of(memory), rows.of(keys));
    });
  }
  return hidden;
}

torch::Tensor Seq2SeqModelImpl::logits(const torch::Tensor& hidden) {
  return torch::nn::functional::linear(hidden, shared_weight_, final_logits_bias_.squeeze(0));
}

torch::Tensor attention_mask(const torch::Tensor& mask) { return mask.unsqueeze(1).unsqueeze(1); }

}  // namespace trivium
