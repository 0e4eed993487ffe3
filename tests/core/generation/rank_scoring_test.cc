#include <gtest/gtest.h>

#include "core/generation/search.h"
#include "core/generation/toy_decoder.h"

namespace trivium {
namespace {

using Options = std::vector<std::vector<std::vector<int32_t>>>;

constexpr int32_t kStart = 2;

void expect_teacher_forced_scores(const ToyDecoder& reference, const Options& options,
                                  const std::vector<std::vector<double>>& scores) {
  ASSERT_EQ(scores.size(), options.size());
  for (size_t source = 0; source < options.size(); ++source) {
    ASSERT_EQ(scores[source].size(), options[source].size());
    for (size_t i = 0; i < options[source].size(); ++i) {
      std::vector<int32_t> ids = {kStart};
      double expected = 0;
      for (const int32_t token : options[source][i]) {
        expected += reference.log_probability(static_cast<int>(source), ids, token);
        ids.push_back(token);
      }
      // A float32 log-probability below 16 for each of at most 5 tokens.
      EXPECT_NEAR(scores[source][i], expected, 1e-5) << source << " " << i;
    }
  }
}

TEST(ScoreOptions, SumsTheLogProbabilitiesOfEachOption) {
  const Options options = {
      {{7, 8, 2}, {7, 2}, {7, 8, 9, 10, 2}, {0, 2}, {7, 8, 2}},  // shared, doubled, out of order
      {{2}},
      {{5, 6, 2}, {4, 6, 2}, {5, 6}, {5, 6, 2, 2}},  // one begins another
  };
  ToyDecoder decoder(Toy{}), reference(Toy{});
  expect_teacher_forced_scores(reference, options, score_options(decoder, kStart, options));
}

TEST(ScoreOptions, SharesCommonBeginningsAndDropsEndedOptions) {
  ToyDecoder decoder(Toy{}, 2);
  score_options(decoder, kStart, {{{7, 8, 2}, {7, 8, 9, 2}, {5, 2}}, {{4, 2}}});
  // Step 1: a row a source. Step 2: after 7, after 5; after 4. Step 3: after 7 8. Step 4: after 7
  // 8 9.
  EXPECT_EQ(decoder.rows_stepped, 2 + 3 + 1 + 1);
}

TEST(ScoreOptions, ASourceMayHaveNone) {
  const Options options = {{{7, 2}}, {}, {{8, 2}, {7, 2}}};
  ToyDecoder decoder(Toy{}), reference(Toy{});
  expect_teacher_forced_scores(reference, options, score_options(decoder, kStart, options));
}

TEST(ScoreOptions, ProbabilitiesOfAllSequencesSumToOne) {
  Options options(1);
  for (int32_t a = 0; a < 12; ++a) {
    for (int32_t b = 0; b < 12; ++b) options[0].push_back({a, b});
  }
  ToyDecoder decoder(Toy{}, 1);
  double sum = 0;
  const auto scores = score_options(decoder, kStart, options);
  for (const double score : scores[0]) sum += std::exp(score);
  EXPECT_NEAR(sum, 1, 1e-6);  // float32 log-probabilities
}

TEST(ScoreOptions, RefusesTokensOutsideTheVocabulary) {
  for (const std::vector<int32_t>& option : {std::vector<int32_t>{}, {12}, {-1}}) {
    ToyDecoder decoder(Toy{}, 1);
    EXPECT_THROW(score_options(decoder, kStart, {{option}}), std::logic_error);
  }
}

}  // namespace
}  // namespace trivium
