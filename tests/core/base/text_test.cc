#include "core/base/text.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

const std::string kReplacement = "\xEF\xBF\xBD";

TEST(TextTest, TellsWellFormedUtf8) {
  for (const std::string good :
       {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
    EXPECT_EQ(replace_invalid_utf8(good), good);
  }
  for (const std::string bad :
       {"\x80", "\xC3", "\xC0\xAF", "\xE2\x82", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"}) {
    EXPECT_FALSE(is_valid_utf8(bad));
  }
}

// Unicode 3.9, table 3-8: one replacement a maximal subpart.
TEST(TextTest, ReplacesMaximalSubparts) {
  EXPECT_EQ(replace_invalid_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a" + kReplacement + kReplacement + kReplacement + "b" + kReplacement + "c" +
                kReplacement + kReplacement + "d");
}

TEST(TextTest, CodePointsBecomeUtf8AndBack) {
  for (CodePoint c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_TRUE(is_valid_utf8(text));
    size_t position = 0;
    ASSERT_EQ(next_code_point(text, position), c);
    ASSERT_EQ(position, text.size());
  }
}

TEST(TextTest, KeepsWhatStandsAroundIllFormedBytes) {
  EXPECT_EQ(replace_invalid_utf8("\x80\xC3\xA9\xFF"), kReplacement + "\xC3\xA9" + kReplacement);
  EXPECT_EQ(replace_invalid_utf8("ab\xED\xA0\x80"),
            "ab" + kReplacement + kReplacement + kReplacement);
  EXPECT_EQ(replace_invalid_utf8("ab\xF0\x9F\x98"), "ab" + kReplacement);
}

TEST(TextTest, TrimsSplitsAndLowers) {
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
  EXPECT_EQ(to_lower_ascii("AbZ\xC3\x89"), "abz\xC3\x89");
}

TEST(TextTest, NearestNamesAreNear) {
  const std::vector<std::string> names = {"sst2", "sst5", "snli", "mnli", "wic"};
  EXPECT_EQ(nearest_names("sst3", names, 2), (std::vector<std::string>{"sst2", "sst5"}));
  EXPECT_TRUE(nearest_names("unrelated", names).empty());
  EXPECT_EQ(did_you_mean("snl", {"snli"}), "; did you mean snli?");
  EXPECT_EQ(did_you_mean("unrelated", names), "");
  EXPECT_EQ(name_hint("snl", {"snli"}), "; did you mean snli?");
  EXPECT_EQ(name_hint("unrelated", names), "; there are sst2, sst5, snli and 2 more");
  EXPECT_EQ(name_hint("unrelated", {"cb", "wic"}), "; there are cb and wic");
  EXPECT_EQ(name_hint("unrelated", {"cb"}), "; there is cb");
  EXPECT_EQ(name_hint("unrelated", {}), "");
}

}  // namespace
}  // namespace trivium
