#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/generation/search.h"
#include "core/generation/toy_decoder.h"

namespace trivium {
namespace {

TEST(GreedySearch, TakesTheMostProbableTokenOfEachStep) {
  const Toy toy{.seed = 5, .eos_bonus = 1};
  SearchOptions options;
  options.max_length = 20;
  ToyDecoder decoder(toy), reference(toy);
  const auto hypotheses = search(decoder, options);
  int64_t steps = 0;
  for (int source = 0; source < 3; ++source) {
    std::vector<int32_t> ids = {options.start_id};
    double score = 0;
    int32_t token = -1;
    while (token != options.eos_id && ids.size() < 20) {
      const std::vector<float> logits = reference.logits(source, ids);
      token = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
      score += reference.log_probability(source, ids, token);
      if (token != options.eos_id) ids.push_back(token);
      ++steps;
    }
    ids.erase(ids.begin());
    EXPECT_EQ(hypotheses[source].ids, ids);
    EXPECT_NEAR(hypotheses[source].score, score, 1e-5);  // float32 log-probabilities below 16
    EXPECT_EQ(hypotheses[source].finished, token == options.eos_id);
  }
  EXPECT_EQ(decoder.rows_stepped, steps) << "an ended source stayed in the batch";
}

TEST(GreedySearch, StreamsTheIdsOfTheResult) {
  ToyDecoder decoder({.seed = 5, .eos_bonus = 1});
  std::map<int64_t, std::vector<int32_t>> streamed;
  const auto hypotheses = search(decoder, SearchOptions(), [&](int64_t source, int32_t id) {
    streamed[source].push_back(id);
    return true;
  });
  for (int source = 0; source < 3; ++source) EXPECT_EQ(streamed[source], hypotheses[source].ids);
}

TEST(GreedySearch, TheCallbackEndsItsSourceOnly) {
  ToyDecoder decoder({.eos_bonus = -100});
  SearchOptions options;
  options.max_length = 10;
  const auto hypotheses =
      search(decoder, options, [](int64_t source, int32_t) { return source != 1; });
  EXPECT_EQ(hypotheses[0].ids.size(), 9u);
  EXPECT_EQ(hypotheses[1].ids.size(), 1u);
  EXPECT_EQ(hypotheses[2].ids.size(), 9u);
}

}  // namespace
}  // namespace trivium
