// The sequence-to-sequence Transformer whose layers are ordinary layers or pools of whole-layer
// experts. Parameters carry Hugging Face BART's names without "model."; experts lie beneath their
// layer
// ("encoder.layers.0.experts.2.fc1.weight"), so that import and export are tables.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "core/config/model_config.h"
#include "learning/model/batch.h"
#include "learning/model/layers.h"
#include "learning/model/loss.h"
#include "learning/model/narrow_weight.h"
#include "learning/model/routing.h"
#include "learning/model/stack.h"
#include "learning/model/task_router.h"

namespace trivium::learning {

class Seq2SeqModelImpl : public torch::nn::Module {
 public:
  // Parameters are left uninitialised: load a checkpoint or call init_weights.
  Seq2SeqModelImpl(const ModelConfig& config, int64_t num_tasks);

  const ModelConfig& config() const { return config_; }
  int64_t num_tasks() const { return num_tasks_; }
  // Of both stacks together, the encoder's first: the rows of every routing tensor.
  int64_t num_layers() const { return config_.encoder_layers + config_.decoder_layers; }

  // N(0, init_std) weights, zero biases, unit LayerNorms, zero pad row (docs/spec/task_level.md,
  // section 2); task vectors N(0, 1).
  void init_weights(uint64_t seed);

  // What of the configuration training leaves behind for use: it changes no tensor.
  void set_selection_temperature(double temperature) {
    config_.routing.selection_temperature = temperature;
  }
  void set_max_length(int64_t length) { config_.max_length = static_cast<int>(length); }

  // Instead of the rates in the configuration, which are those of the model's first training.
  void set_dropout(const DropoutRates& rates);

  // Router logits of tasks: task_ids int64 [batch] -> [encoder_layers + decoder_layers, batch,
  // num_experts]. Only for a model with a router.
  torch::Tensor router_logits(const torch::Tensor& task_ids);
  // The routes that tasks take outside training, without noise or gradient: weights of the same
  // shape. `temperature` acts on a router's softmax selection only.
  torch::Tensor inference_routes(const torch::Tensor& task_ids, double temperature);
  // Splits [encoder_layers + decoder_layers, batch, num_experts] in the two stacks' weights.
  RoutingWeights split_stacks(const torch::Tensor& weights) const;

  // source: int64 [batch, src_len]; mask: bool [batch, src_len], true at real tokens. Returns
  // [batch, src_len, d_model]. An empty plan is that of a model without pools of layers. task_ids:
  // int64 [batch], which token gates read; undefined: the first task.
  torch::Tensor encode(const torch::Tensor& source, const torch::Tensor& mask,
                       const StackPlan& plan, const torch::Tensor& task_ids = {});

  // Teacher forcing: decoder_input int64 [batch, tgt_len] -> hidden [batch, tgt_len, d_model].
  torch::Tensor decode(const torch::Tensor& decoder_input, const torch::Tensor& memory,
                       const torch::Tensor& memory_mask, const StackPlan& plan,
                       const torch::Tensor& task_ids = {});

  // hidden: [..., d_model] -> logits [..., vocab_size], tied to the token embedding.
  torch::Tensor logits(const torch::Tensor& hidden);

  // Teacher forcing on a whole batch along `routes`: the losses of its real target tokens, row
  // after row. weights (undefined: 1 each) and smoothing: as in output_loss.
  OutputLoss loss(const Batch& batch, const RoutingWeights& routes, const torch::Tensor& weights,
                  double smoothing);
  OutputLoss loss(const Batch& batch, const StackPlan& encoder_plan, const StackPlan& decoder_plan,
                  const torch::Tensor& weights, double smoothing);

  EncoderStack& encoder() { return encoder_; }
  DecoderStack& decoder() { return decoder_; }
  torch::Tensor& shared_weight() { return shared_weight_; }
  torch::Tensor& final_logits_bias() {
    return final_logits_bias_;
  }  // [1, vocab_size], no parameter
  bool is_routed() const { return config_.routing.num_experts > 1; }
  bool has_token_gates() const { return config_.token_experts.num_experts > 1; }
  // The token gates of all layers, the encoder's first; empty where the model has none.
  std::vector<TokenGate> token_gates();
  // Of several processes, each with a part of every pool's experts. null: all are here again.
  void shard_experts(const std::shared_ptr<const ExpertShards>& shards);
  std::vector<ExpertParameter> expert_parameters();
  bool has_router() const { return router_ != nullptr; }
  std::shared_ptr<TaskRouterImpl> router() { return router_; }
  torch::Tensor& task_vectors() { return task_vectors_; }
  torch::Tensor& route_table() { return route_table_; }

 private:
  torch::Tensor run_decoder(const torch::Tensor& embedded, const torch::Tensor& memory,
                            const torch::Tensor& memory_mask, const StackPlan& plan,
                            const torch::Tensor& task_ids);

  ModelConfig config_;
  int64_t num_tasks_;
  torch::Tensor shared_weight_;  // [vocab_size, d_model]
  NarrowWeight narrow_shared_weight_;
  torch::Tensor final_logits_bias_;  // [1, vocab_size]
  torch::Tensor task_vectors_;       // [num_tasks, task_vector_dim]; of a model with a router
  torch::Tensor route_table_;        // [num_tasks, layers * num_experts]; of a model with a table
  EncoderStack encoder_{nullptr};
  DecoderStack decoder_{nullptr};
  std::shared_ptr<TaskRouterImpl> router_;
};
TORCH_MODULE(Seq2SeqModel);

}  // namespace trivium::learning
