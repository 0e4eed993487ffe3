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
