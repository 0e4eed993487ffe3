#include "core/tokenizers/byte_level_bpe_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "core/base/file.h"
#include "core/base/temporary_folder.h"
#include "core/tokenizers/golden_corpus.h"

namespace trivium {
namespace {

using ::testing::HasSubstr;

const ByteLevelBpeTokenizer& small() {
  static const auto tokenizer = ByteLevelBpeTokenizer::load(golden_folder() / "bpe");
  return *tokenizer;
}

TEST(ByteLevelBpeTokenizer, DecodesWhatItEncodedByteForByte) {
  GoldenRandom random(3);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = random_text(random, static_cast<int>(random.below(60)));
    EXPECT_EQ(small().decode_bytes(small().encode(text)), text);
  }
  for (int byte = 0; byte < 128; ++byte) {
    const std::string text(3, static_cast<char>(byte));
    EXPECT_EQ(small().decode_bytes(small().encode(text)), text);
  }
}

TEST(ByteLevelBpeTokenizer, HasATokenForEveryByte) {
  std::string all;
  for (int32_t id = 0; id < small().vocab_size(); ++id) {
    const std::string bytes = small().decode_bytes({id});
    if (bytes.size() == 1) all += bytes;
  }
  std::sort(all.begin(), all.end(), [](char a, char b) {
    return static_cast<unsigned char>(a) < static_cast<unsigned char>(b);
  });
  ASSERT_EQ(all.size(), 256u);
  for (size_t byte = 0; byte < 256; ++byte) EXPECT_EQ(all[byte], static_cast<char>(byte));
}

TEST(ByteLevelBpeTokenizer, RepairsIllFormedText) {
  EXPECT_EQ(small().decode_bytes(small().encode("a\xFF\xC3")), "a\uFFFD\uFFFD");
  EXPECT_EQ(small().encode("\xED\xA0\x80"), small().encode("\uFFFD\uFFFD\uFFFD"));
  GoldenRandom random(5);
  for (int i = 0; i < 3000; ++i) {
    const std::string bytes = random_bytes(random, static_cast<int>(random.below(200)));
    EXPECT_NO_THROW(small().decode(small().encode(bytes)));
  }
}

TEST(ByteLevelBpeTokenizer, DecodeReplacesIllFormedBytesAndCleansUp) {
  EXPECT_EQ(small().decode(small().encode("a , b . do n't")), "a , b . do n't");
  const TemporaryFolder folder;
  for (const char* name : {"vocab.json", "merges.txt"}) {
    folder.write(name, read_file(golden_folder() / "bpe" / name));
  }
  folder.write("tokenizer_config.json", R"({"clean_up_tokenization_spaces": true})");
  const auto cleaning = ByteLevelBpeTokenizer::load(folder.path());
  EXPECT_EQ(cleaning->decode(cleaning->encode("a , b . do n't")), "a, b. don't");
  int32_t id = 0;
  while (small().decode_bytes({id}) != "\xFF") ++id;
  EXPECT_EQ(small().decode({id, id}), "\uFFFD\uFFFD");
}

TEST(ByteLevelBpeTokenizer, FindsSpecialTokensInTheText) {
  const SpecialTokens& special = small().special();
  EXPECT_EQ(special.bos, 0);
  EXPECT_EQ(special.pad, 1);
  EXPECT_EQ(special.eos, 2);
  EXPECT_EQ(special.unk, 3);
  EXPECT_EQ(special.mask, small().vocab_size() - 1);
  EXPECT_EQ(small().encode("<s></s><pad><unk> \n<mask>"),
            (std::vector<int32_t>{0, 2, 1, 3, special.mask}));
  EXPECT_EQ(small().decode(small().encode("a<s>b</s>")), "ab");
  EXPECT_EQ(small().decode(small().encode("[SEP]")), "[SEP]");  // not a special token here
}

TEST(ByteLevelBpeTokenizer, TakesLongLinesWithoutSpaces) {
  constexpr size_t kBytes = 10 << 20;
  GoldenRandom random(1);
  std::string letters;
  for (size_t i = 0; i < kBytes; ++i) letters += static_cast<char>('a' + random.below(26));
  EXPECT_EQ(small().decode_bytes(small().encode(letters)), letters);
  const std::string dots(kBytes / 4, '.');
  EXPECT_EQ(small().decode_bytes(small().encode(dots)), dots);
}

TEST(ByteLevelBpeTokenizer, GivesTheSameIdsFromSeveralThreads) {
  const GoldenCorpus corpus;
  std::vector<std::string> lines;
  for (int i = 0; i < 500; ++i) lines.push_back(corpus.line(i));
  std::vector<std::vector<int32_t>> expected;
  for (const std::string& line : lines) expected.push_back(small().encode(line));
  const auto fresh = ByteLevelBpeTokenizer::load(golden_folder() / "bpe");
  std::vector<int> wrong(3);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < lines.size(); ++i) count += fresh->encode(lines[i]) != expected[i];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(3));
}

