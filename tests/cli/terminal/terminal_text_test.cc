#include "cli/terminal/terminal_text.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/text.h"

namespace trivium::cli {
namespace {

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

}  // namespace
}  // namespace trivium::cli
