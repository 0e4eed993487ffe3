// The CPU's engine by its interface: its logits against a plain model in double
// (plain_transformer.h), and that nothing in a row's answer depends on its company.
#include "core/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/base/temporary_folder.h"
#include "core/engine/cpu/cpu_engine.h"
#include "core/engine/plain_transformer.h"
#include "core/engine/random_weights.h"
#include "core/generation/search.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

enum class Kind {
  kDense,
  kOneHot,
  kSoft,
  kTokenGates,       // a gate a task, scaled by probability
  kStraightThrough,  // a gate a task, whose outputs are not scaled
  kGateEmbeddings,   // the gates made from the tasks' embeddings, scaled by probability x experts
  kSharedGate,       // one gate for all tasks, no scale
};

ModelConfig config_of(Kind kind) {
  ModelConfig config = engine_config(kind == Kind::kOneHot || kind == Kind::kSoft ? 3 : 1);
  if (kind < Kind::kTokenGates) return config;
  TokenExpertConfig& experts = config.token_experts;
  experts.num_experts = 3;
  if (kind == Kind::kStraightThrough) experts.scale = GateScale::kStraightThrough;
  if (kind == Kind::kGateEmbeddings) {
    experts.gate_embedding_dim = 5;
    experts.scale = GateScale::kProbabilityTimesExperts;
  }
  if (kind == Kind::kSharedGate) {
    experts.gates = TokenGates::kShared;
    experts.scale = GateScale::kNone;
  }
  return config;
}

Routes routes_of(Kind kind) {
  if (kind >= Kind::kTokenGates) return Routes::kTokenGates;
  return kind == Kind::kSoft ? Routes::kSoft : Routes::kOneHot;
}

// The best instructions of this machine.
EngineOptions with(ComputeType type, int threads = 1) {
  EngineOptions options;
  options.type = type;
  options.threads = threads;
  return options;
}

// An engine, and sources with routes of three tasks.
struct Model {
  Model(Kind kind, const EngineOptions& options, int64_t num_sources = 5)
      : config(config_of(kind)),
        read(random_weights(config)),
        engine(make_engine(config, options, read)) {
    for (int64_t i = 0; i < num_sources; ++i) {
      sources.push_back(random_ids(config, 3 + i * 5 % 8, static_cast<uint64_t>(40 + i)));
      routes.push_back(random_route(config, routes_of(kind), static_cast<uint64_t>(10 + i % 3)));
    }
    for (const TaskRoute& route : routes) route_rows.push_back(&route);
  }

  std::unique_ptr<StepDecoder> start(int64_t places = 99) const {
    return engine->start(sources, route_rows, places, 8);
  }

  ModelConfig config;
  TensorReader read;
  std::shared_ptr<Engine> engine;
  std::vector<std::vector<int32_t>> sources;
  std::vector<TaskRoute> routes;
  std::vector<const TaskRoute*> route_rows;
};

// The largest distance; a NaN on either side is larger than any bound.
double largest_difference(std::span<const float> found, const PlainRow& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(found[i] - expected[i]);
    largest = difference <= largest ? largest : difference;
  }
  return largest;
}

// A float32 product of depth n is off by at most (n + 9) u of its terms' sizes, n <= 40, u = 2^-24:
// about 3e-6 of values near 1. A layer has up to seven products one after the other, its LayerNorms
// keep the size, and the model has five layers and the output; so a difference of 36 * 3e-6 would
// be possible if all errors had one sign. Random signs leave about the root of the number of steps.
constexpr double kBound = 6 * 3e-6;

