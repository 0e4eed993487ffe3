#include "core/tokenizers/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"
#include "core/base/text.h"

namespace trivium {
namespace {

// "text|<id>|text", to compare at a glance.
std::string parts_of(const AddedTokens& tokens, std::string_view text) {
  std::string result;
  for (const AddedTokens::Part& part : tokens.split(text)) {
    if (!result.empty()) result += "|";
    result += part.id < 0 ? std::string(part.text) : "<" + std::to_string(part.id) + ">";
  }
  return result;
}

const AddedTokens kTokens({{.content = "[A]", .id = 1},
                           {.content = "[AB", .id = 2},
                           {.content = "[AB]", .id = 3},
                           {.content = "<m>", .id = 4, .strip_left = true},
                           {.content = "<r>", .id = 5, .strip_right = true, .special = false}});

TEST(AddedTokens, SplitsLeftmostLongest) {
  EXPECT_EQ(parts_of(kTokens, "x[A]y[AB]z[ABC"), "x|<1>|y|<3>|z|<2>|C");
  EXPECT_EQ(parts_of(kTokens, "[[A][a]"), "[|<1>|[a]");
  EXPECT_EQ(parts_of(kTokens, ""), "");
  EXPECT_EQ(parts_of(kTokens, "[A"), "[A");
}

TEST(AddedTokens, TakesWhiteSpaceOnTheSideAsked) {
  EXPECT_EQ(parts_of(kTokens, "x \t\u3000<m> y"), "x|<4>| y");
  EXPECT_EQ(parts_of(kTokens, "x <r>  \n"), "x |<5>");
  EXPECT_EQ(parts_of(kTokens, "<r>  <m>x"), "<5>|<4>|x");
  EXPECT_EQ(parts_of(kTokens, " <m>"), "<4>");
}

TEST(AddedTokens, FindsNormalisedOnesByWhatTheirContentBecomes) {
  const AddedTokens tokens({{.content = "Ab", .id = 1, .normalized = true}},
                           [](std::string_view text) { return to_lower_ascii(text); });
  EXPECT_EQ(tokens.split("xAb").size(), 1u);
  const auto parts = tokens.split_normalized("xab");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[1].id, 1);
}

TEST(AddedTokens, NoTokensLeaveTheTextWhole) { EXPECT_EQ(parts_of(AddedTokens(), "[A]"), "[A]"); }

TEST(AddedTokens, ReadsListsAndWhatItWrote) {
  const auto list = nlohmann::json::parse(
      R"([{"id": 7, "content": "<x>", "lstrip": true, "special": true},
          {"id": 9, "content": "<y>", "rstrip": true, "normalized": false},
          {"id": 11, "content": "<z>"}])");
  for (const AddedTokens& tokens :
       {AddedTokens::from_json(list, "f"),
        AddedTokens::from_json(AddedTokens::from_json(list, "f").to_json(), "f")}) {
    EXPECT_EQ(parts_of(tokens, "a <x>b<y> c<z>"), "a|<7>|b|<9>|c<z>");
    ASSERT_EQ(tokens.split_normalized("c<z>").size(), 2u) << "what is not special is normalised";
    EXPECT_EQ(tokens.split_normalized("c<z>")[1].id, 11);
    EXPECT_TRUE(tokens.is_special(7));
    EXPECT_FALSE(tokens.is_special(9));
  }
}

TEST(AddedTokens, RejectsMalformedEntries) {
  for (const char* text : {"3", "[3]", R"([{"id": 1}])", R"([{"id": "1", "content": "a"}])",
                           R"([{"id": 1, "content": ""}])", R"({"x": {"content": "a"}})",
                           R"({"99999999999": {"content": "a"}})",
                           R"([{"id": 1, "content": "a", "single_word": true}])",
                           R"([{"id": 1, "content": "a", "lstrip": 3}])"}) {
    const auto json = nlohmann::json::parse(text);
    EXPECT_THAT(error_of([&] { AddedTokens::from_json(json, "f.json"); }),
                ::testing::StartsWith("76: f.json: "))
        << text;
  }
}

}  // namespace
}  // namespace trivium
