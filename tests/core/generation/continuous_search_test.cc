#include "core/generation/continuous_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "core/generation/toy_decoder.h"

namespace trivium {
namespace {

std::shared_ptr<const SearchOptions> shared(SearchOptions options) {
  return std::make_shared<const SearchOptions>(std::move(options));
}

// Ways to search, of which some read every logit, some look at more tokens than others, and all end
// at different times.
std::vector<std::shared_ptr<const SearchOptions>> ways() {
  return {shared({.max_length = 9}),
          shared({.num_beams = 4, .max_length = 12}),
          shared({.max_length = 14, .sample = true, .temperature = 1.5, .top_k = 5, .seed = 3}),
          shared({.num_beams = 2, .max_length = 6, .no_repeat_ngram_size = 2}),
          shared({.max_length = 11, .repetition_penalty = 1.4}),
          shared({.num_beams = 3, .max_length = 8, .repetition_penalty = 0.7}),
          shared({.max_length = 5, .sample = true, .top_p = 0.6, .seed = 3})};
}

std::map<int64_t, Hypothesis> run(ToyDecoder& decoder,
                                  const std::vector<std::shared_ptr<const SearchOptions>>& ways) {
  std::map<int64_t, Hypothesis> found;
  ContinuousSearch search(decoder);
  for (size_t i = 0; i < ways.size(); ++i) {
    search.add(ways[i], i, [&](int64_t source, Hypothesis hypothesis) {
      EXPECT_TRUE(found.emplace(source, std::move(hypothesis)).second);
    });
  }
  while (search.step()) {
  }
  return found;
}

void expect_same(const Hypothesis& found, const Hypothesis& expected) {
  EXPECT_EQ(found.ids, expected.ids);
  EXPECT_EQ(found.score, expected.score) << "to the bit";
  EXPECT_EQ(found.finished, expected.finished);
}

// ToyDecoder's logits depend on the source's number, so that the way of source 4, say, is compared
// with a batch in which all sources are searched that way.
TEST(ContinuousSearch, EachSourceIsSearchedInItsWayWhateverTheOthers) {
  const Toy toy{.seed = 9, .vocab_size = 40};
  const auto all = ways();
  const auto count = static_cast<int>(all.size());
  ToyDecoder mixed(toy, count);
  const std::map<int64_t, Hypothesis> found = run(mixed, all);
  ASSERT_EQ(found.size(), all.size());
  ToyDecoder few_places(toy, count, 2);
  const std::map<int64_t, Hypothesis> taken_in = run(few_places, all);
  for (size_t way = 0; way < all.size(); ++way) {
    ToyDecoder same(toy, count);
    const auto expected = run(same, std::vector(all.size(), all[way]));
    const auto source = static_cast<int64_t>(way);
    expect_same(found.at(source), expected.at(source));
    expect_same(taken_in.at(source), expected.at(source));
  }
}

// Sources that come while others are decoded, and after all others have ended.
TEST(ContinuousSearch, SourcesMayComeAtAnyTime) {
  const Toy toy{.seed = 4, .eos_bonus = 1};
  ToyDecoder together(toy, 4);
  const std::vector four(4, shared({.max_length = 15}));
  const auto expected = run(together, four);

  ToyDecoder decoder(toy, 1, 2);
  std::map<int64_t, Hypothesis> found;
  ContinuousSearch search(decoder);
  const auto add = [&](int64_t source) {
    search.add(four[0], 0, [&, source](int64_t number, Hypothesis hypothesis) {
      EXPECT_EQ(number, source);
      found[number] = std::move(hypothesis);
    });
  };
  add(0);
  EXPECT_TRUE(search.step());
  for (int64_t source = 1; source <= 2; ++source) {
    decoder.add_source();
    add(source);
  }
  while (search.step()) {
  }
  EXPECT_EQ(found.size(), 3u);
  EXPECT_FALSE(search.step());
  decoder.add_source();
  add(3);
  while (search.step()) {
  }
  ASSERT_EQ(found.size(), 4u);
  for (int64_t source = 0; source < 4; ++source) {
    expect_same(found.at(source), expected.at(source));
  }
}

// One of beams that is decoded, one that waits, and one that has ended already.
TEST(ContinuousSearch, ACancelledSourceLeavesAndTheOthersStay) {
  const Toy toy{.seed = 4, .eos_bonus = -100};
  const std::vector ways = {shared({.max_length = 3}), shared({.num_beams = 3, .max_length = 15}),
                            shared({.max_length = 10}), shared({.max_length = 12}),
                            shared({.num_beams = 2, .max_length = 12})};
  ToyDecoder together(toy, 5);
  const auto expected = run(together, ways);
  ToyDecoder decoder(toy, 5, 3);
  std::map<int64_t, Hypothesis> found;
  ContinuousSearch search(decoder);
  for (size_t i = 0; i < ways.size(); ++i) {
    search.add(ways[i], i, [&](int64_t source, Hypothesis hypothesis) {
      found[source] = std::move(hypothesis);
    });
  }
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(search.step());
  EXPECT_EQ(found.size(), 1u);
  for (const int64_t source : {0, 1, 4}) search.cancel(source);
  while (search.step()) {
  }
  ASSERT_EQ(found.size(), 3u);
  for (const int64_t source : {0, 2, 3}) expect_same(found.at(source), expected.at(source));
}

TEST(ContinuousSearch, ASourceWithoutASearchIsABug) {
  ToyDecoder decoder({}, 2);
  ContinuousSearch search(decoder);
  search.add(shared({}), 0, [](int64_t, const Hypothesis&) {});
  EXPECT_THROW(search.step(), std::logic_error);
}

}  // namespace
}  // namespace trivium
