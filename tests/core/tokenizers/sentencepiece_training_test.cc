#include "core/tokenizers/sentencepiece_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/tokenizers/golden_corpus.h"
#include "core/tokenizers/tokenizer.h"

namespace trivium {
namespace {

using ::testing::StartsWith;

std::filesystem::path write_corpus(const TemporaryFolder& folder) {
  const GoldenCorpus corpus;
  std::string text;
  for (int i = 0; i < 2000; ++i) text += corpus.english_line(i) + "\n";
  return folder.write("corpus, with a comma.txt", text);
}

TEST(SentencepieceTraining, MakesAModelThatLosesNothing) {
  const TemporaryFolder folder;
  train_sentencepiece(write_corpus(folder), folder.path(), 600);
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_LE(tokenizer->vocab_size(), 600);
  EXPECT_GT(tokenizer->vocab_size(), 400);
  EXPECT_EQ(tokenizer->special().bos, 0);
  EXPECT_EQ(tokenizer->special().pad, 1);
  EXPECT_EQ(tokenizer->special().eos, 2);
  EXPECT_EQ(tokenizer->special().unk, 3);
  EXPECT_EQ(tokenizer->special().mask, 4);
  EXPECT_EQ(tokenizer->token(4), "<mask>");
  GoldenRandom random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random, static_cast<int>(random.below(40)));
    if (text.find("\u2581") != text.npos) continue;  // the model's own sign for a space
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
  for (const char* text : {" a", "a  b ", "\n", "<s></s><mask>", "na\u00EFve"}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(SentencepieceTraining, IsTheSameEveryTime) {
  const TemporaryFolder folder;
  const auto corpus = write_corpus(folder);
  train_sentencepiece(corpus, folder.path(), 500);
  const std::string first = read_file(folder.path() / "spiece.model");
  train_sentencepiece(corpus, folder.path(), 500);
  EXPECT_EQ(read_file(folder.path() / "spiece.model"), first);
}

// A corpus of one line, which is longer than what the library takes for a sentence, and one of a
// single word of 9,000 bytes among others.
TEST(SentencepieceTraining, LongLinesAreReadWhole) {
  const TemporaryFolder folder;
  const GoldenCorpus corpus;
  std::string line;
  for (int i = 0; i < 2000; ++i) line += corpus.english_line(i) + " ";
  std::string rare;
  for (int i = 0; i < 1500; ++i) rare += "\u95a2\u6570";
  train_sentencepiece(folder.write("long.txt", line + "\n" + rare + "\n"), folder.path(), 600);
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_GT(tokenizer->vocab_size(), 400);
  // What only the long word has is in the vocabulary: no byte pieces, six for each character.
  EXPECT_LE(tokenizer->encode("\u95a2\u6570").size(), 3u);
}

TEST(SentencepieceTraining, ReportsTheLibrarysErrors) {
  const TemporaryFolder folder;
  const auto corpus = write_corpus(folder);
  EXPECT_THAT(error_of([&] { train_sentencepiece(corpus, folder.path(), 100); }),
              StartsWith("65: cannot train a sentencepiece model on "));
  EXPECT_THAT(error_of([&] { train_sentencepiece(corpus, folder.path(), -1); }),
              StartsWith("65: "));
  const auto empty = folder.write("empty.txt", "");
  EXPECT_THAT(error_of([&] { train_sentencepiece(empty, folder.path(), 500); }),
              StartsWith("65: "));
  EXPECT_THAT(error_of([&] { train_sentencepiece("none.txt", folder.path(), 500); }),
              StartsWith("66: "));
  EXPECT_THAT(error_of([&] { train_sentencepiece(folder.path(), folder.path(), 500); }),
              StartsWith("66: "));
}

}  // namespace
}  // namespace trivium
