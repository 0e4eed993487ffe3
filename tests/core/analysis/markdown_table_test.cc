#include "core/analysis/markdown_table.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

TEST(MarkdownTableTest, PutsColumnsInLine) {
  MarkdownTable table({"name", "n"}, {false, true});
  table.add({"é", "12345"});
  table.add({"a|b\nc", "6"});
  EXPECT_EQ(table.to_string(),
            "| name   |     n |\n"
            "| ------ | ----: |\n"
            "| é      | 12345 |\n"
            "| a\\|b c |     6 |\n");
}

TEST(MarkdownTableTest, FormatsNumbers) {
  EXPECT_EQ(formatted("%+.2f", 0.125), "+0.12");
  EXPECT_EQ(formatted("%.2g", 1.234e-9), "1.2e-09");
}

}  // namespace
}  // namespace trivium
