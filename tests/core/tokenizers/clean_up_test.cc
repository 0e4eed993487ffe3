#include "core/tokenizers/clean_up.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

TEST(CleanUp, TakesSpacesBeforePunctuationAndContractions) {
  EXPECT_EQ(clean_up_spaces("a . b ? c ! d , e"), "a. b? c! d, e");
  EXPECT_EQ(clean_up_spaces("I do n't , I 'm , it 's , we 've , you 're"),
            "I don't, I'm, it's, we've, you're");
  EXPECT_EQ(clean_up_spaces("rock ' roll"), "rock'roll");
  EXPECT_EQ(clean_up_spaces(" . . ."), "...");
}

TEST(CleanUp, LeavesTheRest) {
  EXPECT_EQ(clean_up_spaces(""), "");
  EXPECT_EQ(clean_up_spaces("a  b ; c : d 'll"), "a  b ; c : d 'll");
}

}  // namespace
}  // namespace trivium
