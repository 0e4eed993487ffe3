#include "core/engine/engine_weights.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

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

  HostTensor tensor(const std::string& name, const std::vector<int64_t>& shape) const {
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

const char* stack_name(const LayerPlace& place) { return place.in_decoder ? "decoder" : "encoder"; }

// What stands before the names of a layer's tensors.
std::string layer_prefix(const LayerPlace& place) {
  return std::string(stack_name(place)) + ".layers." + std::to_string(place.layer) + ".";
}

template <typename Expert>
bool is_loaded(const Expert& expert) {
  return expert.qkv.weights.columns() > 0;
}

// Packs `rows` [columns, depth] by all threads: a group of columns touches no other's memory.
void set_all_columns(PackedMatrix& matrix, const float* rows, ThreadPool* threads) {
  const int64_t columns = matrix.columns(), depth = matrix.depth();
  const auto set_groups = [&](int, int64_t begin, int64_t end) {
    const int64_t first = begin * kBlock, last = std::min(end * kBlock, columns);
    matrix.set_columns(first, last - first, rows + first * depth, depth);
  };
  if (threads == nullptr) {
    set_groups(0, 0, matrix.num_groups());
  } else {
    threads->for_ranges(matrix.num_groups(), columns * depth, set_groups);
  }
}

// Places for the experts of every layer.
template <typename Expert, typename IsPool>
std::vector<std::deque<Expert>> empty_layers(int64_t layers, int64_t num_experts,
                                             const IsPool& is_pool) {
  std::vector<std::deque<Expert>> result;
  for (int64_t l = 0; l < layers; ++l) {
    result.emplace_back(static_cast<size_t>(is_pool(l) ? num_experts : 1));
  }
  return result;
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
                             TensorReader read, ThreadPool* threads)
    : config(model_config), type(compute), read_(std::move(read)), threads_(threads) {
  const int64_t d_model = config.d_model, num_experts = config.routing.num_experts;
  {
    const LayerReader top(read_, type, "");
    const HostTensor table = top.tensor("shared.weight", {config.vocab_size, d_model});
    tokens = PackedMatrix(type, config.vocab_size, d_model);
    set_all_columns(tokens, table.values.get(), threads_);
    const HostTensor bias = top.tensor("final_logits_bias", {1, config.vocab_size});
    std::copy_n(bias.values.get(), config.vocab_size,
                logits_bias.reserve(tokens.num_groups() * kBlock));
  }
  encoder_embedding = read_embedding(LayerReader(read_, type, "encoder."), config);
  decoder_embedding = read_embedding(LayerReader(read_, type, "decoder."), config);
  if (config.token_experts.num_experts > 1 && config.token_experts.gate_embedding_dim > 0) {
    gate_embeddings_ = read_("gate_embeddings.weight");
    check_rows(gate_embeddings_, {config.token_experts.gate_embedding_dim},
               "gate_embeddings.weight");
  }
  encoder = empty_layers<EncoderExpert>(config.encoder_layers, num_experts,
                                        [&](int64_t l) { return config.encoder_layer_is_pool(l); });
  decoder = empty_layers<DecoderExpert>(config.decoder_layers, num_experts,
                                        [&](int64_t l) { return config.decoder_layer_is_pool(l); });
  std::vector<Place> ordinary;
  for (const LayerPlace& place : places_of(dense_route(config))) {
    if (shared_experts(place) == 1) ordinary.push_back({place, 0});
  }
  load(ordinary, nullptr);
}

size_t EngineWeights::shared_experts(const LayerPlace& place) const {
  const auto layer = static_cast<int64_t>(place.layer);
  const bool is_pool =
      place.in_decoder ? config.decoder_layer_is_pool(layer) : config.encoder_layer_is_pool(layer);
  return is_pool ? static_cast<size_t>(config.routing.num_experts) : 1;
}

int64_t EngineWeights::number_of(const OwnExperts* own) const {
  const auto found = std::find_if(owners_.begin(), owners_.end(), [own](const Owner& owner) {
    return owner.experts == own && !owner.held.expired();
  });
  return found == owners_.end() ? -1 : found - owners_.begin();
}

void EngineWeights::make_room_for(const std::shared_ptr<const OwnExperts>& own) {
  if (number_of(own.get()) >= 0) return;
  const auto free = std::find_if(owners_.begin(), owners_.end(),
                                 [](const Owner& owner) { return owner.experts == nullptr; });
  if (free != owners_.end()) {
    *free = {own.get(), own};
    return;
  }
  owners_.push_back({own.get(), own});
  for (size_t l = 0; l < encoder.size(); ++l) {
    encoder[l].resize(shared_experts({false, l}) + owners_.size());
  }
  for (size_t l = 0; l < decoder.size(); ++l) {
    decoder[l].resize(shared_experts({true, l}) + owners_.size());
  }
}

void EngineWeights::forget_unused() {
  for (size_t number = 0; number < owners_.size(); ++number) {
    Owner& owner = owners_[number];
    if (owner.experts == nullptr || !owner.held.expired()) continue;
    owner = {};
    for (size_t l = 0; l < encoder.size(); ++l) {
      encoder[l][shared_experts({false, l}) + number] = {};
    }
    for (size_t l = 0; l < decoder.size(); ++l) {
      decoder[l][shared_experts({true, l}) + number] = {};
    }
  }
}

void EngineWeights::load(const std::vector<Place>& places, const OwnExperts* own) {
  std::vector<Place> missing;
  for (const Place& place : places) {
    const LayerPlace& at = place.layer;
    const bool is_there = at.in_decoder ? is_loaded(decoder[at.layer].at(place.expert))
                                        : is_loaded(encoder[at.layer].at(place.expert));
    if (!is_there) missing.push_back(place);
  }
  const auto load_range = [&](int, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) load(missing[static_cast<size_t>(i)], own);
  };
  const auto count = static_cast<int64_t>(missing.size());
  if (threads_ == nullptr) {
    load_range(0, 0, count);
  } else {
    threads_->for_ranges(count, count * 12 * config.d_model * config.d_model, load_range);
  }
}

