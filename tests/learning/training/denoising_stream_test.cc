#include "learning/training/denoising_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "core/base/error.h"
#include "learning/training/toy_training.h"

namespace trivium::learning {
namespace {

constexpr int32_t kMask = 4;  // of tiny_tokenizer()

TEST(InfillTextTest, KeepsTheOrderAndMasksItsShare) {
  Rng rng(1);
  std::vector<int32_t> tokens(60);
  std::iota(tokens.begin(), tokens.end(), 100);
  double masks = 0;
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<int32_t> noisy = infill_text(tokens, kMask, {}, rng);
    std::vector<int32_t> rest;
    std::copy_if(noisy.begin(), noisy.end(), std::back_inserter(rest),
                 [](int32_t id) { return id != kMask; });
    EXPECT_TRUE(std::is_sorted(rest.begin(), rest.end()));
    EXPECT_TRUE(std::includes(tokens.begin(), tokens.end(), rest.begin(), rest.end()));
    EXPECT_EQ(rest.size(), 42u);  // 30 % of 60 are gone, exactly
    masks += static_cast<double>(noisy.size() - rest.size());
  }
  // 18 masked tokens in spans of 3 in the mean (longer, where spans touch or overlap and merge; cut
  // at the end of the budget), and a few inserted masks: about 1 in 20 of the draws is a span of 0.
  EXPECT_GT(masks / kRounds, 4.0);
  EXPECT_LT(masks / kRounds, 8.0);
}

TEST(InfillTextTest, SpansThatTouchBecomeOneMask) {
  Rng rng(1);
  DenoisingOptions options;
  options.mask_ratio = 0.9;
  std::vector<int32_t> tokens(10, 7);
  for (int round = 0; round < 50; ++round) {
    const std::vector<int32_t> noisy = infill_text(tokens, kMask, options, rng);
    // One token of 10 is left: at most a mask on each side, and one inserted before it.
    EXPECT_EQ(std::count(noisy.begin(), noisy.end(), 7), 1);
    EXPECT_LE(std::count(noisy.begin(), noisy.end(), kMask), 3);
  }
  EXPECT_TRUE(infill_text({}, kMask, {}, rng).empty());
  options.mask_ratio = 0;
  EXPECT_EQ(infill_text(tokens, kMask, options, rng), tokens);
}

TEST(SplitSentencesTest, SplitsBehindFullStops) {
  EXPECT_EQ(split_sentences("One. Two?  Three! 4.5 is a number."),
            (std::vector<std::string>{"One.", "Two?", "Three!", "4.5 is a number."}));
  EXPECT_EQ(split_sentences("  no end "), std::vector<std::string>{"no end"});
  EXPECT_TRUE(split_sentences(" ").empty());
}

class DenoisingStreamTest : public ::testing::Test {
 protected:
  DenoisingStream make(uint64_t seed,
                       DenoisingOptions options = {.max_length = 20, .batch_tokens = 100}) {
    std::vector<std::string> paragraphs = {"short"};
    for (char c = 'a'; c < 'a' + 20; ++c) {
      std::ostringstream text;
      for (int i = 0; i < 6; ++i) text << c << ' ';
      text << ". b b b b b b c! d e f g h.";
      paragraphs.push_back(text.str());
    }
    return DenoisingStream(paragraphs, *tokenizer_, options, seed);
  }

  static bool same(const std::vector<EncodedExample>& a, const std::vector<EncodedExample>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const EncodedExample& x, const EncodedExample& y) {
                        return x.source == y.source && x.target == y.target;
                      });
  }

  std::shared_ptr<Tokenizer> tokenizer_ = tiny_tokenizer();
};

