#include "core/tokenizers/bert_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trivium {
namespace {

using ::testing::ElementsAre;

std::string uncased(std::string_view text) { return normalize_bert_text(text, {}); }

TEST(BertText, CleansText) {
  EXPECT_EQ(uncased("a\tb\nc\rd"), "a b c d");
  EXPECT_EQ(uncased(std::string_view("a\0b", 3)), "ab");
  EXPECT_EQ(uncased("a\uFFFDb\x01\x0B\u200B\u00AD\uE000c"), "abc");
  EXPECT_EQ(uncased("a\u00A0b\u3000c\u2028d"), "a b c d");
}

TEST(BertText, PutsSpacesAroundIdeographs) {
  EXPECT_EQ(uncased("a\u6771\u4EAC"), "a \u6771  \u4EAC ");
  EXPECT_EQ(uncased("\u304B"), "\u304B");  // kana are not ideographs
}

TEST(BertText, StripsAccentsAndLowersCase) {
  EXPECT_EQ(uncased("H\u00C9llo \u0130 \u1E9E \u00C5"), "hello i \u00DF a");
  EXPECT_EQ(uncased("\uD55C"), "\u1112\u1161\u11AB");  // Hangul falls into its letters
  EXPECT_EQ(uncased("\u03A3\u03AF"), "\u03C3\u03B9");
}

TEST(BertText, KeepsCaseAndAccentsWhereAsked) {
  EXPECT_EQ(normalize_bert_text("H\u00C9", {.lower_case = false, .strip_accents = false}),
            "H\u00C9");
  EXPECT_EQ(normalize_bert_text("H\u00C9", {.lower_case = false, .strip_accents = true}), "HE");
  EXPECT_EQ(normalize_bert_text("\u0130", {.lower_case = true, .strip_accents = false}), "i\u0307");
}

TEST(BertText, SplitsAtSpaceAndPunctuation) {
  EXPECT_THAT(split_bert_words("don't stop,  now!"),
              ElementsAre("don", "'", "t", "stop", ",", "now", "!"));
  EXPECT_THAT(split_bert_words("$5+x\u2014y\u3002"),
              ElementsAre("$", "5", "+", "x", "\u2014", "y", "\u3002"));
  EXPECT_THAT(split_bert_words("\u20AC5"), ElementsAre("\u20AC5"));  // a symbol, not punctuation
  EXPECT_THAT(split_bert_words(" \n"), ElementsAre());
}

}  // namespace
}  // namespace trivium
