// The fast engine against the LibTorch model: logits, ids and scores, whatever the route. (Against
// a plain model in double: tests/core/engine/engine_test.cc.)
#include <gtest/gtest.h>

#include <cmath>

#include "core/engine/engine.h"
#include "core/generation/search.h"
#include "learning/model/random_model.h"
#include "learning/reference/tensor_reader.h"
#include "learning/reference/torch_engine.h"

namespace trivium::learning {
namespace {

TaskRoute random_route(const ModelConfig& config, bool soft, uint64_t seed) {
  torch::manual_seed(seed);
  const auto layer = [&](bool is_pool) {
    if (!is_pool) return std::vector<float>{1.0f};
    torch::Tensor weights = torch::softmax(torch::randn({config.routing.num_experts}) * 2, 0);
    if (!soft) weights = torch::one_hot(weights.argmax(), weights.numel()).to(torch::kFloat32);
    weights = weights.contiguous();
    return std::vector<float>(weights.data_ptr<float>(),
                              weights.data_ptr<float>() + weights.numel());
  };
  TaskRoute route;
  for (int64_t l = 0; l < config.encoder_layers; ++l) {
    route.encoder.push_back(layer(config.encoder_layer_is_pool(l)));
  }
  for (int64_t l = 0; l < config.decoder_layers; ++l) {
    route.decoder.push_back(layer(config.decoder_layer_is_pool(l)));
  }
  return route;
}

enum class Routes {
  kDense,
  kOneHot,
  kSoft,
  kTokenGates,      // token-level experts, a gate a task, scaled by probability
  kGateEmbeddings,  // the gates made from the tasks' embeddings, scaled by probability x experts
  kSharedGate,      // one gate for all tasks, no scale
};

ModelConfig config_of(Routes kind) {
  ModelConfig config = small_config(kind == Routes::kOneHot || kind == Routes::kSoft ? 3 : 1);
  config.routing.decoder_vanilla_layers = {0};
  if (kind < Routes::kTokenGates) return config;
  TokenExpertConfig& experts = config.token_experts;
  experts.num_experts = 3;
  if (kind == Routes::kGateEmbeddings) {
    experts.gate_embedding_dim = 5;
    experts.scale = GateScale::kProbabilityTimesExperts;
  } else if (kind == Routes::kSharedGate) {
    experts.gates = TokenGates::kShared;
    experts.scale = GateScale::kNone;
  }
  return config;
}

// A model on both engines, and sources with routes.
struct Pair {
  Pair(Routes kind, InstructionSet set, int64_t num_sources = 5) {
    const ModelConfig config = config_of(kind);
    model = random_model(config, 3);
    torch = torch_engine(model);
    EngineOptions options;
    options.threads = 2;
    options.instructions = set;
    engine = make_engine(config, options, reader_of(model));
    std::vector<int64_t> lengths;
    for (int64_t i = 0; i < num_sources; ++i) {
      lengths.push_back(3 + i * 5 % 8);
      routes.push_back(random_route(config, kind == Routes::kSoft, 10 + i % 3));
      routes.back().gates = i % 3;
    }
    sources = random_ids(lengths, config.vocab_size, 4);
    for (const TaskRoute& route : routes) route_rows.push_back(&route);
  }

  std::unique_ptr<StepDecoder> start(const std::shared_ptr<Engine>& computing) {
    return computing->start(sources, route_rows, 99, 8);
  }

  Seq2SeqModel model{nullptr};
  std::shared_ptr<Engine> torch, engine;
  std::vector<std::vector<int32_t>> sources;
  std::vector<TaskRoute> routes;
  std::vector<const TaskRoute*> route_rows;
};

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    // Written so that NaN fails.
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = difference <= largest ? largest : difference;
  }
  return largest;
}

class EngineParityTest : public ::testing::TestWithParam<Routes> {};

TEST_P(EngineParityTest, EngineHasTheLogitsOfLibTorch) {
  for (const InstructionSet set : available_instruction_sets()) {
    SCOPED_TRACE(name_of(set));
    Pair pair(GetParam(), set);
    const auto expected = pair.start(pair.torch), found = pair.start(pair.engine);
    const std::vector<std::vector<int32_t>> parents = {
        {0, 1, 2, 3, 4}, {0, 0, 1, 1, 2, 3, 4}, {6, 1, 0, 3}, {1, 1, 2}, {2}, {0, 0, 0}};
    uint64_t seed = 50;
    for (const std::vector<int32_t>& rows : parents) {
      expected->select_rows(rows);
      found->select_rows(rows);
      const auto tokens = random_ids({static_cast<int64_t>(rows.size())}, 40, ++seed)[0];
      // Sums of at most 24 products in float32, through four layers whose LayerNorms keep the
      // size: the tolerance of the cached LibTorch decoder against the uncached one.
      EXPECT_LT(largest_difference(expected->step(tokens), found->step(tokens)), 2e-5);
    }
  }
}

TEST_P(EngineParityTest, GreedyAndBeamSearchGiveTheSameIds) {
  Pair pair(GetParam(), available_instruction_sets().back(), 12);
  for (const int beams : {1, 4}) {
    SearchOptions options;
    options.num_beams = beams;
    options.max_length = 16;
    options.no_repeat_ngram_size = 3;
    const auto expected = search(*pair.start(pair.torch), options);
    const auto found = search(*pair.start(pair.engine), options);
    ASSERT_EQ(expected.size(), found.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].ids, expected[i].ids);
      EXPECT_NEAR(found[i].score, expected[i].score, 1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EngineParityTest,
                         ::testing::Values(Routes::kDense, Routes::kOneHot, Routes::kSoft,
                                           Routes::kTokenGates, Routes::kGateEmbeddings,
                                           Routes::kSharedGate));

}  // namespace
}  // namespace trivium::learning
