#include "core/tokenizers/gpt2_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unicode/regex.h>

#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;

TEST(Gpt2Words, SplitsAsThePatternSays) {
  EXPECT_THAT(split_gpt2_words("Hello  world!"), ElementsAre("Hello", " ", " world", "!"));
  EXPECT_THAT(split_gpt2_words("don't DON'T 'tis"),
              ElementsAre("don", "'t", " DON", "'", "T", " '", "tis"));
  EXPECT_THAT(split_gpt2_words("a1b  \n c"), ElementsAre("a", "1", "b", "  \n", " c"));
  EXPECT_THAT(split_gpt2_words("a\n\nb\n"), ElementsAre("a", "\n", "\n", "b", "\n"));
  EXPECT_THAT(split_gpt2_words("x  "), ElementsAre("x", "  "));
  EXPECT_THAT(split_gpt2_words(" 'd've..."), ElementsAre(" '", "d", "'ve", "..."));
  EXPECT_THAT(split_gpt2_words(""), ElementsAre());
}

// Characters that are the same in the Unicode versions of ICU and of unicode_tables.inc.
TEST(Gpt2Words, EqualsTheRegularExpressionOnRandomTexts) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::UnicodeString pattern = icu::UnicodeString::fromUTF8(
      R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
  icu::RegexMatcher matcher(pattern, 0, status);
  ASSERT_TRUE(U_SUCCESS(status));
  const std::vector<std::string> pieces = {
      " ",      " ",      "  ",         "\n",     "\t",     "\u00A0", "\u3000", "'",      "'s",
      "'re",    "'ll",    "l",          "d",      "A",      "s",      "t",      "\u00E9", "\u4E2D",
      "\u05D0", "1",      "42",         "\u00BD", "\u2167", "\u0663", ".",      "-",      "!?",
      "\u0301", "\u200D", "\U0001F600", "_",      "$",      "\u2014"};
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    GoldenRandom random(seed);
    std::string text;
    for (uint32_t i = random.below(20); i > 0; --i) text += random.choice(pieces);
    std::vector<std::string> expected;
    const icu::UnicodeString wide = icu::UnicodeString::fromUTF8(text);
    matcher.reset(wide);
    while (matcher.find(status)) matcher.group(status).toUTF8String(expected.emplace_back());
    const auto words = split_gpt2_words(text);
    EXPECT_EQ(std::vector<std::string>(words.begin(), words.end()), expected) << text;
  }
}

}  // namespace
}  // namespace trivium
