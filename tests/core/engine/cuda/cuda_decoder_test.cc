// The engine on a CUDA device against the engine on the CPU: logits, scans, ids and scores,
// whatever the route. Also runs on tests/core/kernels/cuda_on_host.
#include "core/engine/cuda/cuda_decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/engine/cpu/cpu_decoder.h"
#include "core/engine/random_weights.h"
#include "core/generation/search.h"
#include "core/kernels/cuda_device.h"

namespace trivium {
namespace {

EngineOptions options_of(ComputeType type, DeviceKind kind) {
  EngineOptions options;
  options.type = type;
  options.device.kind = kind;
  return options;
}

ModelConfig config_of(Routes kind) {
  ModelConfig config = engine_config(kind == Routes::kDense || kind == Routes::kTokenGates ? 1 : 3);
  if (kind == Routes::kTokenGates) {
    config.token_experts.num_experts = 4;
    config.token_experts.scale = GateScale::kProbabilityTimesExperts;
  }
  return config;
}

// One model on both, and sources with routes of three tasks.
struct Pair {
  explicit Pair(Routes kind, ComputeType type = ComputeType::kFloat32, size_t num_sources = 5)
      : config(config_of(kind)),
        cpu(config, options_of(ComputeType::kFloat32, DeviceKind::kCpu), random_weights(config)),
        gpu(config, options_of(type, DeviceKind::kCuda), random_weights(config)) {
    Rng rng(5);
    for (size_t i = 0; i < num_sources; ++i) {
      ids.emplace_back();
      for (size_t len = 3 + i * 7 % 20; len > 0; --len) {
        ids.back().push_back(static_cast<int32_t>(4 + rng.below(146)));
      }
      routes.push_back(random_route(config, kind, 10 + i % 3));
    }
    for (size_t i = 0; i < num_sources; ++i) sources.push_back({ids[i], &routes[i]});
  }

  ModelConfig config;
  CpuEngine cpu;
  CudaEngine gpu;
  std::vector<std::vector<int32_t>> ids;
  std::vector<TaskRoute> routes;
  std::vector<EngineSource> sources;
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

double size_of_values(std::span<const float> values) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * value;
  return std::sqrt(square / static_cast<double>(values.size()));
}

// A product of depth n is off by at most (n + 9) u of its terms' sizes on either side, n <= 40,
// u = 2^-24: about 6e-6 of values near 1 for the two together. A layer has up to seven products one
// after the other, its LayerNorms keep the size, and the model five layers and the output; so a
// difference of 36 * 6e-6 would be possible if all errors had one sign. Random signs leave about
// the root of the number of steps instead of it.
constexpr double kBound = 6 * 6e-6;

class CudaDecoderTest : public ::testing::TestWithParam<Routes> {};

TEST_P(CudaDecoderTest, HasTheLogitsOfTheCpu) {
  TRIVIUM_NEEDS_CUDA();
  Pair pair(GetParam());
  // With room for one position, so that the cache must grow.
  CpuDecoder expected(pair.cpu, pair.sources, 5, 1);
  CudaDecoder found(pair.gpu, pair.sources, 1);
  const std::vector<std::vector<int32_t>> parents = {{0, 1, 2, 3, 4},
                                                     {0, 0, 1, 1, 2, 3, 4},
                                                     {6, 1, 0, 3},
                                                     {3, 1, 0, 2},
                                                     {0, 1, 2, 3, 0, 1, 2},
                                                     {1, 1, 2},
                                                     {2},
                                                     {0, 0, 0}};
  Rng rng(50);
  double largest = 0;
  for (const std::vector<int32_t>& rows : parents) {
    expected.select_rows(rows);
    found.select_rows(rows);
    ASSERT_EQ(found.rows(), static_cast<int64_t>(rows.size()));
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < rows.size(); ++i) {
      tokens.push_back(static_cast<int32_t>(4 + rng.below(146)));
    }
    const double difference = largest_difference(expected.step(tokens), found.step(tokens));
    ASSERT_LT(difference, kBound);
    largest = std::max(largest, difference);
  }
  RecordProperty("largest_difference", std::to_string(largest));
}

TEST_P(CudaDecoderTest, AStepsScanIsThatOfItsLogits) {
  TRIVIUM_NEEDS_CUDA();
  Pair pair(GetParam());
  CudaDecoder with_logits(pair.gpu, pair.sources, 10);
  const std::vector<std::vector<int32_t>> banned = {{}, {0, 1, 2, 140}, {}, {149}, {}};
  const std::vector<int32_t> tokens = {5, 6, 7, 8, 9};
  const std::span<const float> step = with_logits.step(tokens);
  const std::vector<float> logits(step.begin(), step.end());
  for (const int count : {0, 1, 8, 130}) {
    CudaDecoder without(pair.gpu, pair.sources, 10);
    const std::span<const LogitScan> scans = without.step_scan(tokens, count, banned);
    for (size_t row = 0; row < tokens.size(); ++row) {
      LogitScan expected(count);
      const std::span<const float> own = std::span(logits).subspan(row * 150, 150);
      expected.read(own, banned[row]);
      ASSERT_EQ(scans[row].best().size(), expected.best().size());
      for (size_t i = 0; i < expected.best().size(); ++i) {
        EXPECT_EQ(scans[row].best()[i].token, expected.best()[i].token);
        EXPECT_EQ(scans[row].best()[i].logit, expected.best()[i].logit);
      }
      EXPECT_NEAR(scans[row].log_probability(own[3]), expected.log_probability(own[3]), 1e-5);
    }
  }
}

TEST_P(CudaDecoderTest, GreedyAndBeamSearchGiveTheSameIds) {
  TRIVIUM_NEEDS_CUDA();
  Pair pair(GetParam());
  for (const int beams : {1, 4}) {
    SearchOptions options;
    options.num_beams = beams;
    options.max_length = 10;
    options.no_repeat_ngram_size = 3;
    CpuDecoder on_cpu(pair.cpu, pair.sources, 5, 100);
    CudaDecoder on_gpu(pair.gpu, pair.sources, 100);
    const auto expected = search(on_cpu, options), found = search(on_gpu, options);
    ASSERT_EQ(expected.size(), found.size());
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].ids, expected[i].ids);
      EXPECT_NEAR(found[i].score, expected[i].score, 1e-4);
    }
  }
}

