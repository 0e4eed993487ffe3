#include "core/metrics/normalization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trivium {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(NormalizedWords, AnArticleIsAWholeWordAfterPunctuationIsDeleted) {
  EXPECT_THAT(normalized_words("The cat, a dog AND an ape"),
              ElementsAre("cat", "dog", "and", "ape"));
  EXPECT_THAT(normalized_words("t.h.e a_ theatre x-the-y a1"),
              ElementsAre("theatre", "xthey", "a1"));
  EXPECT_THAT(normalized_words("the—cat a\xCC\x81"), ElementsAre("—cat", "\xCC\x81"));
  EXPECT_THAT(normalized_words("thé éa"), ElementsAre("thé", "éa"));
  EXPECT_THAT(normalized_words(" a an the !? "), IsEmpty());
}

TEST(IsAsciiPunctuation, IsPythonsStringPunctuation) {
  std::string punctuation;
  for (int c = 0; c < 0x300; ++c) {
    if (is_ascii_punctuation(c)) punctuation += static_cast<char>(c);
  }
  EXPECT_EQ(punctuation, R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~)");
}

TEST(NormalizedWords, KeepsPunctuationOutsideAscii) {
  EXPECT_THAT(normalized_words("«Ça» 「の」"), ElementsAre("«ça»", "「の」"));
}

TEST(SplitOnWhiteSpace, KnowsPythonsWhiteSpace) {
  EXPECT_THAT(split_on_white_space("\x1f a\u00a0b\u3000c\x85"
                                   "\u2028d\n"),
              ElementsAre("a", "b", "c\x85", "d"));
}

TEST(ToLowerUnicode, FoldsAsPython) {
  EXPECT_EQ(to_lower_unicode("ÀÉÎ ΑΣ İ ẞ \u212a"), "àéî ας i\u0307 ß k");
}

TEST(NormalizedWords, IsLinearInTheText) {
  // A quadratic pass over 4 MB would not end in a test's time.
  std::string text;
  for (int i = 0; i < 1 << 20; ++i) text += "a-b ";
  EXPECT_EQ(normalized_words(text).size(), size_t{1} << 20);
}

}  // namespace
}  // namespace trivium
