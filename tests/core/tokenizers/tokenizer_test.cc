#include "core/tokenizers/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Tokenizer, EncodeWithSpecialCutsOnTheRight) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\nc\n");
  const auto tokenizer = load_tokenizer(folder.path());
  bool truncated = true;
  EXPECT_THAT(tokenizer->encode_with_special("a b c", 5, &truncated), ElementsAre(2, 4, 5, 6, 3));
  EXPECT_FALSE(truncated);
  EXPECT_THAT(tokenizer->encode_with_special("a b c", 4, &truncated), ElementsAre(2, 4, 5, 3));
  EXPECT_TRUE(truncated);
  EXPECT_THAT(tokenizer->encode_with_special("a b c", 2), ElementsAre(2, 3));
  EXPECT_THAT(tokenizer->encode_with_special("", 2, &truncated), ElementsAre(2, 3));
  EXPECT_FALSE(truncated);
  EXPECT_THROW(tokenizer->encode_with_special("a", 1), std::logic_error);
  // Between fields stands the token that ends a text.
  EXPECT_THAT(tokenizer->encode_with_special("a b\x1e"
                                             "c",
                                             8, &truncated),
              ElementsAre(2, 4, 5, 3, 6, 3));
  EXPECT_FALSE(truncated);
  EXPECT_THAT(tokenizer->encode_with_special("a b\x1e"
                                             "c",
                                             5, &truncated),
              ElementsAre(2, 4, 5, 3, 3));
  EXPECT_TRUE(truncated);
  // A decoder that begins with [CLS] is not to write it.
  EXPECT_THAT(tokenizer->encode_target("a b", 8, /*start_id=*/2), ElementsAre(4, 5, 3));
  EXPECT_THAT(tokenizer->encode_target("a b", 8, /*start_id=*/3), ElementsAre(2, 4, 5, 3));
  EXPECT_EQ(tokenizer->special().mask, 7) << "behind the vocabulary, as Hugging Face puts it";
}

TEST(Tokenizer, ATokenWithoutARowIsAnErrorOfTheTextThatHoldsIt) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n[MASK]\n");
  const auto tokenizer = load_tokenizer(folder.path());
  EXPECT_THAT(tokenizer->encode_with_special("a [MASK]", 9), ElementsAre(2, 4, 6, 3));
  tokenizer->set_model_rows(6);
  EXPECT_THAT(tokenizer->encode_with_special("a b", 9), ElementsAre(2, 4, 5, 3));
  EXPECT_EQ(error_of([&] { tokenizer->encode_with_special("a [MASK]", 9); }),
            "65: the text holds \"[MASK]\" (token 6), for which the model has no row; take it out");
  EXPECT_THAT(tokenizer->encode_with_special("a [MASK]", 3), ElementsAre(2, 4, 3)) << "cut off";
  EXPECT_THAT(error_of([&] { tokenizer->set_model_rows(3); }),
              HasSubstr("vocab_size is 3, but the tokenizer's \"[SEP]\" is token 3"));
}

TEST(Tokenizer, OptionsThatAreNotImplementedAreRefusedByName) {
  const TemporaryFolder folder;
  folder.write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n");
  for (const auto& [config, name] : std::vector<std::pair<std::string, std::string>>{
           {R"({"split_special_tokens": true})", "split_special_tokens"},
           {R"({"truncation_side": "left"})", "truncation_side"},
           {R"({"extra_special_tokens": {"image_token": "<i>"}})", "extra_special_tokens"},
           {R"({"tokenizer_class": "BertJapaneseTokenizer"})", "tokenizer_class"},
           {R"({"do_lower_case": "yes"})", "do_lower_case"},
           {R"({"mask_token": {"content": "[MASK]", "single_word": true}})", "single_word"},
           {R"({"mask_token": 3})", "malformed added token"}}) {
    folder.write("tokenizer_config.json", config);
    const std::string error = error_of([&] { load_tokenizer(folder.path()); });
    EXPECT_THAT(error, ::testing::AllOf(StartsWith("76: "), HasSubstr("tokenizer_config.json"),
                                        HasSubstr(name)));
  }
}

TEST(Tokenizer, LoadsWhatTheFolderHolds) {
  const auto scheme = [](const char* name) {
    return std::string(load_tokenizer(golden_folder() / name)->scheme());
  };
  EXPECT_EQ(scheme("wordpiece"), "wordpiece");
  EXPECT_EQ(scheme("wordpiece_json"), "wordpiece");
  EXPECT_EQ(scheme("bpe"), "byte_level_bpe");
  EXPECT_EQ(scheme("bpe_json"), "byte_level_bpe");
}

TEST(Tokenizer, SaysWhatIsMissingOrUnsupported) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }),
              ::testing::AllOf(StartsWith("66: "), HasSubstr("holds no tokenizer")));
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path() / "none"); }), StartsWith("66: "));
  folder.write("tokenizer.json", R"({"model": {"type": "Unigram"}})");
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }),
              HasSubstr("the model type \"Unigram\" is unsupported"));
  folder.write("tokenizer.json", R"({"model": 3})");
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), StartsWith("76: "));
  folder.write("spiece.model", "nonsense");
  EXPECT_THAT(error_of([&] { load_tokenizer(folder.path()); }), StartsWith("76: "));
}

// The file `name` of the golden folder `golden`, damaged, beside the sound others of the folder.
void expect_error_or_harmless(const std::string& golden, const std::string& name) {
  const TemporaryFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder() / golden)) {
    std::filesystem::copy(entry.path(), folder.path());
  }
  const std::string good = read_file(folder.path() / name);
  int refused = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    GoldenRandom random(seed);
    folder.write(name, damaged(random, good));
    const std::string error = error_of([&] {
      const auto tokenizer = load_tokenizer(folder.path());
      tokenizer->decode(tokenizer->encode("The caf\u00E9's <mask> [SEP] \u4E2D\u6587 1234"));
    });
    EXPECT_TRUE(error.empty() || error.starts_with("76: ")) << "seed " << seed << ": " << error;
    refused += !error.empty();
  }
  EXPECT_GT(refused, 0) << name << " of " << golden << ": no damage was found";
}

TEST(Tokenizer, DamagedFilesAreErrorsOrHarmless) {
  expect_error_or_harmless("wordpiece", "vocab.txt");
  expect_error_or_harmless("wordpiece_json", "tokenizer.json");
  expect_error_or_harmless("bpe", "vocab.json");
  expect_error_or_harmless("bpe", "merges.txt");
  expect_error_or_harmless("bpe_json", "tokenizer.json");
}

}  // namespace
}  // namespace trivium
