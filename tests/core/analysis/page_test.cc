#include "core/analysis/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "core/analysis/page_assets.h"
#include "core/base/file.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;

TEST(FillTemplateTest, FillsNamesFlagsAndLists) {
  const Json values = {
      {"name", "<&>"}, {"yes", true}, {"no", false}, {"items", {{{"n", 1}}, {{"n", 2}}}}};
  EXPECT_EQ(fill_template("{{name}} {{{name}}}{{#yes}} yes{{/yes}}{{#no}} no{{/no}}", values),
            "&lt;&amp;&gt; <&> yes");
  EXPECT_EQ(fill_template("{{#items}}[{{n}}{{name}}]{{/items}}", values),
            "[1&lt;&amp;&gt;][2&lt;&amp;&gt;]");
}

TEST(FillTemplateTest, ALineOfATagAloneLeavesNoLine) {
  EXPECT_EQ(fill_template("a\n{{#yes}}\nb\n{{/yes}}\nc\n", {{"yes", true}}), "a\nb\nc\n");
}

TEST(FillTemplateTest, ValuesAreNoTemplates) {
  EXPECT_EQ(fill_template("{{{a}}}", {{"a", "{{b}}"}}), "{{b}}");
}

TEST(FillTemplateTest, AMissingNameOrABrokenTemplateIsABug) {
  EXPECT_THROW(fill_template("{{name}}", {{"other", "x"}}), std::logic_error);
  EXPECT_THROW(fill_template("{{#name}}", {{"name", true}}), std::logic_error);
}

TEST(WholePageTest, HasEveryPartInItsPlace) {
  const std::string page = whole_page(
      {"A <title>", "it's", "css {}\n", "js();\n", "<main></main>\n", {{"a", "</script>"}}});
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>\n"));
  EXPECT_THAT(page, HasSubstr("<title>A &lt;title&gt;</title>\n<style>\ncss {}\n</style>"));
  EXPECT_THAT(page,
              HasSubstr("<h1>A &lt;title&gt;</h1>\n<p>it&#39;s</p></header>\n<main></main>\n"));
  EXPECT_THAT(page,
              HasSubstr("id=\"data\">{\"a\":\"\\u003c/script\\u003e\"}</script>\n<script>\njs();"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(PageAssetsTest, AreTheFilesByteForByte) {
  const auto file = [](const std::string& name) {
    return read_file(std::string(TRIVIUM_SOURCE_DIR) + "/src/core/analysis/assets/" + name);
  };
  EXPECT_EQ(kPageHtml, file("page.html"));
  EXPECT_EQ(kRoutesPageHtml, file("routes_page.html"));
  EXPECT_EQ(kRoutesPageCss, file("routes_page.css"));
  EXPECT_EQ(kRoutesPageJs, file("routes_page.js"));
  EXPECT_EQ(kGatesPageHtml, file("gates_page.html"));
  EXPECT_EQ(kGatesPageCss, file("gates_page.css"));
  EXPECT_EQ(kGatesPageJs, file("gates_page.js"));
  EXPECT_EQ(kHeatMapCss, file("heat_map.css"));
}

}  // namespace
}  // namespace trivium
