#include "core/text/display_text.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

TEST(SanitiseTest, TakesThePowerFromWhatATerminalObeys) {
  const std::string r = kReplacement;
  EXPECT_EQ(sanitise("\x1b[2Jred\x07"), r + "[2Jred" + r);
  EXPECT_EQ(sanitise("a\rb\x7f"), "a" + r + "b" + r);
  EXPECT_EQ(sanitise("\xC2\x9B"
                     "31m"),
            r + "31m");                                  // C1 control sequence introducer
  EXPECT_EQ(sanitise("x\xE2\x80\xAEy"), "x" + r + "y");  // right-to-left override
  EXPECT_EQ(sanitise("a\xFF\xC3"), "a" + r + r);
  EXPECT_EQ(sanitise(std::string("a\0b", 3)), "a" + r + "b");
}

TEST(SanitiseTest, KeepsText) {
  const std::string text = "tab\tline\nnaïve 東京 👩‍👩‍👧 e\xCC\x81";
  EXPECT_EQ(sanitise(text), text);
}

TEST(DisplayTextTest, MeasuresColumns) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("naïve"), 5u);
  EXPECT_EQ(display_width("東京"), 4u);
  EXPECT_EQ(display_width("e\xCC\x81"), 1u);
  EXPECT_EQ(display_width("🎬"), 2u);
}

TEST(DisplayTextTest, PadsToColumns) {
  EXPECT_EQ(pad("東", 3), "東 ");
  EXPECT_EQ(pad_left("é", 3), "  é");
  EXPECT_EQ(pad("long", 2), "long");
  EXPECT_EQ(pad_left("long", 2), "long");
}

TEST(DisplayTextTest, APrefixHoldsWholeCharacters) {
  EXPECT_EQ(fitting_prefix("東京都", 5), "東京");
  EXPECT_EQ(fitting_prefix("abc", 3), "abc");
  EXPECT_EQ(fitting_prefix("e\xCC\x81x", 1), "e\xCC\x81");
  EXPECT_EQ(fitting_prefix("abc", 0), "");
}

}  // namespace
}  // namespace trivium
