#include "learning/model/seq2seq_model.h"

#include "core/base/error.h"
#include "learning/model/selection.h"
#include "learning/model/tied_embedding.h"

namespace trivium::learning {

Seq2SeqModelImpl::Seq2SeqModelImpl(const ModelConfig& config, int64_t num_tasks)
    : config_(config), num_tasks_(num_tasks) {
  check(config.decoder_layers > 0, "a sequence-to-sequence model has a decoder");
  shared_weight_ = register_table(*this, "shared", config.vocab_size, config.d_model);
  const GateTable gates = register_gates(*this, config, num_tasks);
  encoder_ = register_module(
      "encoder", EncoderStack(config, LayerOptions::encoder(config, gates),
                              pool_layers(config.encoder_layers, config, /*is_encoder=*/true)));
  decoder_ = register_module(
      "decoder", DecoderStack(config, LayerOptions::decoder(config, gates),
                              pool_layers(config.decoder_layers, config, /*is_encoder=*/false)));
  final_logits_bias_ = register_buffer("final_logits_bias", torch::zeros({1, config.vocab_size}));
  if (!is_routed()) return;
  if (config.routing.route_source == RouteSource::kTable) {
    const double average = 1.0 / static_cast<double>(config.routing.num_experts);
    route_table_ =
        register_module("route_table", std::make_shared<torch::nn::Module>())
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
    if (!item.key().starts_with("router.")) {
      init_parameter(item.key(), item.value(), config_.init_std);
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
          weights.narrow(0, config_.encoder_layers, config_.decoder_layers),
          {}};
}

std::vector<TokenGate> Seq2SeqModelImpl::token_gates() {
  std::vector<TokenGate> gates;
  if (!has_token_gates()) return gates;
  for (auto& slot : encoder_->layers()) gates.push_back(slot.experts.at(0)->gate());
  for (auto& slot : decoder_->layers()) gates.push_back(slot.experts.at(0)->gate());
  return gates;
}

void Seq2SeqModelImpl::shard_experts(const std::shared_ptr<const ExpertShards>& shards) {
  encoder_->shard_experts(shards);
  decoder_->shard_experts(shards);
}

std::vector<ExpertParameter> Seq2SeqModelImpl::expert_parameters() {
  std::vector<ExpertParameter> parameters;
  encoder_->add_expert_parameters(parameters);
  decoder_->add_expert_parameters(parameters);
  return parameters;
}

torch::Tensor Seq2SeqModelImpl::encode(const torch::Tensor& source, const torch::Tensor& mask,
                                       const StackPlan& plan, const torch::Tensor& task_ids) {
  return run_encoder(encoder_, encoder_->embed(torch::embedding(shared_weight_, source), 0), mask,
                     plan, task_ids);
}

torch::Tensor Seq2SeqModelImpl::decode(const torch::Tensor& decoder_input,
                                       const torch::Tensor& memory,
                                       const torch::Tensor& memory_mask, const StackPlan& plan,
                                       const torch::Tensor& task_ids) {
  return run_decoder(decoder_->embed(torch::embedding(shared_weight_, decoder_input), 0), memory,
                     memory_mask, plan, task_ids);
}

torch::Tensor Seq2SeqModelImpl::run_decoder(const torch::Tensor& embedded,
                                            const torch::Tensor& memory,
                                            const torch::Tensor& memory_mask, const StackPlan& plan,
                                            const torch::Tensor& task_ids) {
  torch::Tensor hidden = embedded;
  const torch::Tensor keys = attention_mask(memory_mask);
  auto& layers = decoder_->layers();
  for (size_t l = 0; l < layers.size(); ++l) {
    auto& experts = layers[l].experts;
    if (experts.size() == 1) {
      hidden = experts[0](hidden, memory, keys, task_ids);
      continue;
    }
    if (decoder_->shards() != nullptr) {
      hidden = mix_sharded_experts(*decoder_->shards(), plan.at(l), {hidden, memory, keys},
                                   [&](int64_t e, const LayerInput& rows) {
                                     return experts[e](rows.hidden, rows.memory, rows.mask);
                                   });
      continue;
    }
    hidden = mix_experts(plan.at(l), hidden, [&](int64_t e, const ExpertRows& rows) {
      return experts[e](rows.of(hidden), rows.of(memory), rows.of(keys));
    });
  }
  return hidden;
}

torch::Tensor Seq2SeqModelImpl::logits(const torch::Tensor& hidden) {
  return at::linear(hidden, shared_weight_, final_logits_bias_.squeeze(0));
}

OutputLoss Seq2SeqModelImpl::loss(const Batch& batch, const RoutingWeights& routes,
                                  const torch::Tensor& weights, double smoothing) {
  return loss(batch, make_stack_plan(routes.encoder), make_stack_plan(routes.decoder), weights,
              smoothing);
}

OutputLoss Seq2SeqModelImpl::loss(const Batch& batch, const StackPlan& encoder_plan,
                                  const StackPlan& decoder_plan, const torch::Tensor& weights,
                                  double smoothing) {
  const TiedEmbedding embedding =
      tied_embedding(shared_weight_, batch.source.ids, batch.decoder_input);
  const torch::Tensor memory = run_encoder(encoder_, encoder_->embed(embedding.source, 0),
                                           batch.source.mask, encoder_plan, batch.task_ids);
  const torch::Tensor hidden = run_decoder(decoder_->embed(embedding.target, 0), memory,
                                           batch.source.mask, decoder_plan, batch.task_ids);
  // Only real positions meet the vocabulary: the output projection is the widest product there is.
  const torch::Tensor real = batch.label_mask.flatten().nonzero().squeeze(1);
  return output_loss(hidden.flatten(0, 1).index_select(0, real), embedding.output_weight,
                     narrow_shared_weight_.of(shared_weight_.detach()),
                     final_logits_bias_.squeeze(0), batch.labels.flatten().index_select(0, real),
                     weights, smoothing);
}

}  // namespace trivium::learning
