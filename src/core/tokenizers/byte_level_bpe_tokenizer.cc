#include "core/tokenizers/byte_level_bpe_tokenizer.h"

#include <algorithm>
#include <optional>
#include <span>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/tokenizers/byte_alphabet.h"
#include "core/tokenizers/clean_up.h"
#include "core/tokenizers/gpt2_words.h"
#include "core/tokenizers/model_file.h"
#include "core/tokenizers/tokenizer_options.h"

namespace trivium {
namespace {

constexpr size_t kMaxWordBytes = size_t{1} << 24;
constexpr size_t kMaxCachedBytes = 64;       // longer words hardly ever come again
constexpr size_t kMaxCachedWords = 1 << 16;  // about 10 MB

void add_merge(const Vocabulary& vocabulary, std::string_view left, std::string_view right,
               const std::string& where, BytePairMerger& merger) {
  const int32_t left_id = vocabulary.find(left), right_id = vocabulary.find(right);
  const int32_t result = vocabulary.find(std::string(left).append(right));
  if (left_id < 0 || right_id < 0 || result < 0) {
    throw_bad_model(where, "the merge of \"" + std::string(left) + "\" and \"" +
                               std::string(right) + "\" has a part or a result that is no token");
  }
  if (!merger.add(left_id, right_id, result)) throw_bad_model(where, "the merge is there twice");
}

// "left right", as in merges.txt.
void add_merge_line(const Vocabulary& vocabulary, std::string_view line, const std::string& where,
                    BytePairMerger& merger) {
  const size_t space = line.find(' ');
  if (space == line.npos || line.find(' ', space + 1) != line.npos) {
    throw_bad_model(where, "a merge is not two tokens with a space between them");
  }
  add_merge(vocabulary, line.substr(0, space), line.substr(space + 1), where, merger);
}

// The first line is a comment; what follows the last line end is none, as in Hugging Face's reader.
BytePairMerger read_merges_txt(const Vocabulary& vocabulary, const std::filesystem::path& path) {
  BytePairMerger merger;
  const std::string text = read_model_text(path);
  const std::vector<std::string_view> lines = split_lines(text);
  const size_t count = lines.size() - (text.empty() || text.ends_with('\n') ? 0 : 1);
  for (size_t i = 1; i < count; ++i) {
    if (!lines[i].empty()) add_merge_line(vocabulary, lines[i], file_and_line(path, i + 1), merger);
  }
  return merger;
}

// A list of "left right" or, in files of newer versions, ["left", "right"].
BytePairMerger read_merges_json(const Vocabulary& vocabulary, const nlohmann::json& list,
                                const std::string& where) {
  BytePairMerger merger;
  if (!list.is_array()) throw_bad_model(where, "\"merges\" is not a list");
  for (size_t i = 0; i < list.size(); ++i) {
    const nlohmann::json& merge = list[i];
    const std::string place = where + ": merge " + std::to_string(i);
    if (merge.is_string()) {
      add_merge_line(vocabulary, merge.get_ref<const std::string&>(), place, merger);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      add_merge(vocabulary, merge[0].get_ref<const std::string&>(),
                merge[1].get_ref<const std::string&>(), place, merger);
    } else {
      throw_bad_model(place, "neither a string nor a pair of strings");
    }
  }
  return merger;
}

constexpr std::string_view kClasses[] = {"BartTokenizer",       "RobertaTokenizer",
                                         "LEDTokenizer",        "MvpTokenizer",
                                         "LongformerTokenizer", "PreTrainedTokenizer"};

// BartTokenizer's own.
const std::vector<SpecialDefault>& bart_specials() {
  static const std::vector<SpecialDefault> specials = {
      {"bos_token", {.content = "<s>", .normalized = true}},
      {"eos_token", {.content = "</s>", .normalized = true}},
      {"unk_token", {.content = "<unk>", .normalized = true}},
      {"sep_token", {.content = "</s>", .normalized = true}},
      {"pad_token", {.content = "<pad>", .normalized = true}},
      {"cls_token", {.content = "<s>", .normalized = true}},
      {"mask_token", {.content = "<mask>", .strip_left = true, .normalized = true}}};
  return specials;
}

// Model, words and merges of either layout.
struct BpeFiles {
  Vocabulary vocabulary;
  BytePairMerger merger;
  std::vector<AddedToken> added;
  std::optional<TextFrame> frame;  // of a tokenizer.json
};

BpeFiles read_two_files(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "vocab.json";
  Vocabulary vocabulary = Vocabulary::from_json(read_model_json(path), path);
  BytePairMerger merger = read_merges_txt(vocabulary, folder / "merges.txt");
  return {std::move(vocabulary), std::move(merger), {}, std::nullopt};
}

BpeFiles read_tokenizer_json(const std::filesystem::path& path) {
  const std::string where = path.string();
  const nlohmann::json json = read_model_json(path);
  require_keys(json, {"model", "pre_tokenizer", "added_tokens", "decoder"}, where);
  require_value(json, "normalizer", nullptr, where);
  // Its add_prefix_space does not count: tokenizer_config.json's does, as in transformers.
  require_value(json["pre_tokenizer"], "type", "ByteLevel", where);
  require_value(json["pre_tokenizer"], "use_regex", true, where);
  require_value(json["decoder"], "type", "ByteLevel", where);
  const nlohmann::json& model = json["model"];
  require_keys(model, {"vocab", "merges"}, where);
  require_value(model, "type", "BPE", where);
  require_value(model, "dropout", 0, where);
  require_value(model, "continuing_subword_prefix", "", where);
  require_value(model, "end_of_word_suffix", "", where);
  require_value(model, "byte_fallback", false, where);
  require_value(model, "ignore_merges", false, where);
  Vocabulary vocabulary = Vocabulary::from_json(model["vocab"], path);
  BytePairMerger merger = read_merges_json(vocabulary, model["merges"], where);
  return {std::move(vocabulary), std::move(merger),
          AddedTokens::from_json(json["added_tokens"], where).tokens(),
          read_text_frame(json, where)};
}

}  // namespace

ByteLevelBpeTokenizer::ByteLevelBpeTokenizer(Vocabulary vocabulary, BytePairMerger merger,
                                             AddedTokens added, const Options& options)
    : vocabulary_(std::move(vocabulary)),
      merger_(std::move(merger)),
      added_(std::move(added)),
      options_(options) {
  vocabulary_.append_missing(added_);
  for (size_t byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = vocabulary_.require(byte_alphabet()[byte]);
  }
  for (const std::string& token : vocabulary_.tokens()) {
    token_bytes_.push_back(spelled_bytes(token));
  }
}

std::unique_ptr<ByteLevelBpeTokenizer> ByteLevelBpeTokenizer::load(
    const std::filesystem::path& folder) {
  const TokenizerOptions options = read_tokenizer_options(folder, kClasses);
  const std::filesystem::path json = folder / "tokenizer.json";
  BpeFiles files =
      std::filesystem::exists(json) ? read_tokenizer_json(json) : read_two_files(folder);
  const std::span<const SpecialDefault> specials = bart_specials();
  const auto defaults = options.is_plain_class() ? specials.first(0) : specials;
  AddedTokens added(all_added_tokens(std::move(files.added), options, defaults, files.vocabulary));
  files.vocabulary.append_missing(added);
  const auto id_of = [&](const std::string& name) { return files.vocabulary.require(name); };
  const auto named = [&](const char* key) { return special_content(options, specials, key); };
  const TextFrame frame = files.frame.value_or(TextFrame{named("cls_token"), named("sep_token")});
  Options own;
  own.special = {.bos = id_of(frame.first),
                 .pad = id_of(named("pad_token")),
                 .eos = id_of(frame.last),
                 .unk = id_of(named("unk_token")),
                 .mask = files.vocabulary.find(named("mask_token"))};
  own.add_prefix_space = options.add_prefix_space;
  own.clean_up = options.clean_up.value_or(false);
  return std::make_unique<ByteLevelBpeTokenizer>(std::move(files.vocabulary),
                                                 std::move(files.merger), std::move(added), own);
}

std::vector<int32_t> ByteLevelBpeTokenizer::encode(std::string_view text) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = replace_invalid_utf8(text);
  // A second thread that comes at the same time does without the cache rather than wait.
  const std::unique_lock lock(cache_mutex_, std::try_to_lock);
  Cache* cache = lock.owns_lock() ? &cache_ : nullptr;
  std::vector<int32_t> ids;
  for (const AddedTokens::Part& outer : added_.split(text)) {
    if (outer.id >= 0) {
      ids.push_back(outer.id);
      continue;
    }
    for (const AddedTokens::Part& part : added_.split_normalized(outer.text)) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        append_text(part.text, cache, ids);
      }
    }
  }
  return ids;
}

