// Tiny models whose every weight is random, for the tests of model, training and inference.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "learning/model/batch.h"
#include "learning/model/seq2seq_model.h"

namespace trivium::learning {

// 2 + 2 layers of width 16; `num_experts` 1 is a dense model.
inline ModelConfig small_config(int64_t num_experts) {
  ModelConfig config;
  config.vocab_size = 40;
  config.max_position_embeddings = 24;
  config.d_model = 16;
  config.encoder_layers = config.decoder_layers = 2;
  config.encoder_attention_heads = 2;
  config.decoder_attention_heads = 4;
  config.encoder_ffn_dim = 24;
  config.decoder_ffn_dim = 20;
  config.max_length = 20;
  config.dropout = config.attention_dropout = config.activation_dropout = 0;
  config.routing.num_experts = num_experts;
  config.routing.task_vector_dim = 8;
  config.routing.router_hidden_dim = 6;
  return config;
}

// In evaluation mode. Biases and LayerNorms are random too, so that none can be left out unnoticed.
inline Seq2SeqModel random_model(const ModelConfig& config, uint64_t seed = 1,
                                 int64_t num_tasks = 4) {
  Seq2SeqModel model(config, num_tasks);
  model->init_weights(seed);
  torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : model->parameters()) {
    parameter.add_(torch::randn(parameter.sizes()) * 0.3);
  }
  for (torch::Tensor& buffer : model->buffers()) buffer.add_(torch::randn(buffer.sizes()));
  model->eval();
  return model;
}

// Random ids that are no special tokens, one row a length.
inline std::vector<std::vector<int32_t>> random_ids(const std::vector<int64_t>& lengths,
                                                    int64_t vocab_size, uint64_t seed = 1) {
  torch::manual_seed(seed);
  std::vector<std::vector<int32_t>> rows;
  for (const int64_t length : lengths) {
    const torch::Tensor ids = torch::randint(4, vocab_size, {length}, torch::kInt32);
    rows.emplace_back(ids.data_ptr<int32_t>(), ids.data_ptr<int32_t>() + length);
  }
  return rows;
}

// Weights [layers, batch, num_experts] whose rows are random points of the simplex.
inline RoutingWeights soft_routes(const ModelConfig& config, int64_t batch, uint64_t seed = 1) {
  torch::manual_seed(seed);
  const int64_t num_experts = config.routing.num_experts;
  return {torch::softmax(torch::randn({config.encoder_layers, batch, num_experts}) * 2, -1),
          torch::softmax(torch::randn({config.decoder_layers, batch, num_experts}) * 2, -1)};
}

// The same with one expert a row.
inline RoutingWeights hard_routes(const ModelConfig& config, int64_t batch, uint64_t seed = 1) {
  const auto harden = [](const torch::Tensor& weights) {
    return torch::one_hot(weights.argmax(-1), weights.size(-1)).to(torch::kFloat32);
  };
  const RoutingWeights soft = soft_routes(config, batch, seed);
  return {harden(soft.encoder), harden(soft.decoder)};
}

// Rows `index` of routing weights.
inline RoutingWeights route_rows(const RoutingWeights& routes, const std::vector<int64_t>& index) {
  const torch::Tensor rows = torch::tensor(index, torch::kInt64);
  return {routes.encoder.index_select(1, rows), routes.decoder.index_select(1, rows)};
}

// Teacher forcing: logits [batch, tgt_len, vocab_size]. Undefined routes: a dense model.
inline torch::Tensor forward_logits(Seq2SeqModel& model, const SourceBatch& source,
                                    const torch::Tensor& decoder_input,
                                    const RoutingWeights& routes = {}) {
  const torch::Tensor memory =
      model->encode(source.ids, source.mask, make_stack_plan(routes.encoder));
  return model->logits(
      model->decode(decoder_input, memory, source.mask, make_stack_plan(routes.decoder)));
}

// The dense model that takes expert choose(is_encoder, layer) of every pool of `routed`.
template <typename Choose>
Seq2SeqModel dense_part(Seq2SeqModel& routed, Choose&& choose) {
  ModelConfig config = routed->config();
  config.routing = {};
  Seq2SeqModel dense(config, 0);
  dense->eval();
  torch::NoGradGuard no_grad;
  auto source = routed->named_parameters();
  source.update(routed->named_buffers());
  auto target = dense->named_parameters();
  target.update(dense->named_buffers());
  for (auto& item : target) {
    std::string name = item.key();
    const size_t layers = name.find(".layers.");
    if (layers != std::string::npos && !source.contains(name)) {
      const size_t dot = name.find('.', layers + 8);
      const int64_t layer = std::stoll(name.substr(layers + 8));
      const int64_t expert = choose(name.starts_with("encoder"), layer);
      name.insert(dot, ".experts." + std::to_string(expert));
    }
    item.value().copy_(source[name]);
  }
  return dense;
}

inline double max_difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace trivium::learning
