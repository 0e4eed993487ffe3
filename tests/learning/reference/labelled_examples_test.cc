#include "learning/reference/labelled_examples.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace trivium::learning {
namespace {

std::unique_ptr<Tokenizer> tokenizer() {
  return load_tokenizer(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert");
}

std::string word_at(const std::string& sentence, const std::string& word) {
  const auto [begin, end] = find_word(sentence, word);
  return sentence.substr(begin, end - begin);
}

TEST(FindWord, FindsInflectedForms) {
  EXPECT_EQ(word_at("The car pulls to the right.", "pull"), "pulls");
  EXPECT_EQ(word_at("Pull, pulling, pulled", "pull"), "Pull");
  EXPECT_EQ(word_at("He was pulling it", "pull"), "pulling");
  EXPECT_EQ(word_at("he ran to a run-down house", "run"), "run");
  EXPECT_EQ(word_at("no such", "xyz"), "no such");
}

LabelledExample encoded(const std::string& first, const std::string& second, int64_t max_length,
                        const std::string& word = "") {
  LabelledRecord record;
  record.first = first;
  record.second = second;
  record.word = word;
  record.label = 1;
  return encode_labelled({record}, word.empty() ? AnswerKind::kLabel : AnswerKind::kWordPair, 7,
                         *tokenizer(), max_length)[0];
}

TEST(EncodeLabelled, JoinsAPairAsBertDoes) {
  const auto words = tokenizer();
  const auto id = [&](const std::string& text) { return words->encode(text).at(0); };
  const LabelledExample example = encoded("a b", "c", 16);
  EXPECT_EQ(example.ids, (std::vector<int32_t>{2, id("a"), id("b"), 3, id("c"), 3}));
  EXPECT_EQ(example.second, 4);
  EXPECT_EQ(example.task, 7);
  EXPECT_EQ(example.label, 1);
  const LabelledExample single = encoded("a b", "", 16);
  EXPECT_EQ(single.ids.size(), 4u);
  EXPECT_EQ(single.second, 4);
}

TEST(EncodeLabelled, CutsTheLongerTextFirst) {
  const LabelledExample example = encoded("a b c d e f g h", "i j", 9);
  EXPECT_EQ(example.ids.size(), 9u);
  EXPECT_EQ(example.second, 6);  // [CLS] a b c d [SEP]
  EXPECT_EQ(example.ids[7], tokenizer()->encode("j").at(0));
  EXPECT_EQ(encoded("a b c d e f g h i j", "", 8).ids.size(), 8u);
  EXPECT_THROW(encoded("a", "b", 4), Error);
}

TEST(EncodeLabelled, SpansAreTheWordsPieces) {
  // The tiny vocabulary has a piece a letter.
  const LabelledExample example = encoded("x ab, y", "z abc", 32, "ab");
  EXPECT_EQ(example.spans[0], (std::pair<int64_t, int64_t>{2, 4}));
  EXPECT_EQ(example.spans[1], (std::pair<int64_t, int64_t>{8, 11}));
  const auto first = tokenizer()->encode("x ab, y");
  EXPECT_TRUE(std::equal(first.begin(), first.end(), example.ids.begin() + 1));
}

TEST(EncodeLabelled, ASpanThatWasCutAwayIsTheWholeText) {
  const LabelledExample example = encoded("x y z u v w q r s ab", "ab", 10, "ab");
  EXPECT_EQ(example.spans[0], (std::pair<int64_t, int64_t>{1, 6}));
  EXPECT_EQ(example.spans[1], (std::pair<int64_t, int64_t>{7, 9}));
}

}  // namespace
}  // namespace trivium::learning