TEST_F(DenoisingStreamTest, TargetsAreTheTextAndSourcesItsCorruption) {
  DenoisingStream stream = make(1);
  size_t examples = 0, permuted = 0;
  while (examples < 20) {
    const auto batch = stream.next_batch();
    EXPECT_LE(batch.size(), 5u);  // 100 tokens of 20
    for (const EncodedExample& example : batch) {
      ++examples;
      ASSERT_EQ(example.target.size(), 20u);  // cut
      EXPECT_EQ(example.source.front(), 2);
      EXPECT_EQ(example.source.back(), 3);
      EXPECT_EQ(example.target.front(), 2);
      EXPECT_EQ(example.target.back(), 3);
      EXPECT_GT(std::count(example.source.begin(), example.source.end(), kMask), 0);
      // 30 % of the 18 tokens between bos and eos.
      std::vector<int32_t> rest, sorted(example.target.begin() + 1, example.target.end() - 1);
      std::copy_if(example.source.begin() + 1, example.source.end() - 1, std::back_inserter(rest),
                   [](int32_t id) { return id != kMask; });
      EXPECT_EQ(rest.size(), 13u);
      std::vector<int32_t> sorted_rest = rest;
      std::sort(sorted.begin(), sorted.end());
      std::sort(sorted_rest.begin(), sorted_rest.end());
      EXPECT_TRUE(
          std::includes(sorted.begin(), sorted.end(), sorted_rest.begin(), sorted_rest.end()));
      // In order: rest is a subsequence of the target unless sentences were permuted.
      size_t matched = 0;
      for (int32_t id : example.target) matched += matched < rest.size() && rest[matched] == id;
      permuted += matched < rest.size();
    }
  }
  EXPECT_GT(permuted, 5u);
}

TEST_F(DenoisingStreamTest, ATargetDoesNotSayWhatTheDecoderBeginsWith) {
  const int32_t bos = tokenizer_->special().bos;
  DenoisingStream other = make(1);
  DenoisingStream stream =
      make(1, {.max_length = 20, .batch_tokens = 100, .decoder_start_id = bos});
  const auto with_bos = other.next_batch(), without = stream.next_batch();
  ASSERT_EQ(without.size(), with_bos.size());
  for (size_t i = 0; i < without.size(); ++i) {
    EXPECT_EQ(without[i].source, with_bos[i].source);
    EXPECT_EQ(without[i].target,
              std::vector<int32_t>(with_bos[i].target.begin() + 1, with_bos[i].target.end()));
  }
  EXPECT_DOUBLE_EQ(stream.mean_batch_size(), 5);  // 100 tokens of 20
}

TEST_F(DenoisingStreamTest, PermutesOnlyWhenAsked) {
  DenoisingStream stream = make(1, {.mask_ratio = 0, .permute_sentences = false, .max_length = 64});
  for (int i = 0; i < 4; ++i) {
    for (const EncodedExample& example : stream.next_batch()) {
      EXPECT_EQ(example.source, example.target);
    }
  }
}

TEST_F(DenoisingStreamTest, IsSeededAndNeverTheSameTwice) {
  DenoisingStream stream = make(1), same_seed = make(1), other_seed = make(2);
  std::vector<std::vector<int32_t>> sources;
  for (int i = 0; i < 12; ++i) {  // three epochs of four batches
    const auto batch = stream.next_batch();
    EXPECT_TRUE(same(batch, same_seed.next_batch()));
    EXPECT_FALSE(same(batch, other_seed.next_batch()));
    for (const auto& example : batch) sources.push_back(example.source);
  }
  EXPECT_EQ(sources.size(), 60u);
  std::sort(sources.begin(), sources.end());
  const auto distinct = std::unique(sources.begin(), sources.end()) - sources.begin();
  EXPECT_GT(distinct, 55);  // new noise in every epoch
}

TEST_F(DenoisingStreamTest, GoesOnFromItsState) {
  DenoisingStream stream = make(1);
  for (int i = 0; i < 9; ++i) {
    DenoisingStream restored = make(77);
    restored.set_state(stream.state());
    EXPECT_EQ(restored.state(), stream.state());
    for (int ahead = 0; ahead < 5; ++ahead) {
      DenoisingStream reference = make(55);
      reference.set_state(restored.state());
      EXPECT_TRUE(same(restored.next_batch(), reference.next_batch()));
    }
    DenoisingStream again = make(77);
    again.set_state(stream.state());
    EXPECT_TRUE(same(stream.next_batch(), again.next_batch())) << "batch " << i;
  }
}

TEST_F(DenoisingStreamTest, NamesWhatItCannotUse) {
  EXPECT_EQ(error_of([&] { DenoisingStream({"a b"}, *tokenizer_, {}, 1); }).substr(0, 3), "65:");
  DenoisingStream stream = make(1);
  for (const char* state : {"", "{}", "[1]", "{\"epoch\":1}"}) {
    EXPECT_EQ(error_of([&] { stream.set_state(state); }).substr(0, 3), "76:") << state;
  }
  DenoisingStream fewer({"a b c d e f g h i"}, *tokenizer_, {}, 1);
  EXPECT_EQ(error_of([&] { fewer.set_state(stream.state()); }).substr(0, 3), "76:");
}

}  // namespace
}  // namespace trivium::learning
