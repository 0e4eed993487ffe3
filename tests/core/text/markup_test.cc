#include "core/text/markup.h"

#include <gtest/gtest.h>

namespace trivium {
namespace {

TEST(EscapeMarkupTest, LeavesNothingThatMarkupActsOn) {
  EXPECT_EQ(escape_markup("<b a='1' c=\"2\">&amp;"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;");
  EXPECT_EQ(escape_markup("naïve 😀"), "naïve 😀");
  EXPECT_EQ(escape_markup(std::string("a\0\x1b\x7f", 4)), "a\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(escape_markup("\xff"), "\uFFFD");
  EXPECT_EQ(escape_markup("\xEF\xBF\xBE|\xEF\xBF\xBF"), "\uFFFD|\uFFFD");
}

TEST(ScriptJsonTest, NothingEndsTheElement) {
  const Json json = {{"a", "</script><!--&"}};
  const std::string text = script_json(json);
  EXPECT_EQ(text, "{\"a\":\"\\u003c/script\\u003e\\u003c!--\\u0026\"}");
  EXPECT_EQ(Json::parse(text), json);
}

}  // namespace
}  // namespace trivium
