#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands/program.h"
#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/base/text.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kBert = (fs::path(TRIVIUM_TEST_DATA) / "tiny_bert").string();

Outcome tokenizer(const std::string& part, const std::string& input,
                  const std::vector<std::string>& more = {"--checkpoint", kBert}) {
  std::vector<std::string> all = {"tokenizer", part};
  all.insert(all.end(), more.begin(), more.end());
  return run_program(all, input);
}

TEST(TokenizerCommandTest, EncodesEveryLine) {
  const Outcome pieces = tokenizer("encode", "ab c\n\nC Ab", {"--checkpoint", kBert, "--pieces"});
  ASSERT_EQ(pieces.code, 0) << pieces.err;
  EXPECT_EQ(pieces.out, "a ##b c\n\nc a ##b\n") << "uncased; an empty line has no tokens";
  const Outcome ids = tokenizer("encode", "ab c\n");
  ASSERT_EQ(ids.code, 0) << ids.err;
  const auto words = split(trim(ids.out), ' ');
  ASSERT_EQ(words.size(), 3u);
  // The vocabulary's line is the token's id.
  const auto lines = split(read_file(fs::path(kBert) / "vocab.txt"), '\n');
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lines.at(std::stoul(std::string(words[i]))), split("a,##b,c", ',')[i]);
  }
}

TEST(TokenizerCommandTest, DecodesWhatItEncoded) {
  const Outcome ids = tokenizer("encode", "ab c\nfab\n");
  const Outcome text = tokenizer("decode", ids.out);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.out, "ab c\nfab\n");
}

TEST(TokenizerCommandTest, RefusesWhatIsNoIdAndNamesTheLine) {
  // (An int32 does not hold 99999999999, which must not read as the end of the line.)
  for (const char* line : {"7 x", "7 1.5", "99999999999", "7 99999999999", "7,8"}) {
    const Outcome outcome = tokenizer("decode", "7\n" + std::string(line) + "\n8\n");
    EXPECT_EQ(outcome.code, 65) << line;
    EXPECT_EQ(outcome.err, "error: stdin:2: write token ids, numbers between spaces\n");
  }
}

TEST(TokenizerCommandTest, TrainsAVocabularyThatItThenReads) {
  TemporaryFolder folder;
  std::string corpus;
  for (int i = 0; i < 200; ++i) {
    corpus += "the cat sat on the mat and saw the rat number " + std::to_string(i) + "\n";
  }
  const std::string output = (folder.path() / "vocabulary").string();
  const Outcome outcome = tokenizer("train", "",
                                    {"--input", folder.write("corpus.txt", corpus).string(),
                                     "--output", output, "--vocab-size", "320"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string text = "the rat sat on the cat\n";
  const Outcome ids = tokenizer("encode", text, {"--checkpoint", output});
  ASSERT_EQ(ids.code, 0) << ids.err;
  EXPECT_LE(split(trim(ids.out), ' ').size(), text.size()) << "words of the corpus are few tokens";
  EXPECT_EQ(tokenizer("decode", ids.out, {"--checkpoint", output}).out, text);
  EXPECT_EQ(
      tokenizer("train", "", {"--input", (folder.path() / "nothing").string(), "--output", output})
          .code,
      66);
}

}  // namespace
}  // namespace trivium::cli
