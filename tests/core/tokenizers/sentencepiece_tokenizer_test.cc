#include "core/tokenizers/sentencepiece_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Lines : public sentencepiece::SentenceIterator {
 public:
  bool done() const override { return number_ == 2000; }
  void Next() override { line_ = corpus_.english_line(++number_); }
  const std::string& value() const override { return line_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  GoldenCorpus corpus_;
  int number_ = 0;
  std::string line_ = corpus_.english_line(0);
};

// A model as others train it, with Unicode normalisation; `options` replace the defaults.
std::string trained_model(std::unordered_map<std::string, std::string> options) {
  options.insert({{"vocab_size", "400"},
                  {"hard_vocab_limit", "false"},
                  {"pad_id", "3"},
                  {"control_symbols", "[MASK]"},
                  {"minloglevel", "2"}});
  Lines lines;
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &lines, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return model;
}

const std::string& usual_model() {
  static const std::string model = trained_model({});
  return model;
}

std::unique_ptr<SentencePieceTokenizer> load(const std::string& model) {
  const TemporaryFolder folder;
  return SentencePieceTokenizer::load(folder.write("spiece.model", model));
}

TEST(SentencePieceTokenizer, EncodesAndDecodes) {
  const auto tokenizer = load(usual_model());
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("the  good\nwater")), "the good water");
  EXPECT_TRUE(tokenizer->encode("").empty());
  const auto ids = tokenizer->encode("the");
  EXPECT_THAT(tokenizer->token(ids.at(0)), StartsWith("\u2581"));
  EXPECT_EQ(tokenizer->scheme(), "sentencepiece");
}

TEST(SentencePieceTokenizer, FillsInTheSpecialTokens) {
  const auto usual = load(usual_model());
  EXPECT_EQ(usual->special().unk, 0);
  EXPECT_EQ(usual->special().bos, 1);
  EXPECT_EQ(usual->special().eos, 2);
  EXPECT_EQ(usual->special().pad, 3);
  EXPECT_EQ(usual->token(usual->special().mask), "[MASK]");
  const auto albert = load(trained_model(
      {{"bos_id", "-1"}, {"eos_id", "-1"}, {"control_symbols", "[CLS],[SEP],[MASK]"}}));
  EXPECT_EQ(albert->token(albert->special().bos), "[CLS]");
  EXPECT_EQ(albert->token(albert->special().eos), "[SEP]");
  EXPECT_THAT(error_of([] {
                load(trained_model({{"pad_id", "-1"}}));
              }),
              HasSubstr("the sentencepiece model has no piece <pad>"));
}

TEST(SentencePieceTokenizer, TheTextOpensNoSpecialToken) {
  const auto tokenizer = load(usual_model());
  for (const int32_t id : tokenizer->encode("<s></s><pad>[MASK]")) {
    EXPECT_NE(id, tokenizer->special().bos);
    EXPECT_NE(id, tokenizer->special().eos);
    EXPECT_NE(id, tokenizer->special().pad);
    EXPECT_NE(id, tokenizer->special().mask);
  }
}

TEST(SentencePieceTokenizer, DecodeLeavesSpecialTokensOut) {
  const auto tokenizer = load(usual_model());
  std::vector<int32_t> ids = tokenizer->encode("the");
  ids.insert(ids.begin(), {tokenizer->special().bos, tokenizer->special().unk});
  ids.insert(ids.end(),
             {tokenizer->special().mask, tokenizer->special().eos, tokenizer->special().pad});
  EXPECT_EQ(tokenizer->decode(ids), "the");
  EXPECT_EQ(tokenizer->decode({tokenizer->vocab_size()}), "") << "a row of the model, no token";
  EXPECT_THAT(error_of([&] { tokenizer->token(-1); }), StartsWith("65: "));
}

TEST(SentencePieceTokenizer, CutsLongTextsAtSpaces) {
  const auto tokenizer = load(usual_model());
  std::string text;
  std::vector<int32_t> expected;
  const auto once = tokenizer->encode("the good water");
  for (int i = 0; i < 3000; ++i) {
    text += i > 0 ? " the good water" : "the good water";
    expected.insert(expected.end(), once.begin(), once.end());
  }
  EXPECT_EQ(tokenizer->encode(text), expected);
}

