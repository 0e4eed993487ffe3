// Single layers on the CPU's kernels against plain sums in double.
#include "core/engine/cpu/layer_steps.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/engine/plain_transformer.h"
#include "core/engine/random_weights.h"

namespace trivium {
namespace {

// A float32 product of depth n is off by at most (n + 9) u of its terms' sizes, n <= 40, u = 2^-24:
// about 3e-6 of values near 1. A decoder's layer has ten of them one after the other (projection,
// scores, mixture and projection of two attentions, and the two of the feed-forward part), and its
// LayerNorms keep the size.
constexpr double kBound = 10 * 3e-6;

class LayerStepsTest : public ::testing::TestWithParam<InstructionSet> {
 protected:
  PlainRows random_rows(int64_t count, uint64_t seed) const {
    Rng rng(seed);
    PlainRows rows(static_cast<size_t>(count), PlainRow(24));
    for (PlainRow& row : rows) {
      // Numbers that float32 holds.
      for (double& value : row) value = static_cast<float>(rng.normal());
    }
    return rows;
  }

  static void append(std::vector<float>& values, const PlainRows& rows) {
    for (const PlainRow& row : rows) values.insert(values.end(), row.begin(), row.end());
  }

  // Rows of `hidden` from row `begin` on against `expected`.
  static void expect_near(const float* hidden, int64_t begin, const PlainRows& expected) {
    for (size_t row = 0; row < expected.size(); ++row) {
      for (size_t i = 0; i < 24; ++i) {
        const float found = hidden[(static_cast<size_t>(begin) + row) * 24 + i];
        ASSERT_NEAR(found, expected[row][i], kBound) << "row " << row << ", value " << i;
      }
    }
  }

  CpuContext context() { return {&threads_, &block_kernels(GetParam())}; }

