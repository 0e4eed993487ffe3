#include "engine/engine_weights.h"

#include <algorithm>

#include "base/error.h"

namespace trivium {
namespace {

constexpr int64_t kPositionOffset =
    2;  // BART's position tables have two unused rows at their start

// Reads tensors of one layer, `prefix` before each name.
class LayerReader {
 public:
  LayerReader(const TensorReader& read, ComputeType type, std::string prefix)
      : read_(read), type_(type), prefix_(std::move(prefix)) {}

  HostTensor tensor(const std::string& name, std::vector<int64_t> shape) const {
    HostTensor tensor = read_(prefix_ + name);
    if (tensor.shape != shape) {
      throw Error(ExitCode::kBadModel, "tensor \"" + prefix_ + name + "\"" +
                                           " has another shape than config.json asks for");
    }
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

EncoderExpert read_encoder_expert(const LayerReader& reader, int64_t d_model, int64_t d_ffn) {
  return {
      reader.linear({"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, d_model, d_model),
      reader.linear({"self_attn.out_proj"}, d_model, d_model),
      reader.norm("self_attn_layer_norm", d_model),
      reader.linear({"fc1"}, d_ffn, d_model),
      reader.linear({"fc2"}, d_model, d_ffn),
      reader.norm("final_layer_norm", d_model)};
}

DecoderExpert read_decoder_expert(const LayerReader& reader, int64_t d_model, int64_t d_ffn) {
  return {
      reader.linear({"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, d_model, d_model),
      reader.linear({"self_attn.out_proj"}, d_model, d_model),
      reader.norm("self_attn_layer_norm", d_model),
      reader.linear({"encoder_attn.q_proj"}, d_model, d_model),
      reader.linear({"encoder_attn.k_proj", "encoder_attn.v_proj"}, d_model, d_model),
      reader.linear({"encoder_attn.out_proj"}, d_model, d_model),
      reader.norm("encoder_attn_layer_norm", d_model),
      reader.linear({"fc1"}, d_ffn, d_model),
      reader.linear({"fc2"}, d_model, d_ffn),
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
  for (const PackedLinear* linear : {&expert.qkv, &expert.out, &expert.cross_query,
                                     &expert.cross_out, &expert.fc1, &expert.fc2}) {
    bytes += linear->weights.bytes() + 4 * linear->bias.size();
  }
  return bytes;
}

}  // namespace

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
  encoder = read_layers<EncoderExpert>(read, type, "encoder", config.encoder_layers,
                                       encoder_experts, [&](const LayerReader& reader) {
                                         return read_encoder_expert(reader, d_model,
                                                                    config.encoder_ffn_dim);
                                       });
  decoder = read_layers<DecoderExpert>(read, type, "decoder", config.decoder_layers,
                                       decoder_experts, [&](const LayerReader& reader) {
                                         return read_decoder_expert(reader, d_model,
                                                                    config.decoder_ffn_dim);
                                       });
}

int64_t EngineWeights::step_bytes() const {
  int64_t bytes = tokens.bytes() + 4 * logits_bias.size();
  for (const auto& layer : decoder) bytes += bytes_of(layer.front());
  return bytes;
}

}  // namespace trivium
