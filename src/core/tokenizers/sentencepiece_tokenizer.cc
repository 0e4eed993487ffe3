#include "core/tokenizers/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <exception>
#include <initializer_list>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/tokenizers/model_file.h"
#include "core/tokenizers/sentencepiece_charsmap.h"

namespace trivium {
namespace {

constexpr size_t kMaxPartBytes = 16 << 10;

// The id of the first of `names` that is a piece, or -1.
int32_t find_piece(const sentencepiece::SentencePieceProcessor& processor,
                   std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const int id = processor.PieceToId(name);
    if (id != processor.unk_id()) return id;
  }
  return -1;
}

int32_t require_piece(const sentencepiece::SentencePieceProcessor& processor, int id,
                      std::initializer_list<const char*> names, const std::string& where) {
  if (id < 0) id = find_piece(processor, names);
  if (id < 0) {
    throw_bad_model(where,
                    std::string("the sentencepiece model has no piece ").append(*names.begin()));
  }
  return id;
}

void load_model(sentencepiece::SentencePieceProcessor& processor, const std::string& model,
                const std::string& where) {
  std::string reason;
  try {
    const auto status = processor.LoadFromSerializedProto(model);
    if (status.ok()) return;
    reason = status.ToString();
  } catch (const std::exception& e) {  // from the trie that the library builds
    reason = e.what();
  }
  throw_bad_model(where, "not a sentencepiece model (" + reason + ")");
}

// A sound model encodes all valid UTF-8 and decodes all its ids.
[[noreturn]] void throw_damaged(const sentencepiece::util::Status& status) {
  throw_bad_model("the sentencepiece model is damaged", status.ToString());
}

// Transformers' classes have tokens, ids and a frame of their own around a sentencepiece model.
void refuse_other_options(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "tokenizer_config.json";
  const nlohmann::json config = read_optional_object(file);
  for (const char* key : {"tokenizer_class", "added_tokens_decoder"}) {
    if (!config.contains(key) || config[key].empty()) continue;
    throw_bad_model(file.string(),
                    std::string(key) + " is unsupported beside a sentencepiece model");
  }
  if (std::filesystem::exists(folder / "added_tokens.json")) {
    throw_bad_model((folder / "added_tokens.json").string(),
                    "is unsupported beside a sentencepiece model");
  }
}

// Where to cut a text of more than kMaxPartBytes: before its last single space in reach or, where
// there is none, between two characters.
size_t part_end(std::string_view text) {
  for (size_t i = kMaxPartBytes; i > 0; --i) {
    if (text[i] == ' ' && text[i - 1] != ' ' && text[std::min(i + 1, text.size() - 1)] != ' ') {
      return i;
    }
  }
  size_t cut = kMaxPartBytes;
  while ((static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return cut;
}

}  // namespace

std::unique_ptr<SentencePieceTokenizer> SentencePieceTokenizer::load(
    const std::filesystem::path& path) {
  refuse_other_options(path.parent_path());
  return std::unique_ptr<SentencePieceTokenizer>(
      new SentencePieceTokenizer(read_model_bytes(path), path));
}

SentencePieceTokenizer::SentencePieceTokenizer(std::string model, const std::filesystem::path& path)
    : model_(std::move(model)),
      processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  const std::string where = path.string();
  check_charsmap(model_, where);
  load_model(*processor_, model_, where);
  special_ = {.bos = require_piece(*processor_, processor_->bos_id(), {"<s>", "[CLS]"}, where),
              .pad = require_piece(*processor_, processor_->pad_id(), {"<pad>", "[PAD]"}, where),
              .eos = require_piece(*processor_, processor_->eos_id(), {"</s>", "[SEP]"}, where),
              .unk = require_piece(*processor_, processor_->unk_id(), {"<unk>"}, where),
              .mask = find_piece(*processor_, {"<mask>", "[MASK]"})};
  std::vector<std::string> pieces;
  adds_space_ = processor_->Encode("a", &pieces).ok() && !pieces.empty() &&
                pieces.front().starts_with("\u2581");
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = replace_invalid_utf8(text);
  std::vector<int32_t> ids;
  while (text.size() > kMaxPartBytes) {
    const size_t cut = part_end(text);
    encode_part(text.substr(0, cut), ids);
    text.remove_prefix(cut);
    // The space that the model puts before the next part stands for the one in the text.
    if (adds_space_ && text.starts_with(' ')) text.remove_prefix(1);
  }
  encode_part(text, ids);
  return ids;
}

void SentencePieceTokenizer::encode_part(std::string_view text, std::vector<int32_t>& ids) const {
  std::vector<int> part;
  const auto status = processor_->Encode(text, &part);
  if (!status.ok()) throw_damaged(status);
  ids.insert(ids.end(), part.begin(), part.end());
}

std::string SentencePieceTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::vector<int> ordinary;
  for (const int32_t id : ids) {
    if (id >= 0 && id < vocab_size() && !is_special(id)) ordinary.push_back(id);
  }
  std::string text;
  const auto status = processor_->Decode(ordinary, &text);
  if (!status.ok()) throw_damaged(status);
  return text;
}

std::string SentencePieceTokenizer::token(int32_t id) const {
  check_id(id);
  return processor_->IdToPiece(id);
}

int32_t SentencePieceTokenizer::vocab_size() const { return processor_->GetPieceSize(); }

void SentencePieceTokenizer::save(const std::filesystem::path& folder) const {
  write_file_atomically(folder / "spiece.model", model_);
}

void SentencePieceTokenizer::check_id(int32_t id) const {
  if (id < 0 || id >= vocab_size()) throw_unknown_id(id, vocab_size());
}

bool SentencePieceTokenizer::is_special(int32_t id) const {
  return id == special_.bos || id == special_.pad || id == special_.eos || id == special_.unk ||
         id == special_.mask;
}

}  // namespace trivium
