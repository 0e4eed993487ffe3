#include "cli/terminal/terminal_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "cli/repl/answer_stream.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

TerminalStyle plain(size_t width = 80) { return {.width = width, .utf8 = true, .colour = false}; }

TEST(TerminalTextTest, WrapsAndCutsAtColumns) {
  EXPECT_EQ(wrap("one two three", plain(7), 2), "one two\n  three");
  EXPECT_EQ(wrap("  one two", plain(6), 2), "  one\n  two");
  EXPECT_EQ(wrap("unbreakable", plain(5)), "unbreakable");
  EXPECT_EQ(wrap("a unbreakable b", plain(5)), "a\nunbreakable\nb");
  EXPECT_EQ(wrap("", plain()), "");
  EXPECT_EQ(cut("東京都", 5, plain()), "東京…");
  EXPECT_EQ(cut("abc", 3, plain()), "abc");
  TerminalStyle ascii = plain();
  ascii.utf8 = false;
  EXPECT_EQ(cut("abcdefgh", 6, ascii), "abc...");
}

TEST(TerminalTextTest, SetsWordsInColumns) {
  EXPECT_EQ(in_columns({"a", "bb", "c", "d", "e"}, plain(10)), "a   c   e\nbb  d\n");
  EXPECT_EQ(in_columns({"longer than the width"}, plain(5)), "longer than the width\n");
}

TEST(TerminalTextTest, PaintsOnlyInColour) {
  EXPECT_EQ(paint("x", Ink::kDim, plain()), "x");
  TerminalStyle coloured = plain();
  coloured.colour = true;
  EXPECT_EQ(paint("x", Ink::kDim, coloured), "\x1b[2mx\x1b[0m");
}

TEST(TerminalTextTest, AsksTheEnvironment) {
  setenv("LC_ALL", "de_DE.UTF-8", 1);
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  EXPECT_TRUE(style_of_standard_output(true).utf8);
  EXPECT_TRUE(style_of_standard_output(true).colour);
  EXPECT_FALSE(style_of_standard_output(false).colour);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(style_of_standard_output(true).colour);
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  EXPECT_FALSE(style_of_standard_output(true).colour);
  setenv("LC_ALL", "C", 1);
  EXPECT_FALSE(style_of_standard_output(true).utf8);
}

TEST(AnswerStreamTest, HoldsBackWhatMayStillChange) {
  EXPECT_EQ(settled_bytes(""), 0u);
  EXPECT_EQ(settled_bytes("do"), 0u);
  EXPECT_EQ(settled_bytes("i do"), 1u);
  // A text without spaces flows as well, by whole characters.
  std::string cjk;
  for (int i = 0; i < 20; ++i) cjk += "語";
  EXPECT_GT(settled_bytes(cjk), 20u);
  EXPECT_EQ(settled_bytes(cjk) % 3, 0u);
}

TEST(AnswerStreamTest, PrintsEachPartOnce) {
  const TerminalStyle style = plain();
  std::ostringstream out;
  AnswerStream stream(out, style);
  stream.update("i");
  EXPECT_EQ(out.str(), "");
  stream.update("i do");
  EXPECT_EQ(out.str(), "i");
  stream.update("i do n");
  EXPECT_EQ(out.str(), "i do");
  stream.update("i don't");  // the clean-up took the space back
  stream.finish("i don't\x1b");
  EXPECT_EQ(out.str(), std::string("i don't") + kReplacement + "\n");
}

TEST(AnswerStreamTest, StartsAgainWhereTheAnswerChangedItsBeginning) {
  const TerminalStyle style = plain();
  std::ostringstream out;
  AnswerStream stream(out, style);
  stream.update("a b c");
  stream.finish("x y");
  EXPECT_EQ(out.str(), "a b\nx y\n");
}

}  // namespace
}  // namespace trivium::cli
