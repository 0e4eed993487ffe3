// The Transformer's layers as BART has them: post-LayerNorm, biased projections, exact GELU.
// A "whole layer" is what an expert of the task-level method is (spec: docs/spec/task_level.md,
// section 1.1).
#pragma once

#include <torch/torch.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/config/model_config.h"
#include "learning/model/expert_shards.h"
#include "learning/model/narrow_weight.h"
#include "learning/model/token_gate.h"

namespace trivium::learning {

// torch::nn::Linear without its random initialisation, which a loaded checkpoint would overwrite
// and which takes seconds for a pool of experts. Seq2SeqModelImpl::init_weights fills new models.
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(int64_t in_features, int64_t out_features);
  torch::Tensor forward(const torch::Tensor& input);  // [..., in_features] -> [..., out_features]

  // From now on lora_B lora_A is added to the weight: lora_B is 0, and lora_A drawn as Hu et al.
  // (2021, section 4.1) do, uniform within 1 / sqrt(in_features).
  void add_low_rank(int64_t rank, torch::Generator& generator);

  torch::Tensor weight;  // [out_features, in_features]
  torch::Tensor bias;    // [out_features]
  torch::Tensor lora_A;  // [rank, in_features]; undefined where nothing is added
  torch::Tensor lora_B;  // [out_features, rank]

 private:
  NarrowWeight narrow_;
};
TORCH_MODULE(Linear);

// Keys and values of one attention: each [batch, num_heads, len, head_dim].
struct KeyValue {
  torch::Tensor key;
  torch::Tensor value;
};

class MultiHeadAttentionImpl : public torch::nn::Module {
 public:
  MultiHeadAttentionImpl(int64_t d_model, int64_t num_heads, double dropout);

  // hidden: [batch, len, d_model].
  KeyValue keys_values(const torch::Tensor& hidden);

  // hidden: [batch, tgt_len, d_model]; mask: bool [batch, 1, 1, src_len], true where a key may be
  // seen, or undefined. causal: query i sees keys 0..i only. Returns [batch, tgt_len, d_model].
  torch::Tensor attend(const torch::Tensor& hidden, const KeyValue& memory,
                       const torch::Tensor& mask, bool causal);

  void set_dropout(double dropout) { dropout_ = dropout; }

 private:
  torch::Tensor split_heads(const torch::Tensor& projected) const;
  // query: [batch, num_heads, tgt_len, head_dim]; both return the same shape.
  torch::Tensor fused_attention(const torch::Tensor& query, const KeyValue& memory,
                                const torch::Tensor& mask, bool causal) const;
  torch::Tensor trainable_attention(const torch::Tensor& query, const KeyValue& memory,
                                    const torch::Tensor& mask, bool causal) const;

  int64_t num_heads_;
  double dropout_;
  Linear q_proj_{nullptr}, k_proj_{nullptr}, v_proj_{nullptr}, out_proj_{nullptr};
};
TORCH_MODULE(MultiHeadAttention);

// Probabilities of dropout in training.
struct DropoutRates {
  double residual = 0;    // embeddings and the output of every sub-layer
  double attention = 0;   // attention weights; anything above 0 rules out the fused CPU kernel
  double activation = 0;  // inside the feed-forward
};

// What the layers of one stack share.
struct LayerOptions {
  int64_t d_model = 0;
  int64_t num_heads = 0;
  int64_t d_ffn = 0;
  double layer_norm_eps = 1e-5;
  DropoutRates dropout;
  TokenExpertConfig token_experts;
  GateTable gates;

  static LayerOptions encoder(const ModelConfig& config, const GateTable& gates);
  static LayerOptions decoder(const ModelConfig& config, const GateTable& gates);
};

// A layer's feed-forward part: "fc1" and "fc2" of the layer itself, or a pool of experts
// ("experts.2.fc1") of which each token's gate ("gate") chooses one (docs/spec/mt_tag.md, section
// 1).
class FeedForward {
 public:
  FeedForward() = default;
  // Registers its parameters with `layer`.
  FeedForward(torch::nn::Module& layer, const LayerOptions& options);