TEST_P(CudaDecoderTest, Bfloat16StaysNear) {
  TRIVIUM_NEEDS_CUDA();
  Pair pair(GetParam(), ComputeType::kBfloat16);
  CpuDecoder expected(pair.cpu, pair.sources, 5, 10);
  CudaDecoder found(pair.gpu, pair.sources, 10);
  double largest = 0;
  for (int step = 0; step < 4; ++step) {
    const std::vector<int32_t> tokens = {5 + step, 16, 27, 38 - step, 49};
    const std::span<const float> logits = expected.step(tokens);
    largest =
        std::max(largest, largest_difference(logits, found.step(tokens)) / size_of_values(logits));
  }
  // A number rounded to bfloat16 is off by 2^-8 at most; 36 roundings one after the other, of
  // random sign, and the largest of 3000 logits against their usual size.
  EXPECT_LT(largest, 6 * 0x1p-8 * 8);
  EXPECT_GT(largest, 0) << "nothing was rounded";
  RecordProperty("largest_difference", std::to_string(largest));
}

INSTANTIATE_TEST_SUITE_P(Kinds, CudaDecoderTest,
                         ::testing::Values(Routes::kDense, Routes::kOneHot, Routes::kSoft,
                                           Routes::kTokenGates));

// A row's logits must not depend on who is decoded beside it.
TEST(CudaDecoderTest, ARowAloneHasTheSameLogits) {
  TRIVIUM_NEEDS_CUDA();
  Pair pair(Routes::kOneHot, ComputeType::kFloat32, 20);
  CudaDecoder together(pair.gpu, pair.sources, 10);
  std::vector<float> row;
  for (int step = 0; step < 3; ++step) {
    const auto logits = together.step(std::vector<int32_t>(20, 5));
    row.assign(logits.begin() + 11 * 150, logits.begin() + 12 * 150);
  }
  CudaDecoder alone(pair.gpu, std::span(pair.sources).subspan(11, 1), 10);
  std::span<const float> own;
  for (int step = 0; step < 3; ++step) own = alone.step(std::vector<int32_t>{5});
  EXPECT_TRUE(std::equal(row.begin(), row.end(), own.begin()));
}

TEST(CudaDecoderTest, AGraphServesUntilRowsChange) {
  TRIVIUM_NEEDS_CUDA();
  Pair pair(Routes::kOneHot);
  CudaDecoder decoder(pair.gpu, pair.sources, 60);
  const std::vector<std::vector<int32_t>> banned(5);
  const std::vector<int32_t> tokens = {5, 6, 7, 8, 9};
  for (int step = 0; step < 4; ++step) decoder.step_scan(tokens, 2, banned);
  EXPECT_EQ(decoder.recordings(), 1);
  decoder.select_rows(std::vector<int32_t>{0, 1, 2, 3, 4});
  decoder.step_scan(tokens, 2, banned);
  EXPECT_EQ(decoder.recordings(), 1);
  decoder.select_rows(std::vector<int32_t>{0, 1, 3});
  decoder.step_scan(std::vector<int32_t>{5, 6, 7}, 2, std::span(banned).first(3));
  EXPECT_EQ(decoder.recordings(), 2);
}

TEST(CudaDecoderTest, TokensBeyondThePositionsAreAnError) {
  TRIVIUM_NEEDS_CUDA();
  Pair pair(Routes::kDense, ComputeType::kFloat32, 1);
  CudaDecoder decoder(pair.gpu, pair.sources, 10);
  for (int i = 0; i < 24; ++i) decoder.step(std::vector<int32_t>{5});
  try {
    decoder.step(std::vector<int32_t>{5});
    FAIL() << "the table has 24 positions";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
  }
}

TEST(CudaEngineTest, RefusesWhatItsKernelsDoNotCompute) {
  ModelConfig config = engine_config(1);
  for (const auto& [type, code] : {std::pair{ComputeType::kInt8, ExitCode::kUsage},
                                   std::pair{ComputeType::kFloat32, ExitCode::kUnavailable}}) {
    try {
      config.decoder_ffn_dim = type == ComputeType::kInt8 ? 40 : 42;
      CudaEngine engine(config, options_of(type, DeviceKind::kCuda), random_weights(config));
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
    }
  }
}

}  // namespace
}  // namespace trivium
