// A stack of layers, each an ordinary layer or a pool of whole-layer experts, with its embeddings:
// what the sequence-to-sequence model and the classifier are made of.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "core/config/model_config.h"
#include "learning/model/expert_shards.h"
#include "learning/model/layers.h"
#include "learning/model/routing.h"

namespace trivium::learning {

// One layer of a stack: `experts` has one element for an ordinary layer.
template <typename Layer>
struct LayerSlot {
  std::vector<Layer> experts;
};

// What both stacks share: embeddings of positions, LayerNorm, layers.
template <typename Layer>
class StackImpl : public torch::nn::Module {
 public:
  StackImpl(const ModelConfig& config, const LayerOptions& options,
            const std::vector<bool>& layer_is_pool);

  // The first layer's input, from the embeddings of tokens at positions offset..offset+len-1.
  // tokens: [batch, len, d_model]; segments: the same, added where defined. Error kConfig where the
  // table of positions ends before.
  torch::Tensor embed(torch::Tensor tokens, int64_t offset, const torch::Tensor& segments = {});

  void set_dropout(const DropoutRates& rates);
  std::vector<LayerSlot<Layer>>& layers() { return layers_; }
  const torch::Tensor& position_weight() const { return position_weight_; }

  // From now on the experts of all pools are those of several processes.
  void shard_experts(const std::shared_ptr<const ExpertShards>& shards);
  const ExpertShards* shards() const { return shards_.get(); }  // null: all experts are here
  // Of pools of layers and of feed-forward parts.
  void add_expert_parameters(std::vector<ExpertParameter>& parameters);

 private:
  double dropout_;
  double embedding_scale_;
  torch::Tensor position_weight_;  // [max_position_embeddings + 2, d_model]
  torch::nn::LayerNorm layernorm_embedding_{nullptr};
  std::vector<LayerSlot<Layer>> layers_;
  std::shared_ptr<const ExpertShards> shards_;
};
using EncoderStack = torch::nn::ModuleHolder<StackImpl<EncoderLayer>>;
using DecoderStack = torch::nn::ModuleHolder<StackImpl<DecoderLayer>>;

// Runs the layers on embedded tokens [batch, src_len, d_model]; mask: bool [batch, src_len]. `plan`
// and task_ids: as Seq2SeqModelImpl::encode's.
torch::Tensor run_encoder(EncoderStack& encoder, torch::Tensor hidden, const torch::Tensor& mask,
                          const StackPlan& plan, const torch::Tensor& task_ids);

// Which layers of a stack are pools of whole layers.
std::vector<bool> pool_layers(int64_t layers, const ModelConfig& config, bool is_encoder);

// Registers NAME.weight [rows, columns] with `parent`, uninitialised.
torch::Tensor register_table(torch::nn::Module& parent, const std::string& name, int64_t rows,
                             int64_t columns);

// The gates of a model that knows so many tasks; registers the tasks' embeddings with it
// ("gate_embeddings.weight") where the configuration has some.
GateTable register_gates(torch::nn::Module& model, const ModelConfig& config, int64_t num_tasks);

// The initial value of a parameter of a new model: N(0, std) weights, zero biases, unit LayerNorms
// (docs/spec/task_level.md, section 2), gates N(0, 0.001) (docs/spec/mt_tag.md, section 2), however
// they are made, task vectors N(0, 1).
void init_parameter(const std::string& name, torch::Tensor value, double std);

// bool [batch, src_len] -> bool [batch, 1, 1, src_len], as attention takes it.
torch::Tensor attention_mask(const torch::Tensor& mask);

}  // namespace trivium::learning
