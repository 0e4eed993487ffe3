#include "core/engine/engine_weights.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace trivium {
namespace {

constexpr int64_t kPositionOffset =
    2;  // BART's position tables have two unused rows at their start

[[noreturn]] void refuse_shape(const std::string& name) {
  throw Error(ExitCode::kBadModel,
              "tensor \"" + name + "\" has another shape than config.json asks for");
}

// [number of tasks or 1] + `rest`: config.json does not say how many tasks there are.
void check_rows(const HostTensor& tensor, std::vector<int64_t> rest, const std::string& name) {
  rest.insert(rest.begin(), tensor.shape.empty() ? 0 : tensor.shape[0]);
  if (tensor.shape != rest || rest[0] == 0) refuse_shape(name);
}

// Reads tensors of one layer, `prefix` before each name.
class LayerReader {
 public:
  LayerReader(const TensorReader& read, ComputeType type, std::string prefix)
      : read_(read), type_(type), prefix_(std::move(prefix)) {}

  HostTensor tensor(const std::string& name, std::vector<int64_t> shape) const {
    HostTensor tensor = read_(prefix_ + name);
    if (tensor.shape != shape) refuse_shape(prefix_ + name);
    return tensor;
  }

  // Linear layers of the same input, one after the other as one.
  PackedLinear linear(const std::vector<std::string>& names, int64_t columns, int64_t depth) const {
    const auto count = static_cast<int64_t>(names.size());
    PackedLinear linear{PackedMatrix(type_, count * columns, depth), {}};
    float* bias = linear.bias.reserve(linear.weights.num_groups() * kBlock);
    for (int64_t i = 0; i < count; ++i) {
      const HostTensor weight = tensor(names[i] + ".weight", {columns, depth});
      linear.weights.set_columns(i * columns, columns, weight.values.get(), depth);
      const HostTensor values = tensor(names[i] + ".bias", {columns});
      std::copy_n(values.values.get(), columns, bias + i * columns);
    }
    return linear;
  }

  // Token gates: [tasks or 1, experts, d_model], from the tasks' embeddings where there are some.
  std::vector<float> gates(const TokenExpertConfig& config, int64_t d_model,
                           const HostTensor& embeddings) const {
    const int64_t stride = config.num_experts * d_model;
    if (config.gate_embedding_dim == 0) {
      const HostTensor own = read_(prefix_ + "gate.weight");
      check_rows(own, {config.num_experts, d_model}, prefix_ + "gate.weight");
      return {own.values.get(), own.values.get() + own.shape[0] * stride};
    }
    const int64_t width = config.gate_embedding_dim;
    const HostTensor generator = tensor("gate.generator", {stride, width});
    std::vector<float> gates;
    for (int64_t row = 0; row < embeddings.shape[0]; ++row) {
      const float* embedding = embeddings.values.get() + row * width;
      for (int64_t i = 0; i < stride; ++i) {
        gates.push_back(std::inner_product(embedding, embedding + width,
                                           generator.values.get() + i * width, 0.0f));
      }
    }
    return gates;
  }

  FeedForwardWeights feed_forward(const ModelConfig& config, int64_t d_ffn,
                                  const HostTensor& gate_embeddings) const {
    const int64_t d_model = config.d_model, count = config.token_experts.num_experts;
    FeedForwardWeights part;
    part.scale = config.token_experts.scale;
    for (int64_t e = 0; e < count; ++e) {
      const std::string name = count == 1 ? "" : "experts." + std::to_string(e) + ".";
      part.experts.push_back(
          {linear({name + "fc1"}, d_ffn, d_model), linear({name + "fc2"}, d_model, d_ffn)});
    }
    if (count > 1) part.gates = gates(config.token_experts, d_model, gate_embeddings);
    return part;
  }

  LayerNormWeights norm(const std::string& name, int64_t d_model) const {
    const HostTensor gamma = tensor(name + ".weight", {d_model});
    const HostTensor beta = tensor(name + ".bias", {d_model});
    return {{gamma.values.get(), gamma.values.get() + d_model},
            {beta.values.get(), beta.values.get() + d_model}};
  }