void EngineWeights::load(const Place& place, const OwnExperts* own) {
  const size_t shared = shared_experts(place.layer);
  std::string prefix = layer_prefix(place.layer);
  const bool is_own = place.expert >= shared;
  if (!is_own && shared > 1) prefix += "experts." + std::to_string(place.expert) + ".";
  const LayerReader reader(is_own ? own->read : read_, type, prefix);
  const size_t layer = place.layer.layer;
  if (place.layer.in_decoder) {
    decoder[layer].at(place.expert) = read_decoder_expert(reader, config, gate_embeddings_);
  } else {
    encoder[layer].at(place.expert) = read_encoder_expert(reader, config, gate_embeddings_);
  }
}

std::vector<ActiveExpert> EngineWeights::active(const TaskRoute& route, const LayerPlace& place,
                                                float expert_threshold) const {
  std::vector<ActiveExpert> experts = active_experts(weights_at(route, place), expert_threshold);
  const auto shared = static_cast<int64_t>(shared_experts(place));
  for (ActiveExpert& expert : experts) {
    if (expert.expert < shared) continue;
    const int64_t number = number_of(route.own.get());
    check(expert.expert == shared && number >= 0, "the route is of another model");
    expert.expert = shared + number;
  }
  return experts;
}

void EngineWeights::load(const TaskRoute& route, float expert_threshold) {
  check(route.encoder.size() == encoder.size() && route.decoder.size() == decoder.size(),
        "the route is of another model");
  forget_unused();
  if (route.own) make_room_for(route.own);
  std::vector<Place> places;
  for (const LayerPlace& place : places_of(route)) {
    for (const ActiveExpert& expert : active(route, place, expert_threshold)) {
      places.push_back({place, static_cast<size_t>(expert.expert)});
    }
  }
  load(places, route.own.get());
}

void EngineWeights::load_all() {
  std::vector<Place> places;
  for (const LayerPlace& place : places_of(dense_route(config))) {
    for (size_t e = 0; e < shared_experts(place); ++e) places.push_back({place, e});
  }
  load(places, nullptr);
}

int64_t EngineWeights::step_bytes() const {
  const auto linear_bytes = [&](int64_t columns, int64_t depth) {
    const int64_t padded = (columns + kBlock - 1) / kBlock * kBlock;  // of the bias
    return PackedMatrix::bytes_of(type, columns, depth) + 4 * padded;
  };
  const int64_t width = config.d_model, d_ffn = config.decoder_ffn_dim;
  const int64_t layer = linear_bytes(3 * width, width) + 3 * linear_bytes(width, width) +
                        linear_bytes(d_ffn, width) + linear_bytes(width, d_ffn);
  return tokens.bytes() + 4 * logits_bias.size() + config.decoder_layers * layer;
}

}  // namespace trivium