void ByteLevelBpeTokenizer::append_text(std::string_view text, Cache* cache,
                                        std::vector<int32_t>& ids) const {
  std::string prefixed;
  if (options_.add_prefix_space && !text.starts_with(' ')) {
    text = prefixed = std::string(" ").append(text);
  }
  for (const std::string_view word : split_gpt2_words(text)) append_word(word, cache, ids);
}

void ByteLevelBpeTokenizer::append_word(std::string_view word, Cache* cache,
                                        std::vector<int32_t>& ids) const {
  const bool cached = cache && word.size() <= kMaxCachedBytes;
  if (cached) {
    const auto found = cache->find(word);
    if (found != cache->end()) {
      ids.insert(ids.end(), found->second.begin(), found->second.end());
      return;
    }
  }
  for (size_t begin = 0; begin < word.size(); begin += kMaxWordBytes) {
    std::vector<int32_t> pieces = encode_word(word.substr(begin, kMaxWordBytes));
    ids.insert(ids.end(), pieces.begin(), pieces.end());
    if (!cached) continue;
    if (cache->size() >= kMaxCachedWords) cache->clear();
    cache->emplace(word, std::move(pieces));
  }
}

std::vector<int32_t> ByteLevelBpeTokenizer::encode_word(std::string_view word) const {
  std::vector<int32_t> ids;
  ids.reserve(word.size());
  for (const char c : word) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  merger_.merge(ids);
  return ids;
}

