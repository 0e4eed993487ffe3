#include "core/analysis/heat_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/analysis/toy_routes.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(HeatMapTest, HasARowATaskAndACellAnExpert) {
  const RouteDump dump = toy_routes();
  const std::string svg = heat_map_svg(dump);
  EXPECT_EQ(count_of(svg, "<g class=\"row\""), 6u);
  EXPECT_EQ(count_of(svg, "<rect class=\"cell\" data-column"), 6u * 6);
  EXPECT_EQ(count_of(svg, "<circle class=\"used\""), 6u * 2 + 1);  // and the legend's
  for (const RouteRow& row : dump.tasks) EXPECT_THAT(svg, HasSubstr(">" + row.task + "</text>"));
  EXPECT_THAT(svg, HasSubstr("task1: encoder 2, expert 2: 0.6100"));
  EXPECT_THAT(svg, HasSubstr("fill-opacity=\"0.610\"><title>task1: encoder 2, expert 2"));
  // A family is named once where it begins.
  EXPECT_EQ(count_of(svg, ">odd</text>"), 3u);
  EXPECT_EQ(count_of(svg, "visibility=\"hidden\">odd</text>"), 2u);
}

TEST(HeatMapTest, EscapesAndShortensNames) {
  RouteDump dump = toy_routes(2);
  dump.tasks[0].task = "<script>alert(1)</script>";
  dump.tasks[0].family = "a\"b&c";
  dump.tasks[1].task = "a task with a name that is far too long for its column";
  const std::string svg = heat_map_svg(dump);
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_THAT(svg, HasSubstr("a&quot;b&amp;c"));
  EXPECT_THAT(svg, HasSubstr(">a task with a name that is…</text>"));
  EXPECT_THAT(svg, HasSubstr("far too long for its column: encoder 2"));
}

}  // namespace
}  // namespace trivium