  // hidden: [batch, len, d_model]. A pool skips the positions where `mask` (bool, broadcast from
  // [batch, 1, 1, len]; undefined: none) is false and gives them 0. task_ids: int64 [batch], the
  // rows of the gates; undefined: row 0.
  torch::Tensor forward(const torch::Tensor& hidden, const torch::Tensor& mask,
                        const torch::Tensor& task_ids, double activation_dropout, bool training);

  TokenGate& gate() { return gate_; }  // null where the part is no pool

  // From now on the pool's experts are those of several processes, if it is one.
  void shard(std::shared_ptr<const ExpertShards> shards) { shards_ = std::move(shards); }
  void add_expert_parameters(std::vector<ExpertParameter>& parameters) const;

 private:
  struct Expert {
    Linear fc1{nullptr}, fc2{nullptr};
    torch::Tensor run(const torch::Tensor& hidden, double activation_dropout, bool training);
  };
  std::vector<Expert> experts_;
  // tokens: those of `dispatch`, in its order; the same.
  torch::Tensor run_experts(const torch::Tensor& tokens, const TokenDispatch& dispatch,
                            double activation_dropout, bool training);

  GateScale scale_ = GateScale::kProbability;
  TokenGate gate_{nullptr};
  std::shared_ptr<const ExpertShards> shards_;  // null: all experts are here
};

class EncoderLayerImpl : public torch::nn::Module {
 public:
  explicit EncoderLayerImpl(const LayerOptions& options);
  void set_dropout(const DropoutRates& rates);
  // hidden: [batch, src_len, d_model]; mask: bool [batch, 1, 1, src_len]; task_ids: int64 [batch],
  // which token gates read.
  torch::Tensor forward(const torch::Tensor& hidden, const torch::Tensor& mask,
                        const torch::Tensor& task_ids = {});
  TokenGate& gate() { return feed_forward_.gate(); }
  FeedForward& feed_forward() { return feed_forward_; }

 private:
  LayerOptions options_;
  MultiHeadAttention self_attn_{nullptr};
  torch::nn::LayerNorm self_attn_layer_norm_{nullptr}, final_layer_norm_{nullptr};
  FeedForward feed_forward_;
};
TORCH_MODULE(EncoderLayer);

// One expert's (or ordinary layer's) decoding cache. Cross keys and values are computed once.
struct DecoderLayerCache {
  KeyValue self;   // grows by one position a step
  KeyValue cross;  // over the source
};

class DecoderLayerImpl : public torch::nn::Module {
 public:
  explicit DecoderLayerImpl(const LayerOptions& options);
  void set_dropout(const DropoutRates& rates);

  // Teacher forcing. hidden: [batch, tgt_len, d_model]; memory: [batch, src_len, d_model];
  // memory_mask: bool [batch, 1, 1, src_len]; task_ids: as the encoder layer's.
  torch::Tensor forward(const torch::Tensor& hidden, const torch::Tensor& memory,
                        const torch::Tensor& memory_mask, const torch::Tensor& task_ids = {});

  // One step. hidden: [batch, 1, d_model]; the cache's cross part must have been filled by start().
  torch::Tensor step(const torch::Tensor& hidden, DecoderLayerCache& cache,
                     const torch::Tensor& memory_mask, const torch::Tensor& task_ids = {});

  // A cache with the cross keys and values of `memory` [batch, src_len, d_model].
  DecoderLayerCache start(const torch::Tensor& memory);
  TokenGate& gate() { return feed_forward_.gate(); }
  FeedForward& feed_forward() { return feed_forward_; }

 private:
  torch::Tensor after_self_attention(torch::Tensor hidden, const torch::Tensor& attended,
                                     const KeyValue& cross, const torch::Tensor& memory_mask,
                                     const torch::Tensor& task_ids);

  LayerOptions options_;
  MultiHeadAttention self_attn_{nullptr}, encoder_attn_{nullptr};
  torch::nn::LayerNorm self_attn_layer_norm_{nullptr}, encoder_attn_layer_norm_{nullptr},
      final_layer_norm_{nullptr};
  FeedForward feed_forward_;
};
TORCH_MODULE(DecoderLayer);

}  // namespace trivium::learning
