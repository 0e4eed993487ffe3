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
  EXPECT_EQ(tokenizer->special().mask, -1);
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