// The log-sum-exp of a vocabulary is a sum of parts that threads share.
TEST(CpuEngineTest, NothingDependsOnTheNumberOfThreads) {
  ModelConfig config = engine_config(1);
  config.vocab_size = 3000;
  const TensorReader read = random_weights(config);
  const TaskRoute route = random_route(config, Routes::kOneHot, 7);
  for (const ComputeType type :
       {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
    std::vector<std::vector<float>> found;
    for (const int threads : {1, 2, 3, 4}) {
      const auto engine = make_engine(config, with(type, threads), read);
      const std::vector<std::vector<int32_t>> sources(9, random_ids(config, 20, 3));
      const std::vector<const TaskRoute*> routes(sources.size(), &route);
      const auto decoder = engine->start(sources, routes, 9, 8);
      const std::vector<std::vector<int32_t>> banned(sources.size());
      std::vector<float>& numbers = found.emplace_back();
      for (uint64_t step = 0; step < 20; ++step) {
        const std::vector<int32_t> tokens = random_ids(config, 9, 100 + step);
        for (const LogitScan& scan : decoder->step_scan(tokens, 3, banned)) {
          for (const Candidate& best : scan.best()) {
            numbers.push_back(static_cast<float>(best.token));
            numbers.push_back(best.logit);
            numbers.push_back(scan.log_probability(best.logit));
          }
        }
      }
    }
    for (const auto& numbers : found) EXPECT_EQ(numbers, found.front()) << name_of(type);
  }
}

TEST(MeanStatesTest, AreThoseOfThePlainEncoder) {
  const ModelConfig config = engine_config(3);
  const TensorReader read = random_weights(config);
  const auto engine = make_engine(config, with(ComputeType::kFloat32, 2), read);
  std::vector<TaskRoute> routes;
  std::vector<std::vector<int32_t>> sources;
  for (uint64_t i = 0; i < 3; ++i) {
    routes.push_back(random_route(config, i == 1 ? Routes::kSoft : Routes::kOneHot, 50 + i));
    sources.push_back(random_ids(config, 1 + 6 * static_cast<int64_t>(i), i));
  }
  const auto means = engine->mean_states(sources, {&routes[0], &routes[1], &routes[2]});
  ASSERT_EQ(means.size(), 3u);
  for (size_t source = 0; source < 3; ++source) {
    const PlainRows states =
        plain_stack(config, read, "encoder.", sources[source], nullptr, routes[source]);
    ASSERT_EQ(means[source].size(), static_cast<size_t>(config.d_model));
    for (size_t i = 0; i < means[source].size(); ++i) {
      double sum = 0;
      for (const PlainRow& state : states) sum += state[i];
      EXPECT_NEAR(means[source][i], sum / static_cast<double>(states.size()), kBound);
    }
    const auto alone = engine->mean_states({sources[source]}, {&routes[source]});
    EXPECT_EQ(alone.at(0), means[source]) << "to the bit, whatever the others";
  }
}

class EngineTest : public ::testing::TestWithParam<Kind> {};

// Rows that are copied, reordered and dropped between steps keep what they have written.
TEST_P(EngineTest, HasTheLogitsOfThePlainModel) {
  for (const InstructionSet set : available_instruction_sets()) {
    SCOPED_TRACE(name_of(set));
    EngineOptions options = with(ComputeType::kFloat32, 2);
    options.instructions = set;
    const Model model(GetParam(), options);
    const auto decoder = model.start();
    const std::vector<std::vector<int32_t>> parents = {
        {0, 1, 2, 3, 4}, {0, 0, 1, 1, 2, 3, 4}, {6, 1, 0, 3}, {1, 1, 2}, {2}, {0, 0, 0}};
    struct Row {
      size_t source;
      std::vector<int32_t> tokens;
    };
    std::vector<Row> rows;
    for (size_t i = 0; i < 5; ++i) rows.push_back({i, {}});
    uint64_t seed = 50;
    for (const std::vector<int32_t>& chosen : parents) {
      std::vector<Row> next;
      for (const int32_t parent : chosen) next.push_back(rows[static_cast<size_t>(parent)]);
      rows = next;
      const auto count = static_cast<int64_t>(rows.size());
      const std::vector<int32_t> tokens = random_ids(model.config, count, ++seed);
      decoder->select_rows(chosen);
      const std::span<const float> logits = decoder->step(tokens);
      for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].tokens.push_back(tokens[i]);
        const PlainRows expected =
            plain_logits(model.config, model.read, model.sources[rows[i].source], rows[i].tokens,
                         model.routes[rows[i].source]);
        EXPECT_LT(largest_difference(logits.subspan(i * 150, 150), expected.back()), kBound);
      }
    }
  }
}

