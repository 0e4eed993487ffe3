#include "core/data/mustache_text.h"

#include <gmock/gmock.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string render(const std::string& text, const Json& fields) {
  return MustacheText(text, "t").render(fields, "r");
}

TEST(MustacheText, FillsFieldsWithoutEscaping) {
  EXPECT_EQ(render("{{a}} & {{ b }}", {{"a", "<x> \"q\""}, {"b", "{{a}}"}}), "<x> \"q\" & {{a}}");
  EXPECT_EQ(render("no tags", Json::object()), "no tags");
}

TEST(MustacheText, SepStandsBetweenFieldsAndInNone) {
  EXPECT_EQ(render("{{a}}{{sep}}{{b}}", {{"a", "x"}, {"b", "y\x1ez"}}), "x\x1ey z");
  EXPECT_EQ(render("{{#choices}}{{sep}}{{text}}{{/choices}}", {{"choices", {"r\x1e", "b"}}}),
            "\x1er \x1e"
            "b");
  EXPECT_THAT(MustacheText("{{a}}{{sep}}{{b}}", "t").fields(), ElementsAre("a", "b"));
}

TEST(MustacheText, RendersChoicesWithLetters) {
  const Json fields = {{"q", "which?"}, {"choices", {"red", "blue"}}};
  EXPECT_EQ(render("{{q}}{{#choices}} ({{letter}}) {{text}}{{/choices}}", fields),
            "which? (A) red (B) blue");
}

TEST(MustacheText, SectionsOnTextDependOnItsBeingEmpty) {
  const std::string text = "x{{#a}} a: {{a}}{{/a}}{{^a}} none{{/a}}";
  EXPECT_EQ(render(text, {{"a", "1"}}), "x a: 1");
  EXPECT_EQ(render(text, {{"a", ""}}), "x none");
}

TEST(MustacheText, ListsFieldsInOrder) {
  EXPECT_THAT(
      MustacheText("{{b}} {{a}} {{b}} {{#choices}}{{letter}}{{text}}{{/choices}} {{#c}}{{d}}{{/c}}",
                   "t")
          .fields(),
      ElementsAre("b", "a", "choices", "c", "d"));
  EXPECT_THAT(MustacheText("{{text}}{{letter}}", "t").fields(), ElementsAre("text", "letter"));
}

TEST(MustacheText, NamesMissingAndWrongFields) {
  EXPECT_THAT(error_of([] {
                render("{{a}}", {{"b", "x"}});
              }),
              AllOf(StartsWith("65: r: "), HasSubstr("\"a\"")));
  EXPECT_THAT(error_of([] { render("{{#a}}x{{/a}}", Json::object()); }), StartsWith("65: r: "));
  EXPECT_THAT(error_of([] { render("{{a}}", {{"a", 3}}); }), StartsWith("65: r: "));
  EXPECT_THAT(error_of([] { render("{{a}}", Json("text")); }), StartsWith("65: r: "));
  // Only a choice has a letter.
  EXPECT_THAT(error_of([] {
                render("{{#a}}{{letter}}{{/a}}", {{"a", "x"}});
              }),
              StartsWith("65: r: "));
}

TEST(MustacheText, RefusesWhatPromptsDoNotNeed) {
  for (const char* text :
       {"{{a", "{{}}", "{{{a}}}", "{{&a}}", "{{> a}}", "{{! a}}", "{{=<% %>=}}", "{{.}}", "{{a.b}}",
        "{{#a}}", "{{/a}}", "{{#a}}{{#b}}{{/a}}{{/b}}", "{{#a b}}{{/a b}}", "{{#a}}{{^b}}{{/b}}",
        "{{#a}}{{#b}}{{#c}}{{#d}}{{#e}}{{/e}}{{/d}}{{/c}}{{/b}}{{/a}}", "{{\n}}", "{{#}}{{/}}"}) {
    EXPECT_THAT(error_of([&] { MustacheText(text, "t"); }), StartsWith("64: t: ")) << text;
  }
  EXPECT_THAT(error_of([] { MustacheText(std::string(20000, 'x'), "t"); }), HasSubstr("16 KiB"));
}

TEST(MustacheText, BoundsItsOutput) {
  Json fields = {{"choices", Json::array()}, {"long", std::string(100000, 'x')}};
  for (int i = 0; i < 1000; ++i) fields["choices"].push_back("x");
  EXPECT_THAT(error_of([&] { render("{{#choices}}{{long}}{{/choices}}", fields); }),
              HasSubstr("4 MiB"));
  // 1000^3 rounds that write nothing.
  EXPECT_THAT(error_of([&] {
                render("{{#choices}}{{#choices}}{{#choices}}{{/choices}}{{/choices}}{{/choices}}",
                       fields);
              }),
              HasSubstr("4 MiB"));
}

}  // namespace
}  // namespace trivium