TEST(SentencePieceTokenizer, CutsLongTextsWithoutLoss) {
  // No space is put before a text: the one at the cut must stay.
  const auto tokenizer =
      load(trained_model({{"add_dummy_prefix", "false"}, {"remove_extra_whitespaces", "false"}}));
  std::string text = "the";
  while (text.size() < 50000) text += " good water";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(SentencePieceTokenizer, TakesLongLinesInBoundedTime) {
  const auto tokenizer = load(usual_model());
  std::string unknown;
  while (unknown.size() < 10 << 20) unknown += "\U00020001";
  EXPECT_FALSE(tokenizer->encode(unknown).empty());
  EXPECT_FALSE(tokenizer->encode(std::string(10 << 20, '.')).empty());
}

TEST(SentencePieceTokenizer, NeverThrowsOnRandomBytes) {
  const auto tokenizer = load(usual_model());
  GoldenRandom random(7);
  for (int i = 0; i < 3000; ++i) {
    const std::string bytes = random_bytes(random, static_cast<int>(random.below(200)));
    EXPECT_NO_THROW(tokenizer->decode(tokenizer->encode(bytes)));
  }
}

TEST(SentencePieceTokenizer, SavesTheSameBytes) {
  const auto tokenizer = load(usual_model());
  const TemporaryFolder folder;
  tokenizer->save(folder.path());
  EXPECT_EQ(read_file(folder.path() / "spiece.model"), usual_model());
}

// A length-delimited field of a protocol-buffer message.
std::string field(int number, const std::string& bytes) {
  std::string result(1, static_cast<char>(number << 3 | 2));
  size_t size = bytes.size();
  for (; size > 127; size >>= 7) result += static_cast<char>(size | 0x80);
  return result + static_cast<char>(size) + bytes;
}

// A model that normalises "a" away, and puts no space before a text.
std::string model_without_a() {
  std::vector<uint32_t> units(768);
  units[0] = 1 << 10 | 1 << 9;                                  // the children lie at 256
  units[256 + 'a'] = ((256 + 'a') ^ 512) << 10 | 1 << 8 | 'a';  // its value lies at 512
  units[512] = 1u << 31;                                        // the replacement at 0: ""
  units.insert(units.begin(), static_cast<uint32_t>(units.size() * 4));
  std::string charsmap(reinterpret_cast<const char*>(units.data()), units.size() * 4);
  charsmap += '\0';
  const auto piece = [](const std::string& text, char type) {
    return field(1, field(1, text) + std::string("\x15\0\0\0\0\x18", 6) + type);
  };
  return piece("<unk>", 2) + piece("<s>", 3) + piece("</s>", 3) + piece("<pad>", 3) +
         piece("b", 1) + field(3, field(1, "none") + field(2, charsmap) + std::string("\x18\0", 2));
}

TEST(SentencePieceTokenizer, ATextMayBeNoPiece) {
  const auto tokenizer = load(model_without_a());
  EXPECT_TRUE(tokenizer->encode("aa").empty());
  EXPECT_EQ(tokenizer->encode("ab"), std::vector<int32_t>{4});
}

TEST(SentencePieceTokenizer, DamagedFilesAreErrorsOrHarmless) {
  const std::string good = usual_model();
  ASSERT_GT(good.size(), 100000u);  // it holds a normalisation table
  EXPECT_THAT(error_of([] { load("hello"); }), StartsWith("76: "));
  EXPECT_THAT(error_of([] { load(""); }), StartsWith("76: "));
  int refused = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    GoldenRandom random(seed);
    const std::string bad = damaged(random, good);
    const std::string error = error_of([&] {
      const auto tokenizer = load(bad);
      tokenizer->decode(tokenizer->encode("the \u00C0 \uFB01 \u00BD \u4E2D\u6587 \u2460 \uFF21"));
    });
    EXPECT_TRUE(error.empty() || error.starts_with("76: ")) << "seed " << seed << ": " << error;
    refused += !error.empty();
  }
  EXPECT_GT(refused, 0) << "no damage was found";
}

}  // namespace
}  // namespace trivium
