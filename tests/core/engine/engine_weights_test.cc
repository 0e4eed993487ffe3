#include "core/engine/engine_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "core/base/temporary_folder.h"
#include "core/engine/random_weights.h"

namespace trivium {
namespace {

// Column `column` of a linear layer against row `row` of the tensors that `name` stands for.
void expect_column(const PackedLinear& linear, int64_t column, const TensorReader& read,
                   const std::string& name, int64_t row) {
  const HostTensor weight = read(name + ".weight"), bias = read(name + ".bias");
  const int64_t depth = weight.shape[1];
  ASSERT_EQ(linear.weights.depth(), depth) << name;
  std::vector<float> found(static_cast<size_t>(depth));
  linear.weights.get_column(column, found.data());
  const float* expected = weight.values.get() + row * depth;
  EXPECT_EQ(found, std::vector<float>(expected, expected + depth)) << name << ", row " << row;
  EXPECT_EQ(linear.bias.data()[column], bias.values.get()[row]) << name;
}

void expect_norm(const LayerNormWeights& norm, const TensorReader& read, const std::string& name) {
  EXPECT_EQ(norm.gamma, values_of(read(name + ".weight"))) << name;
  EXPECT_EQ(norm.beta, values_of(read(name + ".bias"))) << name;
}

TEST(EngineWeightsTest, EveryTensorIsInItsPlace) {
  const ModelConfig config = engine_config(3);
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  std::vector<size_t> encoder, decoder;
  for (const auto& layer : weights.encoder) encoder.push_back(layer.size());
  for (const auto& layer : weights.decoder) decoder.push_back(layer.size());
  EXPECT_EQ(encoder, (std::vector<size_t>{3, 3}));
  EXPECT_EQ(decoder, (std::vector<size_t>{1, 3, 3})) << "the first is an ordinary layer";

  const std::string layer = "decoder.layers.1.experts.2.";
  const DecoderExpert& expert = weights.decoder[1][2];
  // Queries, keys and values as one product, of 24 columns each; the padding is zero.
  ASSERT_EQ(expert.qkv.weights.columns(), 72);
  expect_column(expert.qkv, 5, read, layer + "self_attn.q_proj", 5);
  expect_column(expert.qkv, 24 + 5, read, layer + "self_attn.k_proj", 5);
  expect_column(expert.qkv, 48 + 23, read, layer + "self_attn.v_proj", 23);
  for (int64_t i = 72; i < 96; ++i) EXPECT_EQ(expert.qkv.bias.data()[i], 0);
  expect_column(expert.out, 3, read, layer + "self_attn.out_proj", 3);
  expect_column(expert.cross_query, 3, read, layer + "encoder_attn.q_proj", 3);
  ASSERT_EQ(expert.cross_key_value.weights.columns(), 48);
  expect_column(expert.cross_key_value, 3, read, layer + "encoder_attn.k_proj", 3);
  expect_column(expert.cross_key_value, 24 + 3, read, layer + "encoder_attn.v_proj", 3);
  expect_column(expert.cross_out, 3, read, layer + "encoder_attn.out_proj", 3);
  expect_norm(expert.attention_norm, read, layer + "self_attn_layer_norm");
  expect_norm(expert.cross_norm, read, layer + "encoder_attn_layer_norm");
  expect_norm(expert.final_norm, read, layer + "final_layer_norm");
  ASSERT_EQ(expert.feed_forward.experts.size(), 1u);
  ASSERT_EQ(expert.feed_forward.experts[0].fc1.weights.columns(), 40);
  expect_column(expert.feed_forward.experts[0].fc1, 39, read, layer + "fc1", 39);
  expect_column(expert.feed_forward.experts[0].fc2, 23, read, layer + "fc2", 23);
  expect_column(weights.decoder[0][0].out, 3, read, "decoder.layers.0.self_attn.out_proj", 3);
  expect_column(weights.encoder[1][0].qkv, 3, read, "encoder.layers.1.experts.0.self_attn.q_proj",
                3);
}

TEST(EngineWeightsTest, EmbeddingsLeaveOutTheOffsetOfPositions) {
  const ModelConfig config = engine_config(1);
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  const std::vector<float> table = values_of(read("decoder.embed_positions.weight"));
  EXPECT_EQ(weights.decoder_embedding.positions,
            std::vector<float>(table.begin() + 2 * 24, table.end()));
  EXPECT_EQ(weights.decoder_embedding.positions.size(), 24u * 24u);
  expect_norm(weights.encoder_embedding.norm, read, "encoder.layernorm_embedding");
  std::vector<float> token(24);
  weights.tokens.get_column(149, token.data());
  const std::vector<float> tokens = values_of(read("shared.weight"));
  EXPECT_EQ(token, std::vector<float>(tokens.end() - 24, tokens.end()));
  const std::vector<float> bias = values_of(read("final_logits_bias"));
  EXPECT_EQ(std::vector<float>(weights.logits_bias.data(), weights.logits_bias.data() + 150), bias);
}

TEST(EngineWeightsTest, AsksForEachTensorOnce) {
  for (const int64_t experts : {1, 3}) {
    ModelConfig config = engine_config(experts);
    if (experts == 1) {
      config.token_experts.num_experts = 4;
      config.token_experts.gate_embedding_dim = 5;
    }
    std::map<std::string, int> asked;
    const TensorReader read = [&, inner = random_weights(config)](const std::string& name) {
      ++asked[name];
      return inner(name);
    };
    EngineWeights weights(config, ComputeType::kFloat32, read);
    weights.load_all();
    for (const auto& [name, times] : asked) EXPECT_EQ(times, 1) << name;
    EXPECT_EQ(asked.count("gate_embeddings.weight"), experts == 1 ? 1u : 0u);
  }
}

// By several threads, more than there are layers among them, every byte is the same.
TEST(EngineWeightsTest, ThreadsPackTheSame) {
  ModelConfig config = engine_config(3);
  config.vocab_size = 1001;
  const TensorReader read = random_weights(config);
  EngineWeights alone(config, ComputeType::kInt8, read);
  alone.load_all();
  const auto expect_equal = [](const PackedMatrix& a, const PackedMatrix& b) {
    ASSERT_EQ(a.num_groups(), b.num_groups());
    const auto bytes = static_cast<size_t>(a.num_groups() * a.group_bytes());
    EXPECT_EQ(std::memcmp(a.group(0), b.group(0), bytes), 0);
    EXPECT_TRUE(std::equal(a.scales(), a.scales() + a.columns(), b.scales()));
    EXPECT_TRUE(std::equal(a.column_sums(), a.column_sums() + a.columns(), b.column_sums()));
  };
  for (const int count : {2, 3, 20}) {
    ThreadPool threads(count);
    EngineWeights together(config, ComputeType::kInt8, read, &threads);
    together.load_all();
    expect_equal(together.tokens, alone.tokens);
    for (size_t layer = 0; layer < alone.decoder.size(); ++layer) {
      for (size_t expert = 0; expert < alone.decoder[layer].size(); ++expert) {
        expect_equal(together.decoder[layer][expert].qkv.weights,
                     alone.decoder[layer][expert].qkv.weights);
        expect_equal(together.decoder[layer][expert].cross_key_value.weights,
                     alone.decoder[layer][expert].cross_key_value.weights);
      }
    }
    for (size_t expert = 0; expert < 3; ++expert) {
      expect_equal(together.encoder[1][expert].feed_forward.experts[0].fc2.weights,
                   alone.encoder[1][expert].feed_forward.experts[0].fc2.weights);
    }
  }
}

// What a thread cannot read is the caller's error, and can be asked for again.
TEST(EngineWeightsTest, AThreadsErrorIsTheCallers) {
  const ModelConfig config = engine_config(3);
  std::atomic<bool> is_damaged{true};
  const TensorReader read = [&, inner = random_weights(config)](const std::string& name) {
    if (is_damaged && name.starts_with("decoder.layers.2.experts.2.")) {
      throw Error(ExitCode::kBadModel, name + " is damaged");
    }
    return inner(name);
  };
  ThreadPool threads(3);
  EngineWeights weights(config, ComputeType::kFloat32, read, &threads);
  EXPECT_THAT(error_of([&] { weights.load_all(); }), testing::HasSubstr("is damaged"));
  is_damaged = false;
  weights.load_all();
  EXPECT_GT(weights.decoder[2][2].qkv.weights.columns(), 0);
}

TEST(EngineWeightsTest, AGateIsThatOfItsRow) {
  ModelConfig config = engine_config(1);
  config.token_experts.num_experts = 4;
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  const FeedForwardWeights& pool = weights.decoder[1][0].feed_forward;
  ASSERT_EQ(pool.experts.size(), 4u);
  expect_column(pool.experts[3].fc1, 7, read, "decoder.layers.1.experts.3.fc1", 7);
  const std::vector<float> gates = values_of(read("decoder.layers.1.gate.weight"));
  for (const int64_t row : {0, 1}) {
    const float* gate = pool.gate(row, 24);
    EXPECT_EQ(std::vector<float>(gate, gate + 4 * 24),
              std::vector<float>(gates.begin() + row * 96, gates.begin() + (row + 1) * 96));
  }
  EXPECT_THROW(pool.gate(2, 24), std::logic_error);
  EXPECT_THROW(pool.gate(-1, 24), std::logic_error);
  config.token_experts.gates = TokenGates::kShared;
  EngineWeights shared(config, ComputeType::kFloat32, random_weights(config));
  shared.load_all();
  const FeedForwardWeights& one = shared.decoder[1][0].feed_forward;
  EXPECT_EQ(one.gate(7, 24), one.gate(0, 24)) << "whatever the task";
}

TEST(EngineWeightsTest, GatesFromEmbeddingsAreTheirProducts) {
  ModelConfig config = engine_config(1);
  config.token_experts.num_experts = 4;
  config.token_experts.gate_embedding_dim = 5;
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  const HostTensor generator = read("encoder.layers.1.gate.generator");
  const HostTensor embeddings = read("gate_embeddings.weight");
  for (int64_t row = 0; row < 2; ++row) {
    const float* gate = weights.encoder[1][0].feed_forward.gate(row, 24);
    for (int64_t i = 0; i < 96; ++i) {
      double expected = 0, terms = 0;
      for (int64_t k = 0; k < 5; ++k) {
        const double term = static_cast<double>(generator.values.get()[i * 5 + k]) *
                            embeddings.values.get()[row * 5 + k];
        expected += term;
        terms += std::abs(term);
      }
      // Five products and five sums, each rounded once.
      EXPECT_NEAR(gate[i], expected, 6 * 0x1p-24 * terms);
    }
  }
}

TEST(EngineWeightsTest, ReadsAnExpertWhenARouteUsesIt) {
  const ModelConfig config = engine_config(3);
  std::set<std::string> asked;
  EngineWeights weights(config, ComputeType::kFloat32, [&](const std::string& name) {
    EXPECT_TRUE(asked.insert(name).second) << name << " is asked for twice";
    return random_weights(config)(name);
  });
  const auto has_expert = [&](const std::string& expert) {
    return asked.contains(expert + ".fc1.weight");
  };
  EXPECT_FALSE(has_expert("encoder.layers.0.experts.1"));
  EXPECT_TRUE(has_expert("decoder.layers.0"));  // no pool
  TaskRoute route = dense_route(config);
  for (size_t l = 0; l < 2; ++l) route.encoder[l] = {0, 1, 0};
  for (size_t l = 1; l < 3; ++l) route.decoder[l] = {0.25f, 0, 0.75f};
  weights.load(route, /*expert_threshold=*/0.5f);
  EXPECT_TRUE(has_expert("encoder.layers.1.experts.1"));
  EXPECT_FALSE(has_expert("encoder.layers.1.experts.0"));
  EXPECT_TRUE(has_expert("decoder.layers.2.experts.2"));
  EXPECT_FALSE(has_expert("decoder.layers.2.experts.0"));  // below the threshold
  weights.load(route, 0);
  EXPECT_TRUE(has_expert("decoder.layers.2.experts.0"));
  EXPECT_FALSE(has_expert("decoder.layers.2.experts.1"));
  route.encoder.pop_back();
  EXPECT_THROW(weights.load(route, 0), std::logic_error);
  weights.load_all();
  EXPECT_TRUE(has_expert("decoder.layers.2.experts.1"));
}

TEST(EngineWeightsTest, FactorsAreThoseOfTheScale) {
  FeedForwardWeights pool;
  pool.experts.resize(4);
  pool.scale = GateScale::kProbability;
  EXPECT_TRUE(pool.scaled());
  EXPECT_EQ(pool.factor(0.25f), 0.25f);
  pool.scale = GateScale::kProbabilityTimesExperts;
  EXPECT_TRUE(pool.scaled());
  EXPECT_EQ(pool.factor(0.25f), 1.0f);
  EXPECT_EQ(pool.factor(0.5f), 2.0f);
  for (const GateScale scale : {GateScale::kStraightThrough, GateScale::kNone}) {
    pool.scale = scale;
    EXPECT_FALSE(pool.scaled());
    EXPECT_EQ(pool.factor(0.25f), 1.0f);
  }
}

// Of a matrix in groups of 32 columns, rows padded to the type's step.
int64_t bytes_of(ComputeType type, int64_t columns, int64_t depth) {
  const int64_t padded = (columns + 31) / 32 * 32;
  return padded * padded_depth(type, depth) * size_of(type) + 4 * padded;  // and its bias
}

TEST(EngineWeightsTest, AStepReadsOneExpertOfEveryDecoderLayer) {
  const ModelConfig config = engine_config(3);
  for (const ComputeType type : {ComputeType::kFloat32, ComputeType::kBfloat16}) {
    const int64_t layer = bytes_of(type, 72, 24) + 3 * bytes_of(type, 24, 24) +
                          bytes_of(type, 40, 24) + bytes_of(type, 24, 40);
    EXPECT_EQ(EngineWeights(config, type, random_weights(config)).step_bytes(),
              3 * layer + bytes_of(type, 150, 24));
  }
}

TEST(EngineWeightsTest, GatesWithoutTasksAreRefused) {
  ModelConfig config = engine_config(1);
  config.token_experts.num_experts = 4;
  const TensorReader read = [inner = random_weights(config)](const std::string& name) {
    return name.ends_with("gate.weight") ? tensor_of({}, {0, 4, 24}) : inner(name);
  };
  EXPECT_EQ(error_of([&] { EngineWeights(config, ComputeType::kFloat32, read); }),
            "76: tensor \"encoder.layers.0.gate.weight\" has another shape than config.json asks "
            "for");
}

}  // namespace
}  // namespace trivium
