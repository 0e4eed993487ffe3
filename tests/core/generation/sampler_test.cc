#include "core/generation/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/generation/search.h"
#include "core/generation/toy_decoder.h"

namespace trivium {
namespace {

constexpr int kDraws = 20000;
// Five standard errors of a frequency.
constexpr double kTolerance = 5 * 0.5 / 141.4;

// Probabilities 0.4, 0.3, 0.2, 0.1 of tokens 3, 0, 2, 1.
const std::vector<float> kLogits = {std::log(3.0f), std::log(1.0f), std::log(2.0f), std::log(4.0f)};

std::map<int32_t, double> frequencies(const SearchOptions& options,
                                      const std::vector<int32_t>& banned = {}) {
  Sampler sampler(options);
  LogitScan scan(options.top_k);
  scan.read(kLogits, banned);
  Rng rng(1);
  std::map<int32_t, double> counts;
  for (int i = 0; i < kDraws; ++i) counts[sampler.draw(kLogits, banned, scan, rng)] += 1.0 / kDraws;
  return counts;
}

void expect_frequencies(std::map<int32_t, double> found,
                        const std::map<int32_t, double>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  for (const auto& [token, share] : expected) EXPECT_NEAR(found[token], share, kTolerance) << token;
}

TEST(Sampler, DrawsByProbability) {
  expect_frequencies(frequencies({}), {{0, 0.3}, {1, 0.1}, {2, 0.2}, {3, 0.4}});
}

TEST(Sampler, NeverDrawsWhatIsBanned) {
  expect_frequencies(frequencies({}, {0, 2}), {{1, 0.2}, {3, 0.8}});
  expect_frequencies(frequencies({.top_k = 2}, {0, 2}), {{1, 0.2}, {3, 0.8}});
  expect_frequencies(frequencies({}, {0, 1, 2, 3}), {{-1, 1.0}});
}

TEST(Sampler, TemperatureIsAPowerOfProbability) {
  expect_frequencies(frequencies({.temperature = 0.5}),
                     {{0, 9 / 30.0}, {1, 1 / 30.0}, {2, 4 / 30.0}, {3, 16 / 30.0}});
  expect_frequencies(frequencies({.temperature = 1e-6}, {3}), {{0, 1.0}});
}

TEST(Sampler, TopKKeepsTheMostProbable) {
  expect_frequencies(frequencies({.top_k = 2}), {{0, 3 / 7.0}, {3, 4 / 7.0}});
  expect_frequencies(frequencies({.top_k = 1}), {{3, 1.0}});
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  expect_frequencies(frequencies({.top_p = 0.71}), {{0, 3 / 9.0}, {2, 2 / 9.0}, {3, 4 / 9.0}});
  expect_frequencies(frequencies({.top_p = 0.69}), {{0, 3 / 7.0}, {3, 4 / 7.0}});
  expect_frequencies(frequencies({.top_p = 1e-9}), {{3, 1.0}});
}

TEST(Sampler, TopPComesAfterTopK) {
  // Of tokens 3 and 0 alone, 3 has 4/7.
  expect_frequencies(frequencies({.top_k = 2, .top_p = 0.57}), {{3, 1.0}});
  expect_frequencies(frequencies({.top_k = 2, .top_p = 0.58}), {{0, 3 / 7.0}, {3, 4 / 7.0}});
}

std::vector<std::vector<int32_t>> sample(int sources, uint64_t seed) {
  ToyDecoder decoder({.eos_bonus = 2}, sources);
  SearchOptions options;
  options.sample = true;
  options.seed = seed;
  std::vector<std::vector<int32_t>> ids;
  for (Hypothesis& hypothesis : search(decoder, options)) ids.push_back(std::move(hypothesis.ids));
  return ids;
}

TEST(Sampling, IsSetByItsSeedAndNotByTheBatch) {
  const auto of_eight = sample(8, 1);
  EXPECT_EQ(sample(8, 1), of_eight);
  EXPECT_NE(sample(8, 2), of_eight);
  const auto of_three = sample(3, 1);
  EXPECT_TRUE(std::equal(of_three.begin(), of_three.end(), of_eight.begin()));
}

TEST(Sampling, ScoresByTheModelsOwnProbabilities) {
  const Toy toy{.eos_bonus = 2};
  ToyDecoder decoder(toy, 1);
  SearchOptions options;
  options.sample = true;
  options.temperature = 2;
  options.top_k = 5;
  const Hypothesis hypothesis = search(decoder, options)[0];
  std::vector<int32_t> option = hypothesis.ids;
  if (hypothesis.finished) option.push_back(options.eos_id);
  ToyDecoder other(toy, 1);
  EXPECT_NEAR(hypothesis.score, score_options(other, options.start_id, {{option}})[0][0], 1e-9);
}

}  // namespace
}  // namespace trivium