  ThreadPool threads_{2};
};

// Three sequences, the last by another expert than the first two: one pass for all.
TEST_P(LayerStepsTest, AnEncoderLayerIsThePlainOne) {
  const ModelConfig config = engine_config(3);
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  const std::vector<PlainRows> sequences = {random_rows(1, 1), random_rows(7, 2),
                                            random_rows(24, 3)};
  const std::vector<Segment> segments = {{0, 1, 0}, {1, 7, 0}, {8, 24, 0}};
  const std::vector<LayerPart<EncoderExpert>> parts = {{&weights.encoder[1][2], 8},
                                                       {&weights.encoder[1][0], 24}};
  std::vector<float> hidden;
  for (const PlainRows& rows : sequences) append(hidden, rows);
  LayerScratch scratch(ComputeType::kFloat32, *context().blocks, 2);
  encoder_layer({context(), encoder_shape(config), scratch}, parts, segments, hidden.data());
  for (size_t s = 0; s < 3; ++s) {
    const PlainWeights layer{read,
                             "encoder.layers.1.experts." + std::to_string(s < 2 ? 2 : 0) + "."};
    expect_near(hidden.data(), segments[s].begin,
                plain_layer(config, sequences[s], nullptr, layer));
  }
}

// The feed-forward part holds 512 rows at a time; 600 rows need a second turn.
TEST_P(LayerStepsTest, ALayerOfManyRowsIsThePlainOne) {
  const ModelConfig config = engine_config(1);
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  std::vector<Segment> segments;
  std::vector<PlainRows> sequences;
  std::vector<float> hidden;
  for (int64_t s = 0; s < 30; ++s) {
    segments.push_back({s * 20, 20, 0});
    sequences.push_back(random_rows(20, static_cast<uint64_t>(100 + s)));
    append(hidden, sequences.back());
  }
  const LayerPart<EncoderExpert> part = {&weights.encoder[0][0], 600};
  LayerScratch scratch(ComputeType::kFloat32, *context().blocks, 2);
  encoder_layer({context(), encoder_shape(config), scratch}, {&part, 1}, segments, hidden.data());
  for (const size_t s : {size_t{0}, size_t{25}, size_t{29}}) {  // row 512 is in sequence 25
    expect_near(hidden.data(), segments[s].begin,
                plain_layer(config, sequences[s], nullptr, {read, "encoder.layers.0."}));
  }
}

TEST_P(LayerStepsTest, TokenGatesTakeTheirSegmentsRow) {
  ModelConfig config = engine_config(1);
  config.token_experts.num_experts = 4;
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  const PlainRows rows = random_rows(9, 4);
  const std::vector<Segment> segments = {{0, 9, 1}, {9, 9, 0}};
  std::vector<float> hidden;
  append(hidden, rows);
  append(hidden, rows);
  GateLog log;
  LayerScratch scratch(ComputeType::kFloat32, *context().blocks, 2);
  scratch.gate_log = &log;
  const LayerPart<EncoderExpert> part = {&weights.encoder[0][0], 18};
  encoder_layer({context(), encoder_shape(config), scratch}, {&part, 1}, segments, hidden.data());
  ASSERT_EQ(log.size(), 1u);
  ASSERT_EQ(log[0].size(), 18u);
  for (size_t s = 0; s < 2; ++s) {
    std::vector<PlainChoice> choices;
    expect_near(hidden.data(), segments[s].begin,
                plain_layer(config, rows, nullptr, {read, "encoder.layers.0."}, segments[s].gates,
                            &choices));
    for (size_t row = 0; row < 9; ++row) {
      EXPECT_EQ(static_cast<size_t>(log[0][s * 9 + row].expert), choices[row].expert);
      EXPECT_NEAR(log[0][s * 9 + row].probability, choices[row].probability, kBound);
    }
  }
}

// Two rows of one source and one of another, by two experts; each row's cells are scattered.
TEST_P(LayerStepsTest, DecoderStepsAreThePlainLayersPositions) {
  const ModelConfig config = engine_config(3);
  const TensorReader read = random_weights(config);
  EngineWeights weights(config, ComputeType::kFloat32, read);
  weights.load_all();
  const std::vector<size_t> source_of = {0, 0, 1}, expert_of = {1, 1, 2};
  const std::vector<PlainRows> memories = {random_rows(11, 5), random_rows(2, 6)};
  const std::vector<PlainRows> inputs = {random_rows(5, 7), random_rows(5, 8), random_rows(5, 9)};
  LayerScratch scratch(ComputeType::kFloat32, *context().blocks, 2);
  std::vector<PackedKeysValues> packed;
  for (size_t source = 0; source < 2; ++source) {
    std::vector<float> memory;
    append(memory, memories[source]);
    packed.emplace_back(ComputeType::kFloat32);
    pack_cross_memory({context(), decoder_shape(config), scratch}, weights.decoder[2][1 + source],
                      memory.data(), static_cast<int64_t>(memories[source].size()), packed[source]);
  }
  KeyValueCache cache(ComputeType::kFloat32, 1, 24);
  cache.reserve(15);
  const std::vector<std::vector<int32_t>> cells = {
      {14, 0, 7, 3, 9}, {1, 13, 2, 12, 4}, {6, 5, 11, 8, 10}};
  const std::vector<LayerPart<DecoderExpert>> parts = {{&weights.decoder[2][1], 2},
                                                       {&weights.decoder[2][2], 1}};
  for (size_t step = 0; step < 5; ++step) {
    std::vector<float> hidden;
    std::vector<DecoderRow> rows;
    for (size_t row = 0; row < 3; ++row) {
      append(hidden, {inputs[row][step]});
      rows.push_back(
          {cache.keys(0), std::span(cells[row]).first(step + 1), &packed[source_of[row]], 0});
    }
    decoder_layer_step({context(), decoder_shape(config), scratch}, parts, cache, rows,
                       hidden.data());
    for (size_t row = 0; row < 3; ++row) {
      const PlainRows seen(inputs[row].begin(),
                           inputs[row].begin() + static_cast<int64_t>(step) + 1);
      const PlainWeights layer{read,
                               "decoder.layers.2.experts." + std::to_string(expert_of[row]) + "."};
      const PlainRows expected = plain_layer(config, seen, &memories[source_of[row]], layer);
      expect_near(hidden.data(), static_cast<int64_t>(row), {expected.back()});
    }
  }
}

TEST_P(LayerStepsTest, RowsWithoutAPartAreABug) {
  const ModelConfig config = engine_config(1);
  EngineWeights weights(config, ComputeType::kFloat32, random_weights(config));
  weights.load_all();
  LayerScratch scratch(ComputeType::kFloat32, *context().blocks, 2);
  std::vector<float> hidden(3 * 24, 1);
  const LayerPart<EncoderExpert> part = {&weights.encoder[0][0], 2};
  const std::vector<Segment> segments = {{0, 3, 0}};
  EXPECT_THROW(encoder_layer({context(), encoder_shape(config), scratch}, {&part, 1}, segments,
                             hidden.data()),
               std::logic_error);
}

INSTANTIATE_TEST_SUITE_P(Sets, LayerStepsTest, ::testing::ValuesIn(available_instruction_sets()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace trivium
