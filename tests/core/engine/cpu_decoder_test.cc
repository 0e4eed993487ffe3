// Decoders that share work: rows that ask for more than others, and sources that come one by one.
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/engine/engine.h"
#include "core/engine/random_weights.h"

namespace trivium {
namespace {

EngineOptions with(ComputeType type, int threads) {
  EngineOptions options;
  options.type = type;
  options.threads = threads;
  return options;
}

// A batch in which one row needs every logit gives the others the very numbers of one without it.
TEST(ScanTest, OfAWholeRowHasTheNumbersOfAScanInPieces) {
  ModelConfig config = engine_config(1);
  config.vocab_size = 1500;  // two pieces and a part of one
  const TensorReader read = random_weights(config);
  const TaskRoute route = random_route(config, Routes::kOneHot, 8);
  for (const ComputeType type :
       {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
    const auto engine = make_engine(config, with(type, 2), read);
    const std::vector<std::vector<int32_t>> sources(3, random_ids(config, 20, 3));
    const std::vector<const TaskRoute *> routes(sources.size(), &route);
    const std::vector<int32_t> tokens = {5, 600, 1400};
    const std::vector<std::vector<int32_t>> banned = {{}, {0, 511, 512, 1499}, {}};
    std::vector<LogitScan> whole(3, LogitScan(4));
    {
      const auto decoder = engine->start(sources, routes, 3, 8);
      const std::span<const float> logits = decoder->step(tokens);
      for (size_t row = 0; row < 3; ++row) {
        whole[row].read(logits.subspan(row * 1500, 1500), banned[row]);
      }
    }
    const auto decoder = engine->start(sources, routes, 3, 8);
    const std::span<const LogitScan> scans = decoder->step_scan(tokens, 4, banned);
    for (size_t row = 0; row < 3; ++row) {
      for (size_t i = 0; i < 4; ++i) {
        const Candidate &found = scans[row].best()[i], &expected = whole[row].best()[i];
        EXPECT_EQ(found.token, expected.token);
        EXPECT_EQ(found.logit, expected.logit);
        EXPECT_EQ(scans[row].log_probability(found.logit),
                  whole[row].log_probability(expected.logit));
      }
    }
  }
}

// Sources that come one by one have the logits that they have alone, along mixed routes too.
TEST(EmptyDecoderTest, TakesItsSourcesOneByOne) {
  const ModelConfig config = engine_config(3);
  const TensorReader read = random_weights(config);
  std::vector<TaskRoute> routes;
  for (uint64_t i = 0; i < 3; ++i) {
    routes.push_back(random_route(config, i == 1 ? Routes::kSoft : Routes::kOneHot, 40 + i));
  }
  for (const ComputeType type :
       {ComputeType::kFloat32, ComputeType::kBfloat16, ComputeType::kInt8}) {
    const auto engine = make_engine(config, with(type, 2), read);
    const auto shared = engine->start_empty({&routes[0], &routes[1], &routes[2]}, 2);
    EXPECT_EQ(shared->rows(), 0);
    std::vector<std::vector<float>> expected, found(3);
    for (uint64_t i = 0; i < 3; ++i) {
      const std::vector<std::vector<int32_t>> source = {random_ids(config, 9 + i, i)};
      const auto alone = engine->start(source, {&routes[i]}, 1, 8);
      const std::span<const float> logits = alone->step(std::vector<int32_t>{7});
      expected.emplace_back(logits.begin(), logits.end());
      shared->add_source(source[0], &routes[i]);
    }
    EXPECT_EQ(shared->waiting(), 3);
    EXPECT_EQ(shared->admit(), 2);
    const auto width = static_cast<size_t>(config.vocab_size);
    std::span<const float> logits = shared->step(std::vector<int32_t>{7, 7});
    for (size_t i = 0; i < 2; ++i) {
      found[i].assign(logits.begin() + i * width, logits.begin() + (i + 1) * width);
    }
    shared->select_rows({});
    EXPECT_EQ(shared->admit(), 1);
    logits = shared->step(std::vector<int32_t>{7});
    found[2].assign(logits.begin(), logits.end());
    EXPECT_EQ(found, expected) << name_of(type);
    const std::vector<int32_t> long_ids(static_cast<size_t>(config.max_position_embeddings) + 1, 5);
    EXPECT_EQ(error_of([&] { shared->add_source(long_ids, &routes[0]); }).substr(0, 2), "64");
    EXPECT_EQ(shared->waiting(), 0);
    const std::vector<std::vector<int32_t>> short_source = {{5}};
    EXPECT_THROW(engine->start(short_source, {&routes[0]}, 1, 1)->add_source({5}, &routes[1]),
                 std::logic_error)
        << "a route that mixes more experts than the decoder was made for";
  }
}

}  // namespace
}  // namespace trivium
