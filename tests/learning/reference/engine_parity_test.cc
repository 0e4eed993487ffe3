// The fast engine against the LibTorch model: logits, ids and scores, whatever the route.
#include "core/inference/backend.h"

#include <gtest/gtest.h>

#include <numeric>

#include "core/base/error.h"
#include "core/generation/search.h"
#include "core/inference/tensor_reader.h"
#include "learning/model/random_model.h"

namespace trivium {
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

// A model on both backends, and sources with routes.
struct Pair {
  Pair(Routes kind, const EngineOptions& options, int64_t num_sources = 5) {
    const ModelConfig config = config_of(kind);
    model = random_model(config, 3);
    torch = torch_backend(model);
    engine = engine_backend(config, options, reader_of(model));
    std::vector<int64_t> lengths;
    for (int64_t i = 0; i < num_sources; ++i) {
      lengths.push_back(3 + i * 5 % 8);
      routes.push_back(random_route(config, kind == Routes::kSoft, 10 + i % 3));
      routes.back().gates = i % 3;
    }
    sources = random_ids(lengths, config.vocab_size, 4);
    for (const TaskRoute& route : routes) route_rows.push_back(&route);
  }

  std::unique_ptr<StepDecoder> start(const std::shared_ptr<Backend>& backend, int64_t places = 99) {
    return backend->start(sources, route_rows, places, 8);
  }

  Seq2SeqModel model{nullptr};
  std::shared_ptr<Backend> torch, engine;
  std::vector<std::vector<int32_t>> sources;
  std::vector<TaskRoute> routes;
  std::vector<const TaskRoute*> route_rows;
};

double largest_difference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return largest;
}

class BackendTest : public ::testing::TestWithParam<Routes> {};