 private:
  const TensorReader& read_;
  ComputeType type_;
  std::string prefix_;
};

EncoderExpert read_encoder_expert(const LayerReader& reader, const ModelConfig& config,
                                  const HostTensor& gate_embeddings) {
  const int64_t d_model = config.d_model;
  return {
      reader.linear({"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, d_model, d_model),
      reader.linear({"self_attn.out_proj"}, d_model, d_model),
      reader.norm("self_attn_layer_norm", d_model),
      reader.feed_forward(config, config.encoder_ffn_dim, gate_embeddings),
      reader.norm("final_layer_norm", d_model)};
}

DecoderExpert read_decoder_expert(const LayerReader& reader, const ModelConfig& config,
                                  const HostTensor& gate_embeddings) {
  const int64_t d_model = config.d_model;
  return {
      reader.linear({"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, d_model, d_model),
      reader.linear({"self_attn.out_proj"}, d_model, d_model),
      reader.norm("self_attn_layer_norm", d_model),
      reader.linear({"encoder_attn.q_proj"}, d_model, d_model),
      reader.linear({"encoder_attn.k_proj", "encoder_attn.v_proj"}, d_model, d_model),
      reader.linear({"encoder_attn.out_proj"}, d_model, d_model),
      reader.norm("encoder_attn_layer_norm", d_model),
      reader.feed_forward(config, config.decoder_ffn_dim, gate_embeddings),
      reader.norm("final_layer_norm", d_model)};
}

StackEmbedding read_embedding(const LayerReader& reader, const ModelConfig& config) {
  const int64_t d_model = config.d_model;
  const HostTensor table = reader.tensor(
      "embed_positions.weight", {config.max_position_embeddings + kPositionOffset, d_model});
  const float* first = table.values.get() + kPositionOffset * d_model;
  return {{first, first + config.max_position_embeddings * d_model},
          reader.norm("layernorm_embedding", d_model)};
}

// Every expert of a stack; `read_expert(reader)` reads one.
template <typename Expert, typename ReadExpert>
std::vector<std::vector<Expert>> read_layers(const TensorReader& read, ComputeType type,
                                             const std::string& stack, int64_t layers,
                                             const std::vector<int64_t>& experts,
                                             const ReadExpert& read_expert) {
  std::vector<std::vector<Expert>> result(static_cast<size_t>(layers));
  for (int64_t l = 0; l < layers; ++l) {
    const std::string layer = stack + ".layers." + std::to_string(l) + ".";
    for (int64_t e = 0; e < experts[l]; ++e) {
      const std::string prefix =
          experts[l] == 1 ? layer : layer + "experts." + std::to_string(e) + ".";
      result[l].push_back(read_expert(LayerReader(read, type, prefix)));
    }
  }
  return result;
}

int64_t bytes_of(const DecoderExpert& expert) {
  int64_t bytes = 0;
  const FeedForwardWeights::Expert& inner = expert.feed_forward.experts.front();
  for (const PackedLinear* linear :
       {&expert.qkv, &expert.out, &expert.cross_query, &expert.cross_out, &inner.fc1, &inner.fc2}) {
    bytes += linear->weights.bytes() + 4 * linear->bias.size();
  }
  return bytes;
}

}  // namespace

const float* FeedForwardWeights::gate(int64_t row, int64_t d_model) const {
  const int64_t stride = static_cast<int64_t>(experts.size()) * d_model;
  const int64_t count = static_cast<int64_t>(gates.size()) / stride;
  if (count == 1) row = 0;
  check(row >= 0 && row < count, "the route is of another model");
  return gates.data() + row * stride;
}

bool FeedForwardWeights::scaled() const {
  // The straight-through scale differs from 1 in its gradient only.
  return scale != GateScale::kNone && scale != GateScale::kStraightThrough;
}

float FeedForwardWeights::factor(float probability) const {
  if (!scaled()) return 1;
  return scale == GateScale::kProbability ? probability
                                          : probability * static_cast<float>(experts.size());
}

EngineWeights::EngineWeights(const ModelConfig& model_config, ComputeType compute,
                             const TensorReader& read)
    : config(model_config), type(compute) {
  const int64_t d_model = config.d_model;
  {
    const LayerReader top(read, type, "");
    const HostTensor table = top.tensor("shared.weight", {config.vocab_size, d_model});
    tokens = PackedMatrix(type, config.vocab_size, d_model);
    tokens.set_columns(0, config.vocab_size, table.values.get(), d_model);
    const HostTensor bias = top.tensor("final_logits_bias", {1, config.vocab_size});
    std::copy_n(bias.values.get(), config.vocab_size,
                logits_bias.reserve(tokens.num_groups() * kBlock));
  }
  encoder_embedding = read_embedding(LayerReader(read, type, "encoder."), config);
  decoder_embedding = read_embedding(LayerReader(read, type, "decoder."), config);
  std::vector<int64_t> encoder_experts, decoder_experts;
  for (int64_t l = 0; l < config.encoder_layers; ++l) {
    encoder_experts.push_back(config.encoder_layer_is_pool(l) ? config.routing.num_experts : 1);
  }
  for (int64_t l = 0; l < config.decoder_layers; ++l) {
    decoder_experts.push_back(config.decoder_layer_is_pool(l) ? config.routing.num_experts : 1);
  }
  HostTensor gate_embeddings;
  if (config.token_experts.num_experts > 1 && config.token_experts.gate_embedding_dim > 0) {
    gate_embeddings = read("gate_embeddings.weight");
    check_rows(gate_embeddings, {config.token_experts.gate_embedding_dim},
               "gate_embeddings.weight");
  }
  encoder =
      read_layers<EncoderExpert>(read, type, "encoder", config.encoder_layers, encoder_experts,
                                 [&](const LayerReader& reader) {
                                   return read_encoder_expert(reader, config, gate_embeddings);
                                 });
  decoder =
      read_layers<DecoderExpert>(read, type, "decoder", config.decoder_layers, decoder_experts,
                                 [&](const LayerReader& reader) {
                                   return read_decoder_expert(reader, config, gate_embeddings);
                                 });
}

int64_t EngineWeights::step_bytes() const {
  int64_t bytes = tokens.bytes() + 4 * logits_bias.size();
  for (const auto& layer : decoder) bytes += bytes_of(layer.front());
  return bytes;
}

}  // namespace trivium
