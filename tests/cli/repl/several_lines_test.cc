#include "cli/repl/several_lines.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium::cli {
namespace {

// The prompt that the lines make, all but the last of which go on.
std::string prompt_of(const std::vector<std::string>& lines) {
  SeveralLines several;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::optional<ReplLine> whole = several.add(lines[i]);
    EXPECT_EQ(whole.has_value(), i + 1 == lines.size()) << lines[i];
    EXPECT_EQ(several.goes_on(), i + 1 < lines.size()) << lines[i];
    if (whole) return whole->prompt;
  }
  return "no prompt";
}

TEST(SeveralLinesTest, ABackslashGoesOn) {
  EXPECT_EQ(prompt_of({"a film"}), "a film");
  EXPECT_EQ(prompt_of({"a film \\", "of \\ two\\  ", "lines"}), "a film \nof \\ two\nlines");
  EXPECT_EQ(prompt_of({"\\", "x"}), "x");
}

TEST(SeveralLinesTest, QuotesHoldABlock) {
  EXPECT_EQ(prompt_of({"\"\"\"a\"\"\""}), "a");
  EXPECT_EQ(prompt_of({"\"\"\"", "/quit", "  b \\", "c", "\"\"\""}), "/quit\n  b \\\nc");
  EXPECT_EQ(prompt_of({" \"\"\" a", "b \"\"\" "}), "a\nb");
  EXPECT_EQ(prompt_of({"\"\"\"", "\"\"\""}), "");
  EXPECT_EQ(prompt_of({"say \"\"\""}), "say \"\"\"");
}

TEST(SeveralLinesTest, CommandsMayGoOnToo) {
  SeveralLines several;
  EXPECT_FALSE(several.add("/score a | \\"));
  const std::optional<ReplLine> whole = several.add("b");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->command, ReplCommand::kScore);
  EXPECT_EQ(whole->rest, "a | \nb");
}

TEST(SeveralLinesTest, WhatIsDroppedOrWrongIsForgotten) {
  SeveralLines several;
  EXPECT_FALSE(several.add("\"\"\"x"));
  several.drop();
  EXPECT_EQ(several.add("y")->prompt, "y");
  EXPECT_FALSE(several.add("/nothing \\"));
  EXPECT_THROW(several.add("x"), Error);
  EXPECT_EQ(several.add("y")->prompt, "y");
  EXPECT_FALSE(several.add("\"\"\"" + std::string(600000, 'x')));
  EXPECT_THROW(several.add(std::string(600000, 'x')), Error);
  EXPECT_FALSE(several.goes_on());
}

}  // namespace
}  // namespace trivium::cli
