#include "core/tokenizers/wordpiece_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/base/timing.h"
#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kVocab =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\na\n##a\n.\n'\ns\n##\u00E9\n\u00E9\n";

std::unique_ptr<WordPieceTokenizer> small() {
  const TemporaryFolder folder;
  folder.write("vocab.txt", kVocab);
  return WordPieceTokenizer::load(folder.path());
}

TEST(WordPieceTokenizer, MatchesGreedilyFromTheLeft) {
  const auto tokenizer = small();
  EXPECT_THAT(tokenizer->encode("unaffable UN a"), ElementsAre(5, 6, 7, 5, 8));
  EXPECT_THAT(tokenizer->encode("unaffablex a"), ElementsAre(1, 8));  // the whole word is unknown
  EXPECT_THAT(tokenizer->encode(""), ElementsAre());
  EXPECT_THAT(tokenizer->encode(" \n\t"), ElementsAre());
}

TEST(WordPieceTokenizer, AWordOfMoreThan100CharactersIsUnknown) {
  const auto tokenizer = small();
  EXPECT_EQ(tokenizer->encode(std::string(100, 'a')).size(), 100u);
  EXPECT_THAT(tokenizer->encode(std::string(101, 'a')), ElementsAre(1));
}

TEST(WordPieceTokenizer, FindsSpecialTokensInTheText) {
  const auto tokenizer = small();
  EXPECT_THAT(tokenizer->encode("a[SEP]a [MASK].[CLS][PAD][UNK]"),
              ElementsAre(8, 3, 8, 4, 10, 2, 0, 1));
  EXPECT_THAT(tokenizer->encode("[sep]"), ElementsAre(1, 1, 1));
  EXPECT_EQ(tokenizer->special().bos, 2);
  EXPECT_EQ(tokenizer->special().eos, 3);
  EXPECT_EQ(tokenizer->special().pad, 0);
  EXPECT_EQ(tokenizer->special().unk, 1);
  EXPECT_EQ(tokenizer->special().mask, 4);
}

// Each was compared with all before it.
TEST(WordPieceTokenizer, ManyAddedTokensTakeNoLongerThanOtherText) {
  constexpr int kMany = 100000;
  std::string json = "{\"w0\": 15";
  for (int i = 1; i < kMany; ++i) {
    json += ", \"w" + std::to_string(i) + "\": " + std::to_string(15 + i);
  }
  const TemporaryFolder folder;
  folder.write("vocab.txt", kVocab);
  folder.write("added_tokens.json", json + "}");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(WordPieceTokenizer::load(folder.path())->vocab_size(), 15 + kMany);
  EXPECT_LT(seconds_since(start), 10);
}

TEST(WordPieceTokenizer, DecodesWithoutSpecialTokens) {
  const auto tokenizer = small();
  EXPECT_EQ(tokenizer->decode({2, 5, 6, 7, 10, 3, 0, 0}), "unaffable.");
  EXPECT_EQ(tokenizer->decode({8, 11, 12, 10}), "a's.");
  const TemporaryFolder folder;
  folder.write("vocab.txt", kVocab);
  folder.write("tokenizer_config.json", R"({"clean_up_tokenization_spaces": false})");
  EXPECT_EQ(WordPieceTokenizer::load(folder.path())->decode({8, 11, 12, 10}), "a ' s.");
  EXPECT_EQ(tokenizer->decode({6, 7}), "##affable");  // nothing before it to be glued to
  EXPECT_EQ(tokenizer->decode({}), "");
  // A model's matrix may have more rows than the vocabulary has tokens.
  EXPECT_EQ(tokenizer->decode({15, 5, 99, 6, -1}), "unaff");
}

TEST(WordPieceTokenizer, LinesOfTheVocabularyAreIdsWhateverTheyHold) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", std::string(kVocab) + "un\n\n");
  const auto tokenizer = WordPieceTokenizer::load(folder.path());
  EXPECT_EQ(tokenizer->vocab_size(), 17);
  EXPECT_THAT(tokenizer->encode("un unaffable"), ElementsAre(15, 15, 6, 7)) << "the last counts";
  EXPECT_EQ(tokenizer->decode({5, 15}), "un") << "and the first is no token";
  tokenizer->save(folder.path());
  EXPECT_EQ(read_file(folder.path() / "vocab.txt"), std::string(kVocab) + "un\n\n");
  EXPECT_THAT(WordPieceTokenizer::load(folder.path())->encode("un"), ElementsAre(15));
}

