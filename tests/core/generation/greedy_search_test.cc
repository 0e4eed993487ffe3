#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/base/error.h"
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
  const auto hypotheses =
      search(decoder, SearchOptions(), [&](int64_t source, const ChosenToken& token) {
        streamed[source].push_back(token.id);
        return true;
      });
  for (int source = 0; source < 3; ++source) EXPECT_EQ(streamed[source], hypotheses[source].ids);
}

// Greedy and sampled, with and without a penalty and other sources beside that ask for more.
TEST(GreedySearch, TellsTheLikeliestTokensOfEachPlace) {
  for (const bool samples : {false, true}) {
    for (const double penalty : {1.0, 1.5}) {
      SearchOptions options;
      options.max_length = 10;
      options.min_length = 10;
      options.alternatives = 3;
      options.sample = samples;
      options.temperature = 2;
      options.repetition_penalty = penalty;
      ToyDecoder decoder({.seed = 5}), reference({.seed = 5});
      std::map<int64_t, std::vector<int32_t>> ids;
      const auto on_token = [&](int64_t source, const ChosenToken& token) {
        std::vector<int32_t>& before = ids.try_emplace(source, 1, options.start_id).first->second;
        const auto expected = [&](int32_t id) {
          return reference.log_probability(static_cast<int>(source), before, id);
        };
        EXPECT_NEAR(token.log_probability, expected(token.id), 1e-5);
        EXPECT_EQ(token.alternatives.size(), 3u);
        std::vector<int32_t> order;
        for (int32_t id = 0; id < 12; ++id) {
          if (id != options.eos_id) order.push_back(id);  // banned before min_length
        }
        std::stable_sort(order.begin(), order.end(),
                         [&](int32_t a, int32_t b) { return expected(a) > expected(b); });
        for (size_t i = 0; i < 3; ++i) {
          EXPECT_EQ(token.alternatives[i].id, order[i]);
          EXPECT_NEAR(token.alternatives[i].log_probability, expected(order[i]), 1e-5);
        }
        before.push_back(token.id);
        return true;
      };
      search(decoder, options, on_token);
      EXPECT_EQ(ids.size(), 3u);
    }
  }
}

// What the model would have written by itself, forced, is gone on with as it would have been.
TEST(GreedySearch, GoesOnAfterAPrefix) {
  for (const int beams : {1, 2}) {
    SearchOptions options;
    options.max_length = 20;
    options.min_length = 12;
    ToyDecoder free_decoder({.seed = 5});
    const auto found = search(free_decoder, options);
    options.prefix.assign(found[0].ids.begin(), found[0].ids.begin() + 4);
    options.num_beams = beams;
    ToyDecoder decoder({.seed = 5});
    const auto forced = search(decoder, options);
    for (const Hypothesis& one : forced) {
      ASSERT_GE(one.ids.size(), 11u);
      EXPECT_TRUE(std::equal(options.prefix.begin(), options.prefix.end(), one.ids.begin()));
      EXPECT_EQ(one.log_probabilities.size(), one.ids.size() + (one.finished ? 1 : 0));
      for (int i = 0; i < 4; ++i) EXPECT_EQ(one.log_probabilities[i], 0);
      for (int i = 4; i < 10; ++i) EXPECT_LT(one.log_probabilities[i], 0);
    }
    if (beams > 1) continue;
    EXPECT_EQ(forced[0].ids, found[0].ids);
    EXPECT_EQ(
        std::vector(forced[0].log_probabilities.begin() + 4, forced[0].log_probabilities.end()),
        std::vector(found[0].log_probabilities.begin() + 4, found[0].log_probabilities.end()));
  }
}

TEST(GreedySearch, RefusesAPrefixThatLeavesNoRoom) {
  SearchOptions options;
  options.max_length = 5;
  options.prefix = {3, 4, 5};
  check_search_options(options, 12);
  options.prefix = {3, 4, 5, 6};
  EXPECT_THROW(check_search_options(options, 12), Error);
  options.prefix = {12};
  EXPECT_THROW(check_search_options(options, 12), Error);
}

TEST(GreedySearch, TheCallbackEndsItsSourceOnly) {
  ToyDecoder decoder({.eos_bonus = -100});
  SearchOptions options;
  options.max_length = 10;
  const auto hypotheses =
      search(decoder, options, [](int64_t source, const ChosenToken&) { return source != 1; });
  EXPECT_EQ(hypotheses[0].ids.size(), 9u);
  EXPECT_EQ(hypotheses[1].ids.size(), 1u);
  EXPECT_EQ(hypotheses[2].ids.size(), 9u);
}

}  // namespace
}  // namespace trivium