TEST(ByteLevelBpeTokenizer, SavesWhatLoadsAsTheSame) {
  const TemporaryFolder folder;
  const std::filesystem::path first = folder.path() / "1", second = folder.path() / "2";
  std::filesystem::create_directories(first);
  std::filesystem::create_directories(second);
  const auto tokenizer = ByteLevelBpeTokenizer::load(golden_folder() / "bpe_json");
  tokenizer->save(first);
  const auto reloaded = ByteLevelBpeTokenizer::load(first);
  const GoldenCorpus corpus;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(reloaded->encode(corpus.line(i)), tokenizer->encode(corpus.line(i)));
  }
  reloaded->save(second);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    EXPECT_EQ(read_file(first / name), read_file(second / name)) << name;
  }
  EXPECT_EQ(reloaded->scheme(), "byte_level_bpe");
}

TEST(ByteLevelBpeTokenizer, AppendsMissingSpecialTokensAsHuggingFaceDoes) {
  const TemporaryFolder folder;
  auto vocab = nlohmann::json::parse(read_file(golden_folder() / "bpe" / "vocab.json"));
  const auto old_size = static_cast<int32_t>(vocab.size());
  for (const char* name : {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}) vocab.erase(name);
  int32_t id = 0;
  for (auto& entry : vocab) entry = id++;
  folder.write("vocab.json", vocab.dump());
  folder.write("merges.txt", read_file(golden_folder() / "bpe" / "merges.txt"));
  const auto tokenizer = ByteLevelBpeTokenizer::load(folder.path());
  EXPECT_EQ(tokenizer->vocab_size(), old_size);
  EXPECT_EQ(tokenizer->special().bos, id);
  EXPECT_EQ(tokenizer->special().eos, id + 1);
  EXPECT_EQ(tokenizer->special().unk, id + 2);
  EXPECT_EQ(tokenizer->special().pad, id + 3);
  EXPECT_EQ(tokenizer->special().mask, id + 4);
}

TEST(ByteLevelBpeTokenizer, RejectsMalformedMerges) {
  const auto error_with = [](const std::string& merges) {
    const TemporaryFolder folder;
    folder.write("vocab.json", read_file(golden_folder() / "bpe" / "vocab.json"));
    folder.write("merges.txt", merges);
    return error_of([&] { ByteLevelBpeTokenizer::load(folder.path()); });
  };
  EXPECT_THAT(error_with("#version: 0.2\na b c\n"), HasSubstr("merges.txt:2: a merge is not two"));
  EXPECT_THAT(error_with("#\nab\n"), HasSubstr("merges.txt:2: a merge is not two"));
  EXPECT_THAT(error_with("#\na \u4E2D\n"), HasSubstr("merges.txt:2: the merge of"));
  EXPECT_THAT(error_with("#\nt h\nt h\n"), HasSubstr("merges.txt:3: the merge is there twice"));
  EXPECT_THAT(error_with("t \xFF\n"), HasSubstr("merges.txt:1: not valid UTF-8"));
  EXPECT_EQ(error_with("#\nt h\n\n"), "");
}

TEST(ByteLevelBpeTokenizer, RejectsMalformedJson) {
  const auto error_with = [](const std::string& json) {
    const TemporaryFolder folder;
    folder.write("tokenizer.json", json);
    return error_of([&] { ByteLevelBpeTokenizer::load(folder.path()); });
  };
  const std::string good = read_file(golden_folder() / "bpe_json" / "tokenizer.json");
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}"},
      {"\"type\":\"ByteLevel\"", "\"type\":\"Whitespace\""},
      {"\"dropout\":null", "\"dropout\":0.1"},
      {"\"type\":\"RobertaProcessing\"", "\"type\":\"ByteLevel\""},
      {"\"merges\":[", "\"merges\":[3,"},
      {"\"merges\":[", "\"merges\":[\"t\","},
      {"\"!\":4", "\"!!!\":4"},
      {"{\"id\":0,", "{\"id\":7,"}};
  for (const auto& [from, to] : changes) {
    std::string bad = good;
    ASSERT_NE(bad.find(from), bad.npos) << from;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_THAT(error_with(bad), HasSubstr("76: ")) << to;
  }
}

}  // namespace
}  // namespace trivium
