// search() against transformers' generate (tools/make_search_golden.py), and its checks of options.
#include "core/generation/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/generation/toy_decoder.h"

namespace trivium {
namespace {

Toy toy_from_json(const Json& json) {
  return {json["seed"], json["vocab_size"], json["memory"], json["eos_bonus"]};
}

SearchOptions options_from_json(const Json& json) {
  SearchOptions options;
  options.num_beams = json["num_beams"];
  options.max_length = json["max_length"];
  options.min_length = json["min_length"];
  options.length_penalty = json["length_penalty"];
  const Json& stopping = json["early_stopping"];
  options.beam_end = stopping == "never" ? BeamEnd::kAtMaxLength
                     : stopping == true  ? BeamEnd::kAtOnce
                                         : BeamEnd::kAsItIs;
  options.no_repeat_ngram_size = json["no_repeat_ngram_size"];
  options.start_id = json["start_id"];
  options.forced_bos_id = json["forced_bos_id"];
  options.forced_eos_id = json["forced_eos_id"];
  if (!json.contains("repetition_penalty")) return options;
  options.repetition_penalty = json["repetition_penalty"];
  options.bad_words = json["bad_words_ids"].get<std::vector<std::vector<int32_t>>>();
  options.suppressed = json["suppress_tokens"].get<std::vector<int32_t>>();
  options.suppressed_first = json["begin_suppress_tokens"].get<std::vector<int32_t>>();
  return options;
}

void expect_equal(const Hypothesis& ours, const Json& theirs) {
  EXPECT_EQ(ours.ids, theirs["ids"].get<std::vector<int32_t>>());
  EXPECT_EQ(ours.finished, theirs["finished"].get<bool>());
  if (theirs.contains("score")) {
    // Six decimals in the file; float32 sums of 20 terms below 16 round by less than 2e-5.
    EXPECT_NEAR(ours.score, theirs["score"].get<double>(), 2e-5 * (1 + std::fabs(ours.score)));
  }
}

TEST(Search, ChoosesTheIdsOfTransformers) {
  const Json cases = read_json_file(TRIVIUM_TEST_DATA "/generation/search.json");
  ASSERT_EQ(cases.size(), 449u);
  for (const Json& example : cases) {
    SCOPED_TRACE(example.dump());
    ToyDecoder decoder(toy_from_json(example["toy"]));
    const auto ours = search(decoder, options_from_json(example["options"]));
    ASSERT_EQ(ours.size(), example["results"].size());
    for (size_t i = 0; i < ours.size(); ++i) expect_equal(ours[i], example["results"][i]);
  }
}

TEST(Search, OfASourceDoesNotDependOnTheOthersInItsBatch) {
  const Json cases = read_json_file(TRIVIUM_TEST_DATA "/generation/search.json");
  for (const Json& example : cases) {
    ToyDecoder decoder(toy_from_json(example["toy"]), 1);  // the first source alone
    expect_equal(search(decoder, options_from_json(example["options"]))[0], example["results"][0]);
  }
}

TEST(Search, TakesWaitingSourcesInAndFindsTheSame) {
  const Json cases = read_json_file(TRIVIUM_TEST_DATA "/generation/search.json");
  for (const Json& example : cases) {
    SCOPED_TRACE(example.dump());
    const Toy toy = toy_from_json(example["toy"]);
    const SearchOptions options = options_from_json(example["options"]);
    for (const int places : {1, 2}) {
      ToyDecoder decoder(toy, 3, places);
      const auto ours = search(decoder, options);
      ASSERT_EQ(ours.size(), 3u);
      for (size_t i = 0; i < 3; ++i) expect_equal(ours[i], example["results"][i]);
      EXPECT_EQ(decoder.waiting(), 0);
    }
  }
}

TEST(Search, FillsAPlaceAsSoonAsItsSourceEnds) {
  const Toy toy{.seed = 5, .eos_bonus = 1};
  for (const int num_beams : {1, 3}) {
    SearchOptions options;
    options.num_beams = num_beams;
    options.max_length = 20;
    std::vector<int64_t> alone(12);  // steps of each source by itself
    ToyDecoder counting(toy, 12, 1);
    int64_t before = 0;
    search(counting, options, [&](int64_t source, const Hypothesis&) {
      alone[source] = counting.steps - before;
      before = counting.steps;
    });
    // Each place takes the next source when its own ends: the steps are the fullest place's.
    std::vector<int64_t> places(4);
    for (const int64_t steps : alone) *std::min_element(places.begin(), places.end()) += steps;
    ToyDecoder decoder(toy, 12, 4);
    std::vector<int64_t> order;
    search(decoder, options, [&](int64_t source, const Hypothesis&) { order.push_back(source); });
    EXPECT_EQ(decoder.steps, *std::max_element(places.begin(), places.end()));
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 12u);
  }
}

TEST(Search, OfNoSourcesIsEmpty) {
  for (const int num_beams : {1, 4}) {
    ToyDecoder decoder(Toy{}, 0);
    SearchOptions options;
    options.num_beams = num_beams;
    EXPECT_TRUE(search(decoder, options).empty());
  }
}

TEST(Search, EndsWhereEveryTokenIsBanned) {
  for (const int num_beams : {1, 2}) {
    ToyDecoder decoder({.vocab_size = 5, .eos_bonus = -100}, 1);
    SearchOptions options;
    options.num_beams = num_beams;
    options.no_repeat_ngram_size = 1;  // bans the start token, which is eos, and every id once used
    const Hypothesis hypothesis = search(decoder, options)[0];
    EXPECT_THAT(hypothesis.ids, testing::UnorderedElementsAre(0, 1, 3, 4));
    EXPECT_FALSE(hypothesis.finished);
  }
}

class NanDecoder : public ToyDecoder {
 public:
  NanDecoder() : ToyDecoder(Toy{}) {}
  std::span<const float> step(std::span<const int32_t> tokens) override {
    const auto logits = ToyDecoder::step(tokens);
    spoiled_.assign(logits.begin(), logits.end());
    spoiled_.back() = std::numeric_limits<float>::quiet_NaN();
    return spoiled_;
  }