TEST(WordPieceTokenizer, FindsNormalisedAddedTokensInAnyCase) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", kVocab);
  folder.write("added_tokens.json", R"({"Covid19": 15})");
  const auto tokenizer = WordPieceTokenizer::load(folder.path());
  EXPECT_THAT(tokenizer->encode("COVID19 covid19 a"), ElementsAre(15, 15, 8));
  EXPECT_EQ(tokenizer->decode({8, 15}), "a Covid19");
  const TemporaryFolder saved;
  tokenizer->save(saved.path());
  EXPECT_EQ(read_file(saved.path() / "vocab.txt"), kVocab) << "the added token follows it";
  EXPECT_THAT(WordPieceTokenizer::load(saved.path())->encode("COVID19 a"), ElementsAre(15, 8));
}

TEST(WordPieceTokenizer, NeverThrowsOnRandomBytes) {
  const auto tokenizer = WordPieceTokenizer::load(golden_folder() / "wordpiece");
  GoldenRandom random(7);
  for (int i = 0; i < 3000; ++i) {
    const std::string bytes = random_bytes(random, static_cast<int>(random.below(200)));
    EXPECT_NO_THROW(tokenizer->decode(tokenizer->encode(bytes)));
  }
}

TEST(WordPieceTokenizer, TakesLongLinesInBoundedTime) {
  const auto tokenizer = WordPieceTokenizer::load(golden_folder() / "wordpiece");
  constexpr size_t kBytes = 10 << 20;
  EXPECT_THAT(tokenizer->encode(std::string(kBytes, 'a')), ElementsAre(1));
  EXPECT_EQ(tokenizer->encode(std::string(kBytes, '.')).size(), kBytes);
  std::string marks = "a";
  while (marks.size() < kBytes) marks += "\u0301\u0323";
  EXPECT_EQ(tokenizer->encode(marks).size(), 1u);
}

TEST(WordPieceTokenizer, SavesWhatLoadsAsTheSame) {
  const TemporaryFolder saved;
  const auto tokenizer = WordPieceTokenizer::load(golden_folder() / "wordpiece_json");
  tokenizer->save(saved.path());
  EXPECT_EQ(read_file(saved.path() / "vocab.txt"),
            read_file(golden_folder() / "wordpiece" / "vocab.txt"));
  const auto reloaded = WordPieceTokenizer::load(saved.path());
  const GoldenCorpus corpus;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(reloaded->encode(corpus.line(i)), tokenizer->encode(corpus.line(i)));
  }
  EXPECT_EQ(reloaded->token(5), tokenizer->token(5));
  EXPECT_EQ(reloaded->scheme(), "wordpiece");
}

TEST(WordPieceTokenizer, ReadsTheCaseFromTheConfig) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", std::string(kVocab) + "A\n");
  folder.write("tokenizer_config.json", R"({"do_lower_case": false})");
  const auto tokenizer = WordPieceTokenizer::load(folder.path());
  EXPECT_THAT(tokenizer->encode("A a \u00E9"), ElementsAre(15, 8, 14));
  tokenizer->save(folder.path());
  EXPECT_THAT(WordPieceTokenizer::load(folder.path())->encode("A a \u00E9"),
              ElementsAre(15, 8, 14));
}

TEST(WordPieceTokenizer, RejectsMalformedFiles) {
  const auto error_with = [](const std::string& name, const std::string& bytes) {
    const TemporaryFolder folder;
    folder.write(name, bytes);
    return error_of([&] { WordPieceTokenizer::load(folder.path()); });
  };
  EXPECT_THAT(error_with("vocab.txt", "a\n"), HasSubstr("lacks the token [CLS]"));
  EXPECT_THAT(error_with("vocab.txt", ""), HasSubstr("76: "));
  EXPECT_THAT(error_with("tokenizer.json", "{"), HasSubstr("tokenizer.json:1: malformed JSON"));
  EXPECT_THAT(error_with("tokenizer.json", "[]"), HasSubstr("\"model\" is missing"));
  const std::string good = read_file(golden_folder() / "wordpiece_json" / "tokenizer.json");
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"\"continuing_subword_prefix\":\"##\"", "\"continuing_subword_prefix\":\"@@\""},
      {"\"lowercase\":true", "\"lowercase\":3"},
      {"\"BertPreTokenizer\"", "\"Whitespace\""},
      {"\"cleanup\":true", "\"cleanup\":false"},
      {"\"Sequence\":{\"id\":\"A\"", "\"SpecialToken\":{\"id\":\"A\""},
      {"\"clean_text\":true", "\"clean_text\":false"},
      {"\"[SEP]\":3", "\"[SEP]\":4"},
      {"\"[SEP]\":3", "\"a\\nb\":3"},
      {"{\"id\":3,", "{\"id\":5,"},
      {"\"max_input_chars_per_word\":100", "\"max_input_chars_per_word\":9"}};
  for (const auto& [from, to] : changes) {
    std::string bad = good;
    ASSERT_NE(bad.find(from), bad.npos) << from;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_THAT(error_with("tokenizer.json", bad), HasSubstr("76: ")) << to;
  }
}

}  // namespace
}  // namespace trivium