std::string ByteLevelBpeTokenizer::decode_bytes(const std::vector<int32_t>& ids) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (!vocabulary_.has(id) || added_.is_special(id)) continue;
    bytes += token_bytes_[static_cast<size_t>(id)];
  }
  return bytes;
}

std::string ByteLevelBpeTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::string text = replace_invalid_utf8(decode_bytes(ids));
  return options_.clean_up ? clean_up_spaces(std::move(text)) : text;
}

void ByteLevelBpeTokenizer::save(const std::filesystem::path& folder) const {
  std::string vocab = "{";
  for (int32_t id = 0; id < vocabulary_.size(); ++id) {
    vocab +=
        (id > 0 ? ",\n" : "\n") + to_json_line(vocabulary_.token(id)) + ": " + std::to_string(id);
  }
  write_file_atomically(folder / "vocab.json", vocab + "\n}\n");
  std::string merges = "#version: 0.2\n";
  for (const BytePairMerger::Rule& rule : merger_.rules()) {
    merges += vocabulary_.token(rule.left) + " " + vocabulary_.token(rule.right) + "\n";
  }
  write_file_atomically(folder / "merges.txt", merges);
  nlohmann::json config = special_names(options_.special, *this);
  config["add_prefix_space"] = options_.add_prefix_space;
  config["added_tokens_decoder"] = added_.to_json();
  config["clean_up_tokenization_spaces"] = options_.clean_up;
  config["tokenizer_class"] = "BartTokenizer";
  write_file_atomically(folder / "tokenizer_config.json", config.dump(2) + "\n");
}

}  // namespace trivium