 private:
  std::vector<float> spoiled_;
};

TEST(Search, NamesLogitsThatAreNotNumbers) {
  for (const int num_beams : {1, 4}) {
    NanDecoder decoder;
    SearchOptions options;
    options.num_beams = num_beams;
    try {
      search(decoder, options);
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadModel);
    }
  }
}

TEST(Search, RefusesImpossibleOptions) {
  const std::vector<void (*)(SearchOptions&)> spoilers = {
      [](SearchOptions& o) { o.num_beams = 0; },
      [](SearchOptions& o) { o.num_beams = 7; },  // the toy has 12 tokens
      [](SearchOptions& o) { o.max_length = 1; },
      [](SearchOptions& o) { o.min_length = -1; },
      [](SearchOptions& o) { o.repetition_penalty = 0; },
      [](SearchOptions& o) { o.bad_words = {{}}; },
      [](SearchOptions& o) {
        o.bad_words = {{1, 1000000}};
      },
      [](SearchOptions& o) { o.suppressed = {-1}; },
      [](SearchOptions& o) { o.length_penalty = std::nan(""); },
      [](SearchOptions& o) { o.no_repeat_ngram_size = -1; },
      [](SearchOptions& o) { o.start_id = 12; },
      [](SearchOptions& o) { o.eos_id = -1; },
      [](SearchOptions& o) { o.forced_bos_id = 12; },
      [](SearchOptions& o) { o.forced_eos_id = -2; },
      [](SearchOptions& o) { o.temperature = 0; },
      [](SearchOptions& o) { o.temperature = -1; },
      [](SearchOptions& o) { o.temperature = std::nan(""); },
      [](SearchOptions& o) { o.top_k = -1; },
      [](SearchOptions& o) { o.top_p = 0; },
      [](SearchOptions& o) { o.top_p = 1.1; },
      [](SearchOptions& o) { o.sample = true, o.num_beams = 2; },
  };
  for (size_t i = 0; i < spoilers.size(); ++i) {
    ToyDecoder decoder(Toy{});
    SearchOptions options;
    EXPECT_NO_THROW(search(decoder, options));
    spoilers[i](options);
    ToyDecoder fresh(Toy{});
    try {
      search(fresh, options);
      FAIL() << "no error from spoiler " << i;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kUsage) << error.what();
    }
  }
}

}  // namespace
}  // namespace trivium
