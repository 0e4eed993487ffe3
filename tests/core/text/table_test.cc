#include "core/text/table.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace trivium {
namespace {

Table named_numbers() {
  Table table({{"name"}, {"n", Align::kRight}});
  table.add({"é", "12345"});
  table.add({"a|b\nc", "6"});
  return table;
}

TEST(TableTest, MarkdownEscapesBarsAndStandsInLine) {
  EXPECT_EQ(named_numbers().to_markdown(),
            "| name   |     n |\n"
            "| ------ | ----: |\n"
            "| é      | 12345 |\n"
            "| a\\|b c |     6 |\n");
}

TEST(TableTest, TextHasNoBarsAndNoSpacesAtTheEndOfALine) {
  EXPECT_EQ(named_numbers().to_text(),
            "name       n\n"
            "é      12345\n"
            "a|b c      6\n");
  Table table({{"a"}, {"b"}});
  table.add({"x", ""});
  EXPECT_EQ(table.to_text(), "a  b\nx\n");
}

TEST(TableTest, WideCharactersTakeTwoColumns) {
  Table table({{"a"}, {"b"}});
  table.add({"東京", "1"});
  table.add({"e\xCC\x81", "2"});
  EXPECT_EQ(table.to_text(), "a     b\n東京  1\ne\xCC\x81     2\n");
  EXPECT_EQ(table.to_markdown(),
            "| a    | b   |\n| ---- | --- |\n| 東京 | 1   |\n"
            "| e\xCC\x81    | 2   |\n");
}

TEST(TableTest, TakesThePowerFromWhatATerminalObeys) {
  Table table({{"a"}});
  table.add({"\x1b[2J\xC2\x9B\xFF"});
  EXPECT_EQ(table.to_text(), "a\n [2J\uFFFD\uFFFD\n");
}

TEST(TableTest, ARowHasACellForEveryColumn) {
  EXPECT_THROW(named_numbers().add({"alone"}), std::logic_error);
}

}  // namespace
}  // namespace trivium
