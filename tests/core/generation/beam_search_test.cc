#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/generation/continuous_search.h"
#include "core/generation/toy_decoder.h"

namespace trivium {
namespace {

// Beam search itself, which search() leaves alone for one beam.
std::vector<Hypothesis> beams_of(StepDecoder& decoder, const SearchOptions& options) {
  std::vector<Hypothesis> found(static_cast<size_t>(decoder.rows()));
  const auto shared = std::make_shared<const SearchOptions>(options);
  ContinuousSearch search(decoder);
  for (size_t i = 0; i < found.size(); ++i) {
    search.add(beamed_source(shared), [&](int64_t source, Hypothesis hypothesis) {
      found[source] = std::move(hypothesis);
    });
  }
  while (search.step()) {
  }
  return found;
}

using Scored = std::pair<double, std::vector<int32_t>>;

// Every sequence of `source` that extends `ids`, by trying each token.
void add_all(const ToyDecoder& decoder, int source, const std::vector<int32_t>& ids, double sum,
             const SearchOptions& options, std::vector<Scored>& all) {
  for (int32_t token = 0; token < decoder.vocab_size(); ++token) {
    const double score = sum + decoder.log_probability(source, ids, token);
    std::vector<int32_t> longer = ids;
    longer.push_back(token);
    if (token != options.eos_id && static_cast<int>(longer.size()) < options.max_length) {
      add_all(decoder, source, longer, score, options, all);
    } else {
      all.push_back({score / std::pow(ids.size(), options.length_penalty), longer});
    }
  }
}

TEST(BeamSearch, WithBeamsForAllPrefixesFindsTheBestSequences) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    for (const double length_penalty : {0.0, 1.0}) {
      ToyDecoder decoder({.seed = seed, .vocab_size = 6}, 1);
      SearchOptions options;
      options.max_length = 4;
      options.length_penalty = length_penalty;
      options.num_beams = 6 * 6 * 6;  // every prefix, and no early end: the search is complete
      options.n_best = 5;
      std::vector<Scored> all;
      add_all(decoder, 0, {options.start_id}, 0, options, all);
      std::sort(all.rbegin(), all.rend());
      Hypothesis hypothesis = beams_of(decoder, options)[0];
      ASSERT_EQ(hypothesis.others.size(), 4u);
      std::vector<Hypothesis> found = {hypothesis};
      found.insert(found.end(), hypothesis.others.begin(), hypothesis.others.end());
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(found[i].score, all[i].first, 1e-5);  // float32 sums of 3 terms below 10
        std::vector<int32_t> ids(all[i].second.begin() + 1, all[i].second.end());
        EXPECT_EQ(found[i].finished, ids.back() == options.eos_id);
        if (found[i].finished) ids.pop_back();
        EXPECT_EQ(found[i].ids, ids);
        EXPECT_TRUE(found[i].others.empty() || i == 0);
      }
    }
  }
}

TEST(BeamSearch, OfOneBeamWithEarlyStoppingIsGreedy) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    SearchOptions options;
    options.max_length = 12;
    options.length_penalty = 0;
    options.beam_end = BeamEnd::kAtOnce;
    options.no_repeat_ngram_size = 2;
    options.forced_bos_id = 0;
    ToyDecoder decoder({.seed = seed, .memory = 1}), other({.seed = seed, .memory = 1});
    const auto beam = beams_of(decoder, options);
    const auto greedy = search(other, options);
    for (size_t i = 0; i < beam.size(); ++i) {
      EXPECT_EQ(beam[i].ids, greedy[i].ids);
      EXPECT_EQ(beam[i].finished, greedy[i].finished);
      EXPECT_NEAR(beam[i].score, greedy[i].score, 1e-5);  // float32 sums of 12 terms below 10
    }
  }
}

TEST(BeamSearch, DecodesNoRowThatCannotMatter) {
  ToyDecoder decoder({.eos_bonus = 100}, 3);
  SearchOptions options;
  options.num_beams = 4;
  options.forced_bos_id = 0;
  options.beam_end = BeamEnd::kAtOnce;
  for (const Hypothesis& hypothesis : beams_of(decoder, options)) {
    EXPECT_THAT(hypothesis.ids, testing::ElementsAre(0));
    EXPECT_TRUE(hypothesis.finished);
  }
  // A row a source at the forced token and at the first choice, then four: each adds a hypothesis
  // that ends in eos, which makes five where four are enough.
  EXPECT_EQ(decoder.rows_stepped, 3 + 3 + 3 * 4);
}

TEST(BeamSearch, EndsByLengthUnfinishedUnlessEosIsForced) {
  for (const bool forced : {false, true}) {
    ToyDecoder decoder({.eos_bonus = -100});
    SearchOptions options;
    options.num_beams = 3;
    options.max_length = 7;
    if (forced) options.forced_eos_id = options.eos_id;
    for (const Hypothesis& hypothesis : beams_of(decoder, options)) {
      EXPECT_EQ(hypothesis.ids.size(), forced ? 5u : 6u);
      EXPECT_EQ(hypothesis.finished, forced);
    }
  }
}

}  // namespace
}  // namespace trivium
