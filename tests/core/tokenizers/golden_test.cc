// Ids and texts against Hugging Face's: see tools/make_tokenizer_golden.py.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/file.h"
#include "core/tokenizers/clean_up.h"
#include "core/tokenizers/golden_corpus.h"
#include "core/tokenizers/tokenizer.h"

namespace trivium {
namespace {

const GoldenCorpus& corpus() {
  static const GoldenCorpus instance;
  return instance;
}

// The id of a token, or -1: what Hugging Face calls convert_tokens_to_ids.
int32_t find_token(const Tokenizer& tokenizer, const std::string& token) {
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.token(id) == token) return id;
  }
  return -1;
}

// As Hugging Face's convert_tokens_to_ids: what is no token is [UNK] or <unk>.
std::vector<int32_t> frequent_ids(const Tokenizer& tokenizer) {
  const char* key =
      tokenizer.scheme() == "wordpiece" ? "frequent_wordpieces" : "frequent_bpe_tokens";
  std::vector<int32_t> ids;
  for (const Json& token : corpus().tables().at(key)) {
    const int32_t id = find_token(tokenizer, token.get<std::string>());
    ids.push_back(id >= 0 ? id : tokenizer.special().unk);
  }
  return ids;
}

enum class CleanUp { kByTokenizer, kHere };

// Golden texts were decoded with clean_up_tokenization_spaces: the default of a vocab.txt alone.
std::string decode_cleaned(const Tokenizer& tokenizer, const std::vector<int32_t>& ids,
                           CleanUp clean_up) {
  std::string text = tokenizer.decode(ids);
  return clean_up == CleanUp::kByTokenizer ? text : clean_up_spaces(std::move(text));
}

// Compares all lines and id lists with <name>.hashes.
void expect_hashes(const Tokenizer& tokenizer, const std::string& name,
                   CleanUp clean_up = CleanUp::kHere) {
  const std::vector<uint32_t> hashes = read_hashes(golden_folder() / (name + ".hashes"));
  ASSERT_EQ(hashes.size(), size_t{GoldenCorpus::kLines + GoldenCorpus::kDecodedLists});
  int mismatches = 0;
  for (int i = 0; i < GoldenCorpus::kLines && mismatches < 5; ++i) {
    const std::string line = corpus().line(i);
    if (hash_ids(tokenizer.encode(line)) == hashes[i]) continue;
    ++mismatches;
    ADD_FAILURE() << name << ": other ids than Hugging Face's for line " << i << ": "
                  << to_json_line(line);
  }
  const std::vector<int32_t> frequent = frequent_ids(tokenizer);
  for (int i = 0; i < GoldenCorpus::kDecodedLists && mismatches < 5; ++i) {
    const auto ids = GoldenCorpus::id_list(i, tokenizer.vocab_size(), frequent);
    const std::string text = decode_cleaned(tokenizer, ids, clean_up);
    if (hash_bytes(text) == hashes[GoldenCorpus::kLines + i]) continue;
    ++mismatches;
    ADD_FAILURE() << name << ": other text than Hugging Face's for id list " << i << ": "
                  << to_json_line(text);
  }
}

void expect_cases(const Tokenizer& tokenizer, const char* name, CleanUp clean_up = CleanUp::kHere) {
  const Json golden = read_json_file(golden_folder() / "cases.json");
  for (const Json& entry : golden.at(name)) {
    const auto text = entry.at(0).get<std::string>();
    const auto ids = entry.at(1).get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer.encode(text), ids) << to_json_line(text);
    EXPECT_EQ(decode_cleaned(tokenizer, ids, clean_up), entry.at(2).get<std::string>())
        << to_json_line(text);
  }
}

constexpr const char* kMinilmVocabSha256 =
    "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3";

// The folder with MiniLM's vocabulary: TRIVIUM_MINILM_DIR or a shipped checkpoint; empty: none.
std::filesystem::path minilm_folder() {
  std::vector<std::filesystem::path> folders;
  if (const char* named = std::getenv("TRIVIUM_MINILM_DIR")) folders.emplace_back(named);
  const std::filesystem::path shipped = std::filesystem::path(TRIVIUM_SOURCE_DIR) / "checkpoints";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(shipped, error)) {
    folders.push_back(entry.path());
  }
  for (const auto& folder : folders) {
    const std::filesystem::path vocab = folder / "vocab.txt";
    if (std::filesystem::exists(vocab) && sha256_of_file(vocab) == kMinilmVocabSha256) {
      return folder;
    }
  }
  return {};
}

TEST(Golden, SmallWordPieceVocabulary) {
  const auto tokenizer = load_tokenizer(golden_folder() / "wordpiece");
  expect_cases(*tokenizer, "wordpiece", CleanUp::kByTokenizer);
  expect_hashes(*tokenizer, "wordpiece", CleanUp::kByTokenizer);
}

TEST(Golden, SmallWordPieceVocabularyFromTokenizerJson) {
  expect_hashes(*load_tokenizer(golden_folder() / "wordpiece_json"), "wordpiece");
}

TEST(Golden, SmallBpeVocabulary) {
  const auto tokenizer = load_tokenizer(golden_folder() / "bpe");
  expect_cases(*tokenizer, "bpe");
  expect_hashes(*tokenizer, "bpe");
}

TEST(Golden, SmallBpeVocabularyFromTokenizerJson) {
  expect_hashes(*load_tokenizer(golden_folder() / "bpe_json"), "bpe");
}

TEST(Golden, MinilmVocabulary) {
  const std::filesystem::path folder = minilm_folder();
  if (folder.empty()) {
    GTEST_SKIP() << "MiniLM's vocab.txt is neither in TRIVIUM_MINILM_DIR nor in checkpoints/";
  }
  expect_hashes(*load_tokenizer(folder), "minilm", CleanUp::kByTokenizer);
}

TEST(Golden, Gpt2Vocabulary) {
  const std::filesystem::path folder = shared_vocab() / "gpt2";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  expect_hashes(*load_tokenizer(folder), "gpt2");
}

TEST(Golden, SentencepieceModel) {
  const std::filesystem::path folder = shared_vocab() / "sentencepiece_small";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const auto tokenizer = load_tokenizer(folder);
  const Json golden = read_json_file(golden_folder() / "cases.json");
  for (const Json& entry : golden.at("spiece")) {
    const auto text = entry.at(0).get<std::string>();
    const auto ids = entry.at(1).get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer->encode(text), ids) << to_json_line(text);
    // The library's own decode writes a sign for unknown pieces, which ours leaves out.
    if (std::count(ids.begin(), ids.end(), tokenizer->special().unk) > 0) continue;
    EXPECT_EQ(tokenizer->decode(ids), entry.at(2).get<std::string>()) << to_json_line(text);
  }
}

}  // namespace
}  // namespace trivium