TEST_P(BackendTest, EngineHasTheLogitsOfLibTorch) {
  for (const InstructionSet set : available_instruction_sets()) {
    SCOPED_TRACE(name_of(set));
    Pair pair(GetParam(), {ComputeType::kFloat32, 2, set, 0});
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

TEST_P(BackendTest, GreedyAndBeamSearchGiveTheSameIds) {
  Pair pair(GetParam(), {ComputeType::kFloat32, 2, available_instruction_sets().back(), 0}, 12);
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

// Kernels sum in one order whatever else is in the batch, so this holds to the bit.
TEST_P(BackendTest, SourcesThatTakeOthersPlacesGetTheSameAnswers) {
  for (const ComputeType type :
       {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
    Pair pair(GetParam(), {type, 2, available_instruction_sets().back(), 0}, 23);
    for (const int beams : {1, 4}) {
      SearchOptions options;
      options.num_beams = beams;
      options.max_length = 12;
      const auto expected = search(*pair.start(pair.engine), options);
      for (const int64_t places : {1, 3, 16}) {
        const auto decoder = pair.start(pair.engine, places);
        EXPECT_EQ(decoder->rows(), places);
        EXPECT_EQ(decoder->waiting(), 23 - places);
        const auto found = search(*decoder, options);
        for (size_t i = 0; i < found.size(); ++i) {
          EXPECT_EQ(found[i].ids, expected[i].ids);
          EXPECT_EQ(found[i].score, expected[i].score);
        }
      }
    }
  }
}

TEST(EngineBackend, TakesAFewShortSourcesInTogether) {
  Pair pair(Routes::kDense, {}, 40);
  const auto decoder = pair.start(pair.engine, 32);
  std::vector<int32_t> rows(31);
  std::iota(rows.begin(), rows.end(), 0);
  decoder->select_rows(rows);
  EXPECT_EQ(decoder->admit(), 0) << "one source of a few tokens is not worth a pass of the encoder";
  rows.resize(27);
  decoder->select_rows(rows);
  EXPECT_EQ(decoder->admit(), 5) << "more than an eighth of the places is free";
  decoder->select_rows(std::vector<int32_t>{});
  EXPECT_EQ(decoder->admit(), 3) << "nothing else is left to do";
  EXPECT_EQ(decoder->waiting(), 0);
}

TEST_P(BackendTest, AStepsScanIsThatOfItsLogits) {
  Pair pair(GetParam(), {ComputeType::kFloat32, 3, available_instruction_sets().back(), 0});
  const auto with_logits = pair.start(pair.engine), without = pair.start(pair.engine);
  const std::vector<int32_t> tokens = {5, 6, 7, 8, 9};
  const std::vector<std::vector<int32_t>> banned = {{}, {0, 1, 2, 30}, {}, {39}, {}};
  const std::span<const float> logits = with_logits->step(tokens);
  const std::span<const LogitScan> scans = without->step_scan(tokens, 4, banned);
  for (size_t row = 0; row < tokens.size(); ++row) {
    LogitScan expected(4);
    const std::span<const float> own = logits.subspan(row * 40, 40);
    expected.read(own, banned[row]);
    ASSERT_EQ(scans[row].best().size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(scans[row].best()[i].token, expected.best()[i].token);
      EXPECT_EQ(scans[row].best()[i].logit, expected.best()[i].logit);
    }
    EXPECT_NEAR(scans[row].log_probability(own[3]), expected.log_probability(own[3]), 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, BackendTest,
                         ::testing::Values(Routes::kDense, Routes::kOneHot, Routes::kSoft,
                                           Routes::kTokenGates, Routes::kGateEmbeddings,
                                           Routes::kSharedGate));

TEST(EngineBackend, RoundedNumbersStayNear) {
  for (const auto& [type, bound] :
       {std::pair{ComputeType::kBfloat16, 0.25}, std::pair{ComputeType::kInt8, 0.25}}) {
    Pair pair(Routes::kOneHot, {type, 1, available_instruction_sets().back(), 0});
    const std::vector<int32_t> tokens = {5, 6, 7, 8, 9};
    const auto expected = pair.start(pair.torch), found = pair.start(pair.engine);
    const std::span<const float> logits = expected->step(tokens);
    double square = 0;
    for (const float logit : logits) square += static_cast<double>(logit) * logit;
    const double size = std::sqrt(square / static_cast<double>(logits.size()));
    const double difference = largest_difference(logits, found->step(tokens));
    EXPECT_LT(difference, bound * size) << name_of(type);
    EXPECT_GT(difference, 0) << "nothing was rounded";
  }
}

TEST(EngineBackend, LeavesOutExpertsBelowTheThreshold) {
  EXPECT_EQ(active_experts({0.2f, 0.5f, 0.3f}, 0).size(), 3u);
  const std::vector<ActiveExpert> two = active_experts({0.2f, 0.5f, 0.3f}, 0.25f);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_FLOAT_EQ(two[0].weight, 0.625f);
  EXPECT_FLOAT_EQ(two[1].weight, 0.375f);
  const std::vector<ActiveExpert> main = active_experts({0.3f, 0.4f, 0.3f}, 0.9f);
  ASSERT_EQ(main.size(), 1u);
  EXPECT_EQ(main[0].expert, 1);
  EXPECT_EQ(main[0].weight, 1);
}

// The engine does not take the model's weights for `config`, because of `tensor`.
void expect_refused(const ModelConfig& config, const Seq2SeqModel& model, const char* tensor) {
  try {
    engine_backend(config, {}, reader_of(model));
    FAIL() << tensor << " has another shape";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadModel);
    EXPECT_NE(std::string(error.what()).find(tensor), std::string::npos) << error.what();
  }
}

TEST(EngineBackend, RefusesATensorOfAnotherShape) {
  ModelConfig config = small_config(1);
  const Seq2SeqModel model = random_model(config);
  config.decoder_ffn_dim = 44;
  expect_refused(config, model, "decoder.layers.0.fc1.weight");
}

TEST(EngineBackend, AGateDecidesByItsTask) {
  Pair pair(Routes::kTokenGates, {});
  const auto logits_of = [&](int64_t gates) {
    pair.routes[0].gates = gates;
    const auto decoder = pair.start(pair.engine);
    const std::span<const float> logits = decoder->step(std::vector<int32_t>{5, 6, 7, 8, 9});
    return std::vector<float>(logits.begin(), logits.end());
  };
  const std::vector<float> first = logits_of(0), second = logits_of(1);
  EXPECT_NE(std::vector(first.begin(), first.begin() + 40),
            std::vector(second.begin(), second.begin() + 40));
  EXPECT_EQ(std::vector(first.begin() + 40, first.end()),
            std::vector(second.begin() + 40, second.end()));
  EXPECT_THROW(logits_of(4), std::logic_error) << "the model has four tasks";
}

TEST(EngineBackend, RefusesGatesOfAnotherShape) {
  ModelConfig config = config_of(Routes::kTokenGates);
  const Seq2SeqModel model = random_model(config);
  config.token_experts.num_experts = 2;
  expect_refused(config, model, "encoder.layers.0.gate.weight");
}

TEST(EngineBackend, TokensBeyondThePositionsAreAnError) {
  Pair pair(Routes::kDense, {});
  const auto decoder = pair.start(pair.engine);
  decoder->select_rows(std::vector<int32_t>{0});
  for (int i = 0; i < 24; ++i) decoder->step(std::vector<int32_t>{5});
  try {
    decoder->step(std::vector<int32_t>{5});
    FAIL() << "the table has 24 positions";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
}

}  // namespace
}  // namespace trivium
