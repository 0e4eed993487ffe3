#include "core/tokenizers/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/temporary_folder.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Vocabulary from_text(const char* json) {
  return Vocabulary::from_json(nlohmann::json::parse(json), "v.json");
}

TEST(Vocabulary, LooksUpBothWays) {
  const Vocabulary vocabulary = from_text(R"({"b": 1, "a": 0})");
  EXPECT_THAT(vocabulary.tokens(), ElementsAre("a", "b"));
  EXPECT_EQ(vocabulary.size(), 2);
  EXPECT_EQ(vocabulary.find("b"), 1);
  EXPECT_EQ(vocabulary.find("c"), -1);
  EXPECT_EQ(vocabulary.token(1), "b");
  EXPECT_EQ(error_of([&] { vocabulary.token(2); }),
            "65: token id 2 is not in the vocabulary (0..1)");
  EXPECT_THAT(error_of([&] { vocabulary.token(-1); }), HasSubstr("token id -1"));
  EXPECT_EQ(error_of([&] { vocabulary.require("c"); }), "76: v.json: lacks the token c");
}

TEST(Vocabulary, TakesLinesAsTheyCome) {
  Vocabulary vocabulary("v.txt");
  for (const char* line : {"a", "", "a"}) vocabulary.append_line(line);
  EXPECT_EQ(vocabulary.size(), 3);
  EXPECT_EQ(vocabulary.find("a"), 2);
  EXPECT_FALSE(vocabulary.has(0));
  EXPECT_TRUE(vocabulary.has(2));
  EXPECT_FALSE(vocabulary.has(3));
  EXPECT_FALSE(vocabulary.has(-1));
}

TEST(Vocabulary, RefusesWhatCanHaveNoId) {
  Vocabulary vocabulary("v.txt");
  vocabulary.append("a");
  EXPECT_EQ(error_of([&] { vocabulary.append("a"); }), "76: v.txt: the token \"a\" is there twice");
  EXPECT_EQ(error_of([&] { vocabulary.append(""); }), "76: v.txt: an empty token");
  for (int i = 0; i < 1000; ++i) vocabulary.append(std::to_string(i));
  EXPECT_EQ(vocabulary.find("999"), 1000);
}

TEST(Vocabulary, RejectsIdsThatAreNotOneRun) {
  EXPECT_THAT(error_of([] { from_text(R"({"a": 0, "b": 2})"); }), HasSubstr("the id of \"b\""));
  EXPECT_THAT(error_of([] { from_text(R"({"a": 0, "b": 0})"); }), HasSubstr("the same id"));
  EXPECT_THAT(error_of([] { from_text(R"({"a": -1})"); }), HasSubstr("the id of \"a\""));
  EXPECT_THAT(error_of([] { from_text(R"({"a": "0"})"); }), HasSubstr("the id of \"a\""));
  EXPECT_THAT(error_of([] { from_text(R"({"a": 18446744073709551615})"); }), HasSubstr("id of"));
  EXPECT_THAT(error_of([] { from_text(R"({"": 0})"); }), HasSubstr("an empty token"));
  EXPECT_THAT(error_of([] { from_text("[]"); }), HasSubstr("not a JSON object"));
}

TEST(Vocabulary, TakesAddedTokensBehindItsOwn) {
  Vocabulary vocabulary = from_text(R"({"a": 0, "b": 1})");
  vocabulary.append_missing(AddedTokens(
      {{.content = "y", .id = 3}, {.content = "x", .id = 2}, {.content = "b", .id = 1}}));
  EXPECT_THAT(vocabulary.tokens(), ElementsAre("a", "b", "x", "y"));
  for (const AddedToken& wrong :
       {AddedToken{.content = "a", .id = 1}, AddedToken{.content = "z", .id = 9},
        AddedToken{.content = "z", .id = -1}}) {
    EXPECT_THAT(error_of([&] { vocabulary.append_missing(AddedTokens({wrong})); }),
                HasSubstr("which the vocabulary does not give it"));
  }
}

}  // namespace
}  // namespace trivium
