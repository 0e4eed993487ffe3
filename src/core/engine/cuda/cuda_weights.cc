#include "core/engine/cuda/cuda_weights.h"

#include <algorithm>
#include <cstring>

#include "core/kernels/elementary.h"

namespace trivium {
namespace {

class Uploader {
 public:
  Uploader(cuda::Stream& stream, float eps, std::vector<cuda::DeviceMemory>& memory)
      : stream_(stream), eps_(eps), memory_(memory) {}

  // One layer's part of every expert, `get(expert)` giving it of one.
  template <typename Experts, typename Get>
  cuda::ExpertMatrices linear(const Experts& experts, const Get& get) {
    std::vector<const PackedMatrix*> weights;
    std::vector<float> biases;
    for (const auto& expert : experts) {
      const PackedLinear& part = get(expert);
      weights.push_back(&part.weights);
      biases.insert(biases.end(), part.bias.data(), part.bias.data() + part.weights.columns());
    }
    return matrices(weights, biases);
  }

  template <typename Experts, typename Get>
  cuda::NormWeights norm(const Experts& experts, const Get& get) {
    std::vector<float> gamma, beta;
    for (const auto& expert : experts) {
      const LayerNormWeights& part = get(expert);
      gamma.insert(gamma.end(), part.gamma.begin(), part.gamma.end());
      beta.insert(beta.end(), part.beta.begin(), part.beta.end());
    }
    return {floats(gamma), floats(beta), eps_};
  }

  CudaEmbedding embedding(const StackEmbedding& stack) {
    return {floats(stack.positions), {floats(stack.norm.gamma), floats(stack.norm.beta), eps_}};
  }

  cuda::ExpertMatrices matrices(const std::vector<const PackedMatrix*>& experts,
                                const std::vector<float>& biases) {
    const PackedMatrix& first = *experts.front();
    cuda::ExpertMatrices result = {first.type(), nullptr, nullptr, first.columns(), first.depth()};
    const int64_t size = size_of(first.type()), row_bytes = result.padded_depth() * size;
    std::vector<std::byte> bytes(experts.size() *
                                 static_cast<size_t>(result.padded_columns() * row_bytes));
    std::vector<float> column(static_cast<size_t>(padded_depth(first.type(), first.depth())));
    for (size_t e = 0; e < experts.size(); ++e) {
      for (int64_t c = 0; c < first.columns(); ++c) {
        experts[e]->get_column(c, column.data());
        std::byte* place =
            bytes.data() + (static_cast<int64_t>(e) * result.padded_columns() + c) * row_bytes;
        if (first.type() == ComputeType::kFloat32) {
          std::memcpy(place, column.data(), static_cast<size_t>(first.depth()) * sizeof(float));
        } else {
          auto* narrow = reinterpret_cast<uint16_t*>(place);
          std::transform(column.begin(), column.begin() + first.depth(), narrow,
                         [](float x) { return to_bfloat16(x); });
        }
      }
    }
    result.weights = upload(bytes.data(), bytes.size());
    result.bias = floats(biases);
    return result;
  }

  const float* floats(const std::vector<float>& values) {
    return static_cast<const float*>(upload(values.data(), values.size() * sizeof(float)));
  }

 private:
  const void* upload(const void* values, size_t bytes) {
    void* place = memory_.emplace_back(bytes).as<void>();
    stream_.copy_to_device(place, values, bytes);
    stream_.synchronize();
    return place;
  }

  cuda::Stream& stream_;
  float eps_;
  std::vector<cuda::DeviceMemory>& memory_;
};

// What a layer of either stack has.
template <typename Expert>
CudaLayer common_parts(Uploader& uploader, const std::deque<Expert>& experts) {
  CudaLayer layer;
  layer.num_experts = static_cast<int64_t>(experts.size());
  const auto linear = [&](PackedLinear Expert::*part) {
    return uploader.linear(
        experts, [part](const Expert& expert) -> const PackedLinear& { return expert.*part; });
  };
  const auto norm = [&](LayerNormWeights Expert::*part) {
    return uploader.norm(
        experts, [part](const Expert& expert) -> const LayerNormWeights& { return expert.*part; });
  };
  layer.qkv = linear(&Expert::qkv);
  layer.out = linear(&Expert::out);
  layer.attention_norm = norm(&Expert::attention_norm);
  const FeedForwardWeights& first = experts.front().feed_forward;
  if (first.experts.size() > 1) {
    using Network = FeedForwardWeights::Expert;
    layer.fc1 = uploader.linear(
        first.experts, [](const Network& n) -> const auto& { return n.fc1; });
    layer.fc2 = uploader.linear(
        first.experts, [](const Network& n) -> const auto& { return n.fc2; });
    const auto num_experts = static_cast<int32_t>(first.experts.size());
    const auto count = static_cast<int64_t>(first.gates.size()) / num_experts / layer.fc1.depth;
    layer.gates = {uploader.floats(first.gates), count, num_experts, layer.fc1.depth,
                   first.scaled() ? first.factor(1) : 0};
  } else {
    layer.fc1 = uploader.linear(
        experts, [](const Expert& e) -> const auto& { return e.feed_forward.experts[0].fc1; });
    layer.fc2 = uploader.linear(
        experts, [](const Expert& e) -> const auto& { return e.feed_forward.experts[0].fc2; });
  }
  layer.final_norm = norm(&Expert::final_norm);
  return layer;
}

}  // namespace

CudaWeights::CudaWeights(cuda::Stream& stream, const EngineWeights& packed) {
  stream.make_current();
  Uploader uploader(stream, static_cast<float>(packed.config.layer_norm_eps), memory_);
  const float* bias = packed.logits_bias.data();
  tokens = uploader.matrices({&packed.tokens}, {bias, bias + packed.config.vocab_size});
  encoder_embedding = uploader.embedding(packed.encoder_embedding);
  decoder_embedding = uploader.embedding(packed.decoder_embedding);
  for (const auto& experts : packed.encoder) encoder.push_back(common_parts(uploader, experts));
  for (const auto& experts : packed.decoder) {
    CudaLayer layer = common_parts(uploader, experts);
    using Expert = DecoderExpert;
    layer.cross_query = uploader.linear(
        experts, [](const Expert& e) -> const auto& { return e.cross_query; });
    layer.cross_key_value = uploader.linear(
        experts, [](const Expert& e) -> const auto& { return e.cross_key_value; });
    layer.cross_out = uploader.linear(
        experts, [](const Expert& e) -> const auto& { return e.cross_out; });
    layer.cross_norm = uploader.norm(
        experts, [](const Expert& e) -> const auto& { return e.cross_norm; });
    decoder.push_back(layer);
  }
}

}  // namespace trivium
