#include "core/tokenizers/wordpiece_tokenizer.h"

#include <algorithm>
#include <optional>
#include <span>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/tokenizers/clean_up.h"
#include "core/tokenizers/model_file.h"
#include "core/tokenizers/tokenizer_options.h"

namespace trivium {
namespace {

constexpr std::string_view kContinues = "##";
constexpr ptrdiff_t kMaxWordCodePoints = 100;  // a longer word is [UNK], as in BERT

ptrdiff_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

constexpr std::string_view kClasses[] = {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer",
                                         "MobileBertTokenizer", "PreTrainedTokenizer"};

// BertTokenizer's own.
const std::vector<SpecialDefault>& bert_specials() {
  static const std::vector<SpecialDefault> specials = {{"unk_token", {.content = "[UNK]"}},
                                                       {"sep_token", {.content = "[SEP]"}},
                                                       {"pad_token", {.content = "[PAD]"}},
                                                       {"cls_token", {.content = "[CLS]"}},
                                                       {"mask_token", {.content = "[MASK]"}}};
  return specials;
}

// The vocabulary and what goes with it, of either layout.
struct WordPieceFiles {
  Vocabulary vocabulary;
  std::vector<AddedToken> added;
  std::string unknown;
  BertTextOptions text;
  std::optional<TextFrame> frame;  // of a tokenizer.json
};

BertTextOptions text_options(const TokenizerOptions& options) {
  return {.lower_case = options.lower_case,
          .strip_accents = options.strip_accents.value_or(options.lower_case),
          .split_ideographs = options.split_ideographs};
}

WordPieceFiles read_vocab_txt(const std::filesystem::path& path, const TokenizerOptions& options) {
  const std::string text = read_model_text(path);
  Vocabulary vocabulary(path);
  for (const std::string_view token : split_lines(text)) vocabulary.append_line(token);
  return {std::move(vocabulary),
          {},
          special_content(options, bert_specials(), "unk_token"),
          text_options(options),
          std::nullopt};
}

// A BertNormalizer of its own; the classes of transformers that are BERT's replace it.
BertTextOptions read_normalizer(const nlohmann::json& normalizer, const std::string& where) {
  require_value(normalizer, "type", "BertNormalizer", where);
  require_value(normalizer, "clean_text", true, where);
  BertTextOptions options;
  try {
    options.lower_case = normalizer.value("lowercase", true);
    options.split_ideographs = normalizer.value("handle_chinese_chars", true);
    options.strip_accents = options.lower_case;
    if (normalizer.contains("strip_accents") && !normalizer["strip_accents"].is_null()) {
      options.strip_accents = normalizer["strip_accents"].get<bool>();
    }
  } catch (const nlohmann::json::exception&) {
    throw_bad_model(where, "an option of the normalizer is not true or false");
  }
  return options;
}

WordPieceFiles read_tokenizer_json(const std::filesystem::path& path,
                                   const TokenizerOptions& options) {
  const std::string where = path.string();
  const nlohmann::json json = read_model_json(path);
  require_keys(json, {"model", "normalizer", "pre_tokenizer", "added_tokens", "decoder"}, where);
  const nlohmann::json& model = json["model"];
  require_value(model, "type", "WordPiece", where);
  require_value(model, "continuing_subword_prefix", "##", where);
  require_value(model, "max_input_chars_per_word", kMaxWordCodePoints, where);
  require_value(json["pre_tokenizer"], "type", "BertPreTokenizer", where);
  require_value(json["decoder"], "type", "WordPiece", where);
  require_value(json["decoder"], "prefix", "##", where);
  require_value(json["decoder"], "cleanup", true, where);
  const BertTextOptions own = read_normalizer(json["normalizer"], where);
  require_keys(model, {"vocab", "unk_token"}, where);
  if (!model["unk_token"].is_string()) throw_bad_model(where, "unk_token is not a string");
  return {Vocabulary::from_json(model["vocab"], path),
          AddedTokens::from_json(json["added_tokens"], where).tokens(),
          model["unk_token"].get<std::string>(),
          options.is_plain_class() ? own : text_options(options), read_text_frame(json, where)};
}

}  // namespace

WordPieceTokenizer::WordPieceTokenizer(Vocabulary vocabulary, AddedTokens added,
                                       const Options& options)
    : vocabulary_(std::move(vocabulary)),
      added_(std::move(added)),
      options_(options),
      pieces_(vocabulary_.size()) {
  vocabulary_.append_missing(added_);
  for (int32_t id = 0; id < vocabulary_.size(); ++id) {
    const std::string_view piece = vocabulary_.token(id);
    if (piece.find('\n') != piece.npos) {  // vocab.txt could not hold it
      throw_bad_model(vocabulary_.where().string(),
                      "token " + std::to_string(id) + " holds a line end");
    }
    if (id >= pieces_ || piece.empty()) continue;
    first_.insert(piece, id);  // of equal ones the last
    if (piece.size() > kContinues.size() && piece.starts_with(kContinues)) {
      next_.insert(piece.substr(kContinues.size()), id);
    }
  }
}

std::unique_ptr<WordPieceTokenizer> WordPieceTokenizer::load(const std::filesystem::path& folder) {
  const TokenizerOptions options = read_tokenizer_options(folder, kClasses);
  const std::filesystem::path json = folder / "tokenizer.json";
  WordPieceFiles files = std::filesystem::exists(json)
                             ? read_tokenizer_json(json, options)
                             : read_vocab_txt(folder / "vocab.txt", options);
  const std::span<const SpecialDefault> specials = bert_specials();
  const auto defaults = options.is_plain_class() ? specials.first(0) : specials;
  const std::vector<AddedToken> tokens =
      all_added_tokens(files.added, options, defaults, files.vocabulary);
  // Of a token that the files have: one that would have to be appended has no row in any model.
  const auto id_of = [&](const std::string& name) {
    for (const auto& listed : {files.added, options.added}) {
      for (const AddedToken& token : listed) {
        if (token.content == name) return token.id;
      }
    }
    return files.vocabulary.require(name);
  };
  const auto named = [&](const char* key) { return special_content(options, specials, key); };
  const TextFrame frame = files.frame.value_or(TextFrame{named("cls_token"), named("sep_token")});
  Options own;
  own.special = {.bos = id_of(frame.first),
                 .pad = id_of(named("pad_token")),
                 .eos = id_of(frame.last),
                 .unk = id_of(files.unknown),
                 .mask = -1};
  for (const AddedToken& token : tokens) {
    if (token.content == named("mask_token")) own.special.mask = token.id;
  }
  own.text = files.text;
  // BertTokenizer's default, which transformers loses where it reads a tokenizer.json.
  own.clean_up = options.clean_up.value_or(!files.frame.has_value());
  AddedTokens added(tokens, [text = files.text](std::string_view content) {
    return normalize_bert_text(content, text);
  });
  return std::make_unique<WordPieceTokenizer>(std::move(files.vocabulary), std::move(added), own);
}

std::vector<int32_t> WordPieceTokenizer::encode(std::string_view text) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = replace_invalid_utf8(text);
  std::vector<int32_t> ids;
  for (const AddedTokens::Part& outer : added_.split(text)) {
    if (outer.id >= 0) {
      ids.push_back(outer.id);
      continue;
    }
    const std::string normalized = normalize_bert_text(outer.text, options_.text);
    for (const AddedTokens::Part& part : added_.split_normalized(normalized)) {
      if (part.id >= 0) {
        ids.push_back(part.id);
        continue;
      }
      for (const std::string_view word : split_bert_words(part.text)) append_pieces(word, ids);
    }
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
  ids.push_back(options_.special.unk);
}

std::string WordPieceTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text;
  bool first = true;
  for (const int32_t id : ids) {
    if (!vocabulary_.has(id) || added_.is_special(id)) continue;
    const std::string& piece = vocabulary_.token(id);
    if (first) {
      text += piece;
    } else if (piece.starts_with(kContinues)) {
      text.append(piece, kContinues.size());
    } else {
      text += clean_up_spaces(" " + piece);  // the library's decoder always does
    }
    first = false;
  }
  return options_.clean_up ? clean_up_spaces(std::move(text)) : text;
}

void WordPieceTokenizer::save(const std::filesystem::path& folder) const {
  std::string lines;
  for (int32_t id = 0; id < pieces_; ++id) lines.append(vocabulary_.token(id)).append("\n");
  write_file_atomically(folder / "vocab.txt", lines);
  nlohmann::json config = special_names(options_.special, *this);
  config["added_tokens_decoder"] = added_.to_json();
  config["clean_up_tokenization_spaces"] = options_.clean_up;
  config["do_lower_case"] = options_.text.lower_case;
  // Without it transformers gives token_type_ids too, which no encoder-decoder takes.
  config["model_input_names"] = {"input_ids", "attention_mask"};
  config["strip_accents"] = options_.text.strip_accents;
  config["tokenize_chinese_chars"] = options_.text.split_ideographs;
  config["tokenizer_class"] = "BertTokenizer";
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace trivium
