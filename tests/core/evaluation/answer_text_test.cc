#include "core/evaluation/answer_text.h"

#include <gmock/gmock.h>

#include <filesystem>

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Groups = std::vector<std::vector<std::string>>;

// An uncased WordPiece vocabulary of the letters and digits.
std::unique_ptr<Tokenizer> tokenizer() {
  return load_tokenizer(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert");
}

TEST(AnswerTextTest, OnlyWhiteSpaceAndCaseGo) {
  EXPECT_EQ(comparable(" New - York "), comparable("new-york"));
  EXPECT_EQ(comparable("- 4. 35"), "-4.35");
  EXPECT_EQ(comparable("肯 定 的"), comparable("肯定的"));
  EXPECT_EQ(comparable("a  b"), "a b");
  EXPECT_NE(comparable("a b"), comparable("ab"));
  EXPECT_NE(comparable("pêche"), comparable("péché"));
  EXPECT_NE(comparable("❤"), comparable("😂"));
  EXPECT_NE(comparable("肯定的"), comparable("否定的"));
  EXPECT_EQ(comparable("\xFF"), "\xEF\xBF\xBD");
}

TEST(AnswerTextTest, AnOpenAnswerIsTheAcceptedOneThatItMeans) {
  EXPECT_EQ(accepted_form("new - york", {"Boston", "New-York"}), "New-York");
  EXPECT_EQ(accepted_form("peche", {"pêche"}), "peche");
}

TEST(AnswerTextTest, NamesOptionsThatAreTheSameIds) {
  const auto bert = tokenizer();
  const auto alike = [&](const std::vector<std::string>& options) {
    return OptionTexts(*bert, options, 20).indistinguishable();
  };
  EXPECT_THAT(alike({"good", "bad"}), IsEmpty());
  EXPECT_EQ(alike({"❤", "a", "😂"}), (Groups{{"❤", "😂"}}));
  EXPECT_EQ(alike({"pêche", "péché", "US", "us"}), (Groups{{"pêche", "péché"}, {"US", "us"}}));
  // Alike as far as the model reads.
  EXPECT_EQ(alike({"aaaaaaaaaaaaaaaaaaaaaaaaaaa b", "aaaaaaaaaaaaaaaaaaaaaaaaaaa c"}).size(), 1u);
  EXPECT_EQ(describe_groups({{"❤", "😂"}, {"a", "A"}}), R"(["❤","😂"] and ["a","A"])");
}

TEST(AnswerTextTest, AnAnswerMeansWhatTheTokenizerWritesSo) {
  const auto bert = tokenizer();
  const OptionTexts texts(*bert, {"Good", "bad", "US", "us", "❤"}, 20);
  EXPECT_THAT(texts.meant_by("good"), ElementsAre("Good"));
  EXPECT_THAT(texts.meant_by(" bad"), ElementsAre("bad"));
  EXPECT_THAT(texts.meant_by("us"), ElementsAre("US", "us"));
  EXPECT_THAT(texts.meant_by("goodish"), IsEmpty());
  EXPECT_THAT(texts.meant_by(""), IsEmpty());  // which is what the heart is decoded to
}

}  // namespace
}  // namespace trivium
