#include "core/generation/logits_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trivium {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LogitsProcessor, BansTheEndsOfTrigramsThatBeganBefore) {
  SearchOptions options;
  options.no_repeat_ngram_size = 3;
  LogitsProcessor processor(options);
  processor.process(std::vector<int32_t>{2, 7, 8, 9, 7, 8, 5, 7, 8});
  EXPECT_THAT(processor.banned(), ElementsAre(5, 9));
  processor.process(std::vector<int32_t>{2, 7, 2, 7});  // the start token counts
  EXPECT_THAT(processor.banned(), ElementsAre(2));
  processor.process(std::vector<int32_t>{7, 7});
  EXPECT_THAT(processor.banned(), IsEmpty());
  processor.process(std::vector<int32_t>{2});
  EXPECT_THAT(processor.banned(), IsEmpty());
}

TEST(LogitsProcessor, OfUnigramsBansEveryIdUsed) {
  SearchOptions options;
  options.no_repeat_ngram_size = 1;
  LogitsProcessor processor(options);
  processor.process(std::vector<int32_t>{2, 9, 4});
  EXPECT_THAT(processor.banned(), ElementsAre(2, 4, 9));
}

TEST(LogitsProcessor, BansEosBelowTheMinimalLength) {
  SearchOptions options;
  options.min_length = 3;
  LogitsProcessor processor(options);
  processor.process(std::vector<int32_t>{2, 5});
  EXPECT_THAT(processor.banned(), ElementsAre(2));
  processor.process(std::vector<int32_t>{2, 5, 6});
  EXPECT_THAT(processor.banned(), IsEmpty());
}

TEST(LogitsProcessor, BansTheEndOfAWordThatHasBegun) {
  SearchOptions options;
  options.bad_words = {{9}, {7, 8}, {2, 7, 5}};
  LogitsProcessor processor(options);
  processor.process(std::vector<int32_t>{2, 7});
  EXPECT_THAT(processor.banned(), ElementsAre(8, 9)) << "a word may not be as long as the ids are";
  processor.process(std::vector<int32_t>{6, 2, 7});
  EXPECT_THAT(processor.banned(), ElementsAre(5, 8, 9));
  processor.process(std::vector<int32_t>{7, 2});
  EXPECT_THAT(processor.banned(), ElementsAre(9));
}

TEST(LogitsProcessor, SuppressesTokensAndTheFirstOnes) {
  SearchOptions options;
  options.suppressed = {6};
  options.suppressed_first = {4};
  LogitsProcessor processor(options);
  processor.process(std::vector<int32_t>{2});
  EXPECT_THAT(processor.banned(), ElementsAre(4, 6));
  processor.process(std::vector<int32_t>{2, 5});
  EXPECT_THAT(processor.banned(), ElementsAre(6));
  options.forced_bos_id = 0;  // the first that is free is the second
  LogitsProcessor forcing(options);
  forcing.process(std::vector<int32_t>{2, 0});
  EXPECT_THAT(forcing.banned(), ElementsAre(4, 6));
}

TEST(LogitsProcessor, PunishesEachTokenThatIsThereOnce) {
  SearchOptions options;
  EXPECT_FALSE(LogitsProcessor(options).penalizes());
  options.repetition_penalty = 2;
  LogitsProcessor processor(options);
  EXPECT_TRUE(processor.penalizes());
  std::vector<float> scores = {3, -3, 3, -3};
  processor.penalize(std::vector<int32_t>{2, 1, 1, 2}, scores);
  EXPECT_THAT(scores, ElementsAre(3, -6, 1.5f, -3));
}

TEST(LogitsProcessor, ForcesTheFirstAndTheLastToken) {
  SearchOptions options;
  options.max_length = 4;
  options.min_length = 4;
  options.forced_bos_id = 0;
  options.forced_eos_id = 2;
  LogitsProcessor processor(options);
  processor.process(std::vector<int32_t>{2});
  EXPECT_EQ(processor.forced(), 0);
  processor.process(std::vector<int32_t>{2, 0});
  EXPECT_EQ(processor.forced(), -1);
  processor.process(std::vector<int32_t>{2, 0, 5});  // overrides the minimal length
  EXPECT_EQ(processor.forced(), 2);
}

}  // namespace
}  // namespace trivium
