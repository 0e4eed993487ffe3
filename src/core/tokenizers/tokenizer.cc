#include "core/tokenizers/tokenizer.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/tokenizers/byte_level_bpe_tokenizer.h"
#include "core/tokenizers/model_file.h"
#include "core/tokenizers/sentencepiece_tokenizer.h"
#include "core/tokenizers/wordpiece_tokenizer.h"

namespace trivium {
namespace {

// "BPE", "WordPiece" or another of the library's types.
std::string model_type(const std::filesystem::path& path) {
  const nlohmann::json json = read_model_json(path);
  require_keys(json, {"model"}, path.string());
  require_keys(json["model"], {"type"}, path.string());
  const nlohmann::json& type = json["model"]["type"];
  return type.is_string() ? type.get<std::string>() : type.dump();
}

}  // namespace

std::vector<int32_t> Tokenizer::encode_with_special(std::string_view text, size_t max_length,
                                                    bool* truncated) const {
  check(max_length >= 2, "encode_with_special: max_length leaves no room for bos and eos");
  std::vector<int32_t> ids;
  for (size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
    end = std::min(text.find(kFieldSeparator, begin), text.size());
    if (begin > 0) ids.push_back(special().eos);
    const std::vector<int32_t> field = encode(text.substr(begin, end - begin));
    ids.insert(ids.end(), field.begin(), field.end());
  }
  const bool cut = ids.size() > max_length - 2;
  if (truncated) *truncated = cut;
  if (cut) ids.resize(max_length - 2);
  ids.insert(ids.begin(), special().bos);
  ids.push_back(special().eos);
  refuse_without_row(ids);
  return ids;
}

std::vector<int32_t> Tokenizer::encode_target(std::string_view text, size_t max_length,
                                              int32_t start_id, bool* truncated) const {
  std::vector<int32_t> ids = encode_with_special(text, max_length, truncated);
  if (ids.front() == start_id) ids.erase(ids.begin());
  return ids;
}

void Tokenizer::set_model_rows(int64_t rows) {
  for (const int32_t id : {special().bos, special().eos, special().pad}) {
    if (id < rows) continue;
    throw_bad_model("config.json", "vocab_size is " + std::to_string(rows) +
                                       ", but the tokenizer's \"" + token(id) + "\" is token " +
                                       std::to_string(id));
  }
  model_rows_ = rows;
}

void Tokenizer::refuse_without_row(const std::vector<int32_t>& ids) const {
  for (const int32_t id : ids) {
    if (id < model_rows_) continue;
    throw Error(ExitCode::kBadData, "the text holds \"" + token(id) + "\" (token " +
                                        std::to_string(id) +
                                        "), for which the model has no row; take it out");
  }
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const auto has = [&](const char* name) { return std::filesystem::exists(folder / name); };
  for (const char* name : {"spiece.model", "sentencepiece.bpe.model"}) {
    if (has(name)) return SentencePieceTokenizer::load(folder / name);
  }
  if (has("tokenizer.json")) {
    const std::filesystem::path path = folder / "tokenizer.json";
    const std::string type = model_type(path);
    if (type == "BPE") return ByteLevelBpeTokenizer::load(folder);
    if (type == "WordPiece") return WordPieceTokenizer::load(folder);
    throw_bad_model(path.string(), "the model type \"" + type + "\" is unsupported");
  }
  if (has("vocab.json") && has("merges.txt")) return ByteLevelBpeTokenizer::load(folder);
  if (has("vocab.txt")) return WordPieceTokenizer::load(folder);
  throw Error(ExitCode::kMissingInput,
              folder.string() +
                  " holds no tokenizer (spiece.model, vocab.json with merges.txt, "
                  "vocab.txt or tokenizer.json)");
}

}  // namespace trivium
