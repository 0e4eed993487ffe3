#include "core/tokenizers/wordpiece_tokenizer.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/tokenizers/clean_up.h"
#include "core/tokenizers/model_file.h"

namespace trivium {
namespace {

constexpr std::string_view kContinues = "##";
constexpr ptrdiff_t kMaxWordCodePoints = 100;  // a longer word is [UNK], as in BERT

ptrdiff_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

// BertTokenizerFast's defaults; accents go with the case unless the file says otherwise.
BertTextOptions read_options(const nlohmann::json& object, const char* lower_key,
                             const std::string& where) {
  BertTextOptions options;
  try {
    options.lower_case = object.value(lower_key, true);
    options.strip_accents = options.lower_case;
    if (object.contains("strip_accents") && !object["strip_accents"].is_null()) {
      options.strip_accents = object["strip_accents"].get<bool>();
    }
  } catch (const nlohmann::json::exception&) {
    throw_bad_model(where, std::string(lower_key) + " or strip_accents is not true or false");
  }
  return options;
}

AddedTokens bert_added_tokens(const Vocabulary& vocabulary) {
  std::vector<AddedToken> added;
  for (const char* name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    const int32_t id = vocabulary.find(name);
    if (id >= 0) added.push_back({.content = name, .id = id});
  }
  return AddedTokens(std::move(added));
}

}  // namespace

WordPieceTokenizer::WordPieceTokenizer(Vocabulary vocabulary, AddedTokens added,
                                       BertTextOptions options)
    : vocabulary_(std::move(vocabulary)), added_(std::move(added)), options_(options) {
  vocabulary_.append_missing(added_);
  special_ = {.bos = vocabulary_.require("[CLS]"),
              .pad = vocabulary_.require("[PAD]"),
              .eos = vocabulary_.require("[SEP]"),
              .unk = vocabulary_.require("[UNK]"),
              .mask = vocabulary_.find("[MASK]")};
  for (int32_t id = 0; id < vocabulary_.size(); ++id) {
    const std::string_view piece = vocabulary_.token(id);
    if (piece.find('\n') != piece.npos) {  // vocab.txt could not hold it
      throw_bad_model(vocabulary_.where().string(),
                      "token " + std::to_string(id) + " holds a line end");
    }
    first_.insert(piece, id);
    if (piece.size() > kContinues.size() && piece.starts_with(kContinues)) {
      next_.insert(piece.substr(kContinues.size()), id);
    }
  }
}

std::unique_ptr<WordPieceTokenizer> WordPieceTokenizer::load(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "vocab.txt")) return from_vocab_txt(folder);
  return from_json(folder / "tokenizer.json");
}

std::unique_ptr<WordPieceTokenizer> WordPieceTokenizer::from_vocab_txt(
    const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "vocab.txt";
  const std::string text = read_model_text(path);
  Vocabulary vocabulary(path);
  size_t line = 0;
  for (const std::string_view token : split_lines(text)) vocabulary.append(token, ++line);
  const nlohmann::json config = read_tokenizer_config(folder);
  const BertTextOptions options = read_options(config, "do_lower_case", folder.string());
  AddedTokens added =
      AddedTokens::from_config(config, folder.string()).value_or(bert_added_tokens(vocabulary));
  return std::make_unique<WordPieceTokenizer>(std::move(vocabulary), std::move(added), options);
}

std::unique_ptr<WordPieceTokenizer> WordPieceTokenizer::from_json(
    const std::filesystem::path& path) {
  const std::string where = path.string();
  const nlohmann::json json = read_model_json(path);
  require_keys(json, {"model", "normalizer", "added_tokens"}, where);
  const nlohmann::json& model = json["model"];
  require_value(model, "type", "WordPiece", where);
  require_value(model, "unk_token", "[UNK]", where);
  require_value(model, "continuing_subword_prefix", "##", where);
  require_value(model, "max_input_chars_per_word", kMaxWordCodePoints, where);
  const nlohmann::json& normalizer = json["normalizer"];
  require_value(normalizer, "type", "BertNormalizer", where);
  require_value(normalizer, "clean_text", true, where);
  require_value(normalizer, "handle_chinese_chars", true, where);
  Vocabulary vocabulary = Vocabulary::from_json(model["vocab"], path);
  AddedTokens added = AddedTokens::from_json(json["added_tokens"], where);
  const BertTextOptions options = read_options(normalizer, "lowercase", where);
  return std::make_unique<WordPieceTokenizer>(std::move(vocabulary), std::move(added), options);
}

std::vector<int32_t> WordPieceTokenizer::encode(std::string_view text) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = replace_invalid_utf8(text);
  std::vector<int32_t> ids;
  for (const AddedTokens::Part& part : added_.split(text)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    const std::string normalized = normalize_bert_text(part.text, options_);
    for (const std::string_view word : split_bert_words(normalized)) append_pieces(word, ids);
  }
  return ids;
}

void WordPieceTokenizer::append_pieces(std::string_view word, std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  // Pieces are valid UTF-8, so a match always ends between two characters.
  bool known = count_code_points(word) <= kMaxWordCodePoints;
  for (const Trie* pieces = &first_; known && !word.empty(); pieces = &next_) {
    const Trie::Match match = pieces->longest_prefix(word);
    known = match.length > 0;
    ids.push_back(match.value);
    word.remove_prefix(match.length);
  }
  if (known) return;
  ids.resize(before);
  ids.push_back(special_.unk);
}

std::string WordPieceTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text;
  bool first = true;
  for (const int32_t id : ids) {
    const std::string& piece = vocabulary_.token(id);
    if (added_.is_special(id)) continue;
    if (first) {
      text += piece;
    } else if (piece.starts_with(kContinues)) {
      text.append(piece, kContinues.size());
    } else {
      text.append(" ").append(piece);
    }
    first = false;
  }
  return clean_up_spaces(std::move(text));
}

void WordPieceTokenizer::save(const std::filesystem::path& folder) const {
  std::string lines;
  for (const std::string& token : vocabulary_.tokens()) lines.append(token).append("\n");
  write_file_atomically(folder / "vocab.txt", lines);
  const nlohmann::json config = {{"added_tokens_decoder", added_.to_json()},
                                 {"do_lower_case", options_.lower_case},
                                 {"strip_accents", options_.strip_accents},
                                 {"tokenizer_class", "BertTokenizer"}};
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace trivium