// Kernels sum in one order whatever else is in the batch, so this holds to the bit.
TEST_P(EngineTest, SourcesThatTakeOthersPlacesGetTheSameAnswers) {
  for (const ComputeType type :
       {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
    const Model model(GetParam(), with(type, 2), 23);
    for (const int beams : {1, 4}) {
      SearchOptions options;
      options.num_beams = beams;
      options.max_length = 12;
      const auto expected = search(*model.start(), options);
      for (const int64_t places : {1, 3, 16}) {
        const auto decoder = model.start(places);
        EXPECT_EQ(decoder->rows(), places);
        EXPECT_EQ(decoder->waiting(), 23 - places);
        const auto found = search(*decoder, options);
        ASSERT_EQ(found.size(), expected.size());
        for (size_t i = 0; i < found.size(); ++i) {
          EXPECT_EQ(found[i].ids, expected[i].ids);
          EXPECT_EQ(found[i].score, expected[i].score);
        }
      }
    }
  }
}

TEST_P(EngineTest, AStepsScanIsThatOfItsLogits) {
  const Model model(GetParam(), with(ComputeType::kFloat32, 3));
  const auto with_logits = model.start(), without = model.start();
  const std::vector<int32_t> tokens = {5, 6, 7, 8, 9};
  const std::vector<std::vector<int32_t>> banned = {{}, {0, 1, 2, 140}, {}, {149}, {}};
  const std::span<const float> logits = with_logits->step(tokens);
  const std::span<const LogitScan> scans = without->step_scan(tokens, 4, banned);
  for (size_t row = 0; row < tokens.size(); ++row) {
    LogitScan expected(4);
    const std::span<const float> own = logits.subspan(row * 150, 150);
    expected.read(own, banned[row]);
    ASSERT_EQ(scans[row].best().size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(scans[row].best()[i].token, expected.best()[i].token);
      EXPECT_EQ(scans[row].best()[i].logit, expected.best()[i].logit);
    }
    EXPECT_NEAR(scans[row].log_probability(own[3]), expected.log_probability(own[3]), 1e-5);
  }
}

TEST_P(EngineTest, RoundedNumbersStayNear) {
  for (const ComputeType type : {ComputeType::kBfloat16, ComputeType::kInt8}) {
    const Model model(GetParam(), with(type));
    const std::vector<int32_t> tokens = {5, 6, 7, 8, 9};
    const auto decoder = model.start();
    const std::span<const float> logits = decoder->step(tokens);
    double error = 0, square = 0;
    for (size_t row = 0; row < tokens.size(); ++row) {
      const PlainRow expected = plain_logits(model.config, model.read, model.sources[row],
                                             std::span(tokens).subspan(row, 1), model.routes[row])
                                    .back();
      for (size_t v = 0; v < expected.size(); ++v) {
        error += std::pow(logits[row * 150 + v] - expected[v], 2);
        square += std::pow(expected[v], 2);
      }
    }
    const double relative = std::sqrt(error / square);
    // A number is rounded by a 256th (bfloat16), or by a 254th of its row's largest (int8), about
    // three times its usual size: by at most 0.4 and 1.2 %. Random signs leave six times that after
    // 36 roundings one after the other. A token gate that chooses otherwise then counts in full.
    const bool has_gates = GetParam() >= Kind::kTokenGates;
    EXPECT_LT(relative, (type == ComputeType::kInt8 ? 0.072 : 0.024) + (has_gates ? 0.2 : 0))
        << name_of(type);
    EXPECT_GT(relative, 1e-4) << "nothing was rounded";
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, EngineTest,
                         ::testing::Values(Kind::kDense, Kind::kOneHot, Kind::kSoft,
                                           Kind::kTokenGates, Kind::kStraightThrough,
                                           Kind::kGateEmbeddings, Kind::kSharedGate));

TEST(CpuEngineTest, TakesAFewShortSourcesInTogether) {
  const Model model(Kind::kDense, {}, 40);
  const auto decoder = model.start(32);
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

// One source along a route of the weights 0.2, 0.5 and 0.3 in every pool.
std::vector<float> logits_along(const std::vector<float>& weights, float threshold) {
  EngineOptions options;
  options.expert_threshold = threshold;
  const ModelConfig config = engine_config(3);
  const auto engine = make_engine(config, options, random_weights(config));
  const std::vector<std::vector<int32_t>> sources = {{5, 6, 7}};
  const TaskRoute route{{weights, weights}, {{1}, weights, weights}};
  const auto decoder = engine->start(sources, {&route}, 1, 1);
  const std::span<const float> logits = decoder->step(std::vector<int32_t>{5});
  return {logits.begin(), logits.end()};
}

TEST(CpuEngineTest, AnExpertBelowTheThresholdIsLeftOutAndTheOthersScaled) {
  const std::vector<float> all = logits_along({0.2f, 0.5f, 0.3f}, 0);
  const std::vector<float> two = logits_along({0.2f, 0.5f, 0.3f}, 0.25f);
  EXPECT_NE(all, two);
  EXPECT_EQ(two, logits_along({0, 0.5f / 0.8f, 0.3f / 0.8f}, 0));
  EXPECT_EQ(logits_along({0.2f, 0.5f, 0.3f}, 0.9f), logits_along({0, 1, 0}, 0))
      << "the main expert stays";
}

// What make_engine says of the weights of `has` for a model of `asks`.
std::string refusal(const ModelConfig& asks, const ModelConfig& has) {
  return error_of([&] { make_engine(asks, {}, random_weights(has)); });
}

TEST(CpuEngineTest, RefusesTensorsOfAnotherShapeByName) {
  ModelConfig config = engine_config(1);
  config.decoder_ffn_dim = 44;
  EXPECT_EQ(
      refusal(config, engine_config(1)),
      "76: tensor \"decoder.layers.0.fc1.weight\" has another shape than config.json asks for");
  config = engine_config(1);
  config.max_position_embeddings = 25;
  EXPECT_THAT(refusal(config, engine_config(1)), HasSubstr("\"encoder.embed_positions.weight\""));
  config = config_of(Kind::kTokenGates);
  config.token_experts.num_experts = 2;
  EXPECT_THAT(refusal(config, config_of(Kind::kTokenGates)),
              HasSubstr("\"encoder.layers.0.gate.weight\""));
  config = config_of(Kind::kGateEmbeddings);
  config.token_experts.gate_embedding_dim = 6;
  EXPECT_THAT(refusal(config, config_of(Kind::kGateEmbeddings)),
              HasSubstr("\"gate_embeddings.weight\""));
}

TEST(CpuEngineTest, PassesOnWhatTheReaderThrows) {
  const ModelConfig config = engine_config(1);
  EXPECT_EQ(error_of([&] {
              make_engine(config, {}, [](const std::string& name) -> HostTensor {
                throw Error(ExitCode::kBadModel, name + " is damaged");
              });
            }),
            "76: shared.weight is damaged");
}

TEST(CpuEngineTest, AGateDecidesByItsTask) {
  Model model(Kind::kTokenGates, {});
  const auto logits_of = [&](int64_t gates) {
    model.routes[0].gates = gates;
    const auto decoder = model.start();
    const std::span<const float> logits = decoder->step(std::vector<int32_t>{5, 6, 7, 8, 9});
    return std::vector<float>(logits.begin(), logits.end());
  };
  const std::vector<float> first = logits_of(0), second = logits_of(1);
  EXPECT_NE(std::vector(first.begin(), first.begin() + 150),
            std::vector(second.begin(), second.begin() + 150));
  EXPECT_EQ(std::vector(first.begin() + 150, first.end()),
            std::vector(second.begin() + 150, second.end()))
      << "the other rows' tasks stayed";
  EXPECT_THROW(logits_of(2), std::logic_error) << "the model has two tasks";
  EXPECT_THROW(logits_of(-1), std::logic_error);
}

TEST(CpuEngineTest, LogsWhatGatesChoose) {
  for (const Kind kind : {Kind::kTokenGates, Kind::kGateEmbeddings, Kind::kSharedGate}) {
    const Model model(kind, {}, 1);
    GateLog log;
    model.engine->log_gates(&log);
    const auto decoder = model.start();
    decoder->step(std::vector<int32_t>{5});
    model.engine->log_gates(nullptr);
    decoder->step(std::vector<int32_t>{6});
    std::vector<std::vector<PlainChoice>> expected;
    const std::vector<int32_t> target = {5};
    const PlainRows memory = plain_stack(model.config, model.read, "encoder.", model.sources[0],
                                         nullptr, model.routes[0], &expected);
    plain_stack(model.config, model.read, "decoder.", target, &memory, model.routes[0], &expected);
    ASSERT_EQ(log.size(), 5u) << "two layers of the encoder, three of the decoder, and no more";
    for (size_t layer = 0; layer < log.size(); ++layer) {
      ASSERT_EQ(log[layer].size(), expected[layer].size());
      for (size_t row = 0; row < log[layer].size(); ++row) {
        EXPECT_EQ(static_cast<size_t>(log[layer][row].expert), expected[layer][row].expert);
        EXPECT_NEAR(log[layer][row].probability, expected[layer][row].probability, kBound);
      }
    }
  }
}

TEST(CpuEngineTest, TokensBeyondThePositionsAreAnError) {
  const Model model(Kind::kDense, {}, 1);
  const auto decoder = model.start();
  for (int i = 0; i < 24; ++i) decoder->step(std::vector<int32_t>{5});
  EXPECT_THAT(error_of([&] { decoder->step(std::vector<int32_t>{5}); }),
              AllOf(StartsWith("2: "), HasSubstr("24 positions")));
}

TEST(CpuEngineTest, RefusesSourcesThatAreNoneOfTheModels) {
  const Model model(Kind::kOneHot, {}, 1);
  const auto start = [&](const std::vector<int32_t>& ids, const TaskRoute& route) {
    const std::vector<std::vector<int32_t>> sources = {ids};
    model.engine->start(sources, {&route}, 1, 1);
  };
  const TaskRoute& good = model.routes[0];
  EXPECT_NO_THROW(start(std::vector<int32_t>(24, 5), good));
  EXPECT_THAT(error_of([&] { start(std::vector<int32_t>(25, 5), good); }),
              AllOf(StartsWith("64: "), HasSubstr("25 ids"), HasSubstr("24 positions")));
  EXPECT_THROW(start({}, good), std::logic_error);
  EXPECT_THROW(start({150}, good), std::logic_error);
  EXPECT_THROW(start({-1}, good), std::logic_error);
  TaskRoute more_experts = good, fewer_layers = good;
  more_experts.decoder[1] = {0, 0, 0, 1};
  fewer_layers.decoder.pop_back();
  EXPECT_THROW(start({5}, more_experts), std::logic_error);
  EXPECT_THROW(start({5}, fewer_layers), std::logic_error);
}

TEST(ParseDeviceTest, KnowsTheNamesOfDevices) {
  EXPECT_EQ(parse_device("cpu"), Device{});
  for (const char* name : {"", "gpu", "cuda0", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "CPU"}) {
    EXPECT_THAT(error_of([&] { parse_device(name); }),
                AllOf(StartsWith("2: "), HasSubstr("cpu, cuda or cuda:N")))
        << name;
  }
  EXPECT_THAT(error_of([] { parse_device("cuda:4096"); }), StartsWith("69: "));
}

}  // namespace
}  // namespace trivium
