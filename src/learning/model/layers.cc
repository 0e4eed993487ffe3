#include "learning/model/layers.h"

#include <cmath>

#include "learning/model/bfloat16_scope.h"
#include "learning/model/dropout.h"

namespace trivium::learning {
namespace {

torch::nn::LayerNorm make_layer_norm(const LayerOptions& options) {
  return torch::nn::LayerNorm(
      torch::nn::LayerNormOptions({options.d_model}).eps(options.layer_norm_eps));
}

torch::TensorOptions mask_options(const torch::Tensor& like) {
  return torch::dtype(torch::kBool).device(like.device());
}

}  // namespace

LinearImpl::LinearImpl(int64_t in_features, int64_t out_features) {
  weight = register_parameter("weight", torch::empty({out_features, in_features}));
  bias = register_parameter("bias", torch::empty({out_features}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& input) {
  // Not torch::nn::functional's, which adds the bias in a pass of its own.
  const torch::Tensor output = at::linear(input, narrow_.of(weight), bias);
  return lora_A.defined() ? output + at::linear(at::linear(input, lora_A), lora_B) : output;
}

void LinearImpl::add_low_rank(int64_t rank, torch::Generator& generator) {
  const double bound = 1 / std::sqrt(static_cast<double>(weight.size(1)));
  lora_A = register_parameter(
      "lora_A", torch::empty({rank, weight.size(1)}).uniform_(-bound, bound, generator));
  lora_B = register_parameter("lora_B", torch::zeros({weight.size(0), rank}));
}

MultiHeadAttentionImpl::MultiHeadAttentionImpl(int64_t d_model, int64_t num_heads, double dropout)
    : num_heads_(num_heads), dropout_(dropout) {
  q_proj_ = register_module("q_proj", Linear(d_model, d_model));
  k_proj_ = register_module("k_proj", Linear(d_model, d_model));
  v_proj_ = register_module("v_proj", Linear(d_model, d_model));
  out_proj_ = register_module("out_proj", Linear(d_model, d_model));
}

torch::Tensor MultiHeadAttentionImpl::split_heads(const torch::Tensor& projected) const {
  // [batch, len, d_model] -> [batch, num_heads, len, head_dim]
  return projected.unflatten(2, {num_heads_, projected.size(2) / num_heads_}).transpose(1, 2);
}

KeyValue MultiHeadAttentionImpl::keys_values(const torch::Tensor& hidden) {
  return {split_heads(k_proj_(hidden)), split_heads(v_proj_(hidden))};
}

torch::Tensor MultiHeadAttentionImpl::attend(const torch::Tensor& hidden, const KeyValue& memory,
                                             const torch::Tensor& mask, bool causal) {
  const torch::Tensor query = split_heads(q_proj_(hidden));
  const torch::Tensor mixed = torch::GradMode::is_enabled()
                                  ? trainable_attention(query, memory, mask, causal)
                                  : fused_attention(query, memory, mask, causal);
  return out_proj_(mixed.transpose(1, 2).flatten(2));
}

torch::Tensor MultiHeadAttentionImpl::fused_attention(const torch::Tensor& query,
                                                      const KeyValue& memory,
                                                      const torch::Tensor& mask,
                                                      bool causal) const {
  c10::optional<torch::Tensor> attention_mask;
  if (mask.defined()) attention_mask = mask;
  return at::scaled_dot_product_attention(query, memory.key, memory.value, attention_mask,
                                          is_training() ? dropout_ : 0.0, causal);
}

// LibTorch's fused CPU kernel has a backward pass in bfloat16 that was measured 6 to 12 times
// slower than these plain products (batch x length 240 x 17 to 32 x 128, 12 heads of 32).
torch::Tensor MultiHeadAttentionImpl::trainable_attention(const torch::Tensor& query,
                                                          const KeyValue& memory,
                                                          const torch::Tensor& mask,
                                                          bool causal) const {
  // Autocast would take the softmax to float32 and its input's gradient back: twice the memory
  // traffic.
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(
      c10::DispatchKeySet({c10::DispatchKey::AutocastCPU, c10::DispatchKey::AutocastCUDA}));
  const double scale = 1.0 / std::sqrt(static_cast<double>(query.size(3)));
  torch::Tensor scores = torch::matmul(query * scale, memory.key.transpose(2, 3));
  constexpr double kHidden = -1e30;  // finite, so that no row of scores can turn into NaN
  if (mask.defined()) scores = scores.masked_fill(mask.logical_not(), kHidden);
  if (causal) {
    const torch::Tensor future =
        torch::ones({scores.size(2), scores.size(3)}, mask_options(scores)).triu(1);
    scores = scores.masked_fill(future, kHidden);
  }
  torch::Tensor weights = torch::softmax(scores, -1);
  if (dropout_ > 0) weights = drop_out(weights, dropout_, is_training());
  return torch::matmul(weights, memory.value);
}

LayerOptions LayerOptions::encoder(const ModelConfig& config, const GateTable& gates) {
  return {config.d_model,
          config.encoder_attention_heads,
          config.encoder_ffn_dim,
          config.layer_norm_eps,
          {config.dropout, config.attention_dropout, config.activation_dropout},
          config.token_experts,
          gates};
}

LayerOptions LayerOptions::decoder(const ModelConfig& config, const GateTable& gates) {
  return {config.d_model,
          config.decoder_attention_heads,
          config.decoder_ffn_dim,
          config.layer_norm_eps,
          {config.dropout, config.attention_dropout, config.activation_dropout},
          config.token_experts,
          gates};
}

FeedForward::FeedForward(torch::nn::Module& layer, const LayerOptions& options)
    : scale_(options.token_experts.scale) {
  const auto add = [&](torch::nn::Module& parent) {
    experts_.push_back({parent.register_module("fc1", Linear(options.d_model, options.d_ffn)),
                        parent.register_module("fc2", Linear(options.d_ffn, options.d_model))});
  };
  const int64_t count = options.token_experts.num_experts;
  if (count == 1) {
    add(layer);
    return;
  }
  auto pool = layer.register_module("experts", std::make_shared<torch::nn::Module>());
  for (int64_t e = 0; e < count; ++e) {
    add(*pool->register_module(std::to_string(e), std::make_shared<torch::nn::Module>()));
  }
  gate_ = layer.register_module("gate",
                                TokenGate(options.d_model, options.token_experts, options.gates));
}

torch::Tensor FeedForward::Expert::run(const torch::Tensor& hidden, double activation_dropout,
                                       bool training) {
  return fc2(drop_out(torch::gelu(fc1(hidden)), activation_dropout, training));
}

torch::Tensor FeedForward::forward(const torch::Tensor& hidden, const torch::Tensor& mask,
                                   const torch::Tensor& task_ids, double activation_dropout,
                                   bool training) {
  if (experts_.size() == 1) return experts_[0].run(hidden, activation_dropout, training);
  const auto [probability, expert] = gate_(hidden, task_ids).max(-1);  // [batch, len]
  constexpr int64_t kRowsInTraining = 32;
  const bool fills_up = torch::GradMode::is_enabled() && !shards_;
  const TokenDispatch dispatch =
      dispatch_tokens(expert, mask.defined() ? mask.squeeze(1).squeeze(1) : torch::Tensor(),
                      static_cast<int64_t>(experts_.size()), fills_up ? kRowsInTraining : 1);
  const torch::Tensor tokens = gather_tokens(product_input(hidden).flatten(0, 1), dispatch);
  torch::Tensor output = run_experts(tokens, dispatch, activation_dropout, training);
  if (!output.defined()) return torch::zeros_like(hidden);
  if (scale_ != GateScale::kNone) {
    torch::Tensor scale = probability.flatten().index_select(0, dispatch.order).unsqueeze(1);
    if (scale_ == GateScale::kProbabilityTimesExperts) {
      scale = scale * static_cast<double>(experts_.size());
    } else if (scale_ == GateScale::kStraightThrough) {
      scale = scale / scale.detach();
    }
    output = output * scale.to(output.scalar_type());
  }
  return scatter_tokens(output, dispatch).view_as(hidden);
}

torch::Tensor FeedForward::run_experts(const torch::Tensor& tokens, const TokenDispatch& dispatch,
                                       double activation_dropout, bool training) {
  const auto run = [&](int64_t e, const torch::Tensor& rows) {
    return experts_[static_cast<size_t>(e)].run(rows, activation_dropout, training);
  };
  if (shards_) return shards_->run(tokens, dispatch.counts, tokens.size(1), run);
  // Split, not narrowed: the gradient of a split is one concatenation.
  const std::vector<torch::Tensor> parts = tokens.split_with_sizes(dispatch.counts);
  std::vector<torch::Tensor> outputs;
  for (size_t e = 0; e < experts_.size(); ++e) {
    if (dispatch.counts[e] > 0) outputs.push_back(run(static_cast<int64_t>(e), parts[e]));
  }
  return outputs.empty() ? torch::Tensor() : torch::cat(outputs);
}

void FeedForward::add_expert_parameters(std::vector<ExpertParameter>& parameters) const {
  const auto count = static_cast<int64_t>(experts_.size());
  if (count == 1) return;
  for (int64_t e = 0; e < count; ++e) {
    for (const Linear& linear :
         {experts_[static_cast<size_t>(e)].fc1, experts_[static_cast<size_t>(e)].fc2}) {
      for (const torch::Tensor& value : linear->parameters()) {
        parameters.push_back({value, e, count});
      }
    }
  }
}

EncoderLayerImpl::EncoderLayerImpl(const LayerOptions& options) : options_(options) {
  self_attn_ = register_module("self_attn", MultiHeadAttention(options.d_model, options.num_heads,
                                                               options.dropout.attention));
  self_attn_layer_norm_ = register_module("self_attn_layer_norm", make_layer_norm(options));
  feed_forward_ = FeedForward(*this, options);
  final_layer_norm_ = register_module("final_layer_norm", make_layer_norm(options));
}

void EncoderLayerImpl::set_dropout(const DropoutRates& rates) {
  options_.dropout = rates;
  self_attn_->set_dropout(rates.attention);
}

torch::Tensor EncoderLayerImpl::forward(const torch::Tensor& hidden, const torch::Tensor& mask,
                                        const torch::Tensor& task_ids) {
  const bool training = is_training();
  const torch::Tensor input = product_input(hidden);
  torch::Tensor attended =
      self_attn_->attend(input, self_attn_->keys_values(input), mask, /*causal=*/false);
  torch::Tensor x =
      self_attn_layer_norm_(add_dropped_out(hidden, attended, options_.dropout.residual, training));
  const torch::Tensor inner =
      feed_forward_.forward(x, mask, task_ids, options_.dropout.activation, training);
  return final_layer_norm_(add_dropped_out(x, inner, options_.dropout.residual, training));
}

DecoderLayerImpl::DecoderLayerImpl(const LayerOptions& options) : options_(options) {
  self_attn_ = register_module("self_attn", MultiHeadAttention(options.d_model, options.num_heads,
                                                               options.dropout.attention));
  self_attn_layer_norm_ = register_module("self_attn_layer_norm", make_layer_norm(options));
  encoder_attn_ = register_module(
      "encoder_attn",
      MultiHeadAttention(options.d_model, options.num_heads, options.dropout.attention));
  encoder_attn_layer_norm_ = register_module("encoder_attn_layer_norm", make_layer_norm(options));
  feed_forward_ = FeedForward(*this, options);
  final_layer_norm_ = register_module("final_layer_norm", make_layer_norm(options));
}

void DecoderLayerImpl::set_dropout(const DropoutRates& rates) {
  options_.dropout = rates;
  self_attn_->set_dropout(rates.attention);
  encoder_attn_->set_dropout(rates.attention);
}

torch::Tensor DecoderLayerImpl::after_self_attention(torch::Tensor hidden,
                                                     const torch::Tensor& attended,
                                                     const KeyValue& cross,
                                                     const torch::Tensor& memory_mask,
                                                     const torch::Tensor& task_ids) {
  const bool training = is_training();
  hidden =
      self_attn_layer_norm_(add_dropped_out(hidden, attended, options_.dropout.residual, training));
  torch::Tensor crossed = encoder_attn_->attend(hidden, cross, memory_mask, /*causal=*/false);
  hidden = encoder_attn_layer_norm_(
      add_dropped_out(hidden, crossed, options_.dropout.residual, training));
  const torch::Tensor inner =
      feed_forward_.forward(hidden, {}, task_ids, options_.dropout.activation, training);
  return final_layer_norm_(add_dropped_out(hidden, inner, options_.dropout.residual, training));
}

torch::Tensor DecoderLayerImpl::forward(const torch::Tensor& hidden, const torch::Tensor& memory,
                                        const torch::Tensor& memory_mask,
                                        const torch::Tensor& task_ids) {
  // Targets are padded on the right, so causality alone keeps pads out of every real position.
  const torch::Tensor input = product_input(hidden);
  torch::Tensor attended =
      self_attn_->attend(input, self_attn_->keys_values(input), {}, /*causal=*/true);
  return after_self_attention(hidden, attended, encoder_attn_->keys_values(product_input(memory)),
                              memory_mask, task_ids);
}

DecoderLayerCache DecoderLayerImpl::start(const torch::Tensor& memory) {
  return {KeyValue{}, encoder_attn_->keys_values(product_input(memory))};
}

torch::Tensor DecoderLayerImpl::step(const torch::Tensor& hidden, DecoderLayerCache& cache,
                                     const torch::Tensor& memory_mask,
                                     const torch::Tensor& task_ids) {
  KeyValue now = self_attn_->keys_values(hidden);
  if (cache.self.key.defined()) {
    now.key = torch::cat({cache.self.key, now.key}, 2);
    now.value = torch::cat({cache.self.value, now.value}, 2);
  }
  cache.self = now;
  torch::Tensor attended = self_attn_->attend(hidden, cache.self, {}, /*causal=*/false);
  return after_self_attention(hidden, attended, cache.cross, memory_mask, task_ids);
}

}  // namespace trivium::learning
