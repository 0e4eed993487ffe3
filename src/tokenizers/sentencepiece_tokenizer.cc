#include "tokenizers/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>

#include <initializer_list>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "tokenizers/model_file.h"

namespace trivium {
namespace {

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

}  // namespace

std::unique_ptr<SentencePieceTokenizer> SentencePieceTokenizer::load(
    const std::filesystem::path& path) {
  return std::unique_ptr<SentencePieceTokenizer>(
      new SentencePieceTokenizer(read_model_bytes(path), path));
}

SentencePieceTokenizer::SentencePieceTokenizer(std::string model, const std::filesystem::path& path)
    : model_(std::move(model)),
      processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  const std::string where = path.string();
  const auto status = processor_->LoadFromSerializedProto(model_);
  if (!status.ok()) throw_bad_model(where, "not a sentencepiece model (" + status.ToString() + ")");
  special_ = {.bos = require_piece(*processor_, processor_->bos_id(), {"<s>", "[CLS]"}, where),
              .pad = require_piece(*processor_, processor_->pad_id(), {"<pad>", "[PAD]"}, where),
              .eos = require_piece(*processor_, processor_->eos_id(), {"</s>", "[SEP]"}, where),
              .unk = require_piece(*processor_, processor_->unk_id(), {"<unk>"}, where),
              .mask = find_piece(*processor_, {"<mask>", "[MASK]"})};
}

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text) const {
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = replace_invalid_utf8(text);
  std::vector<int> ids;
  const auto status = processor_->Encode(text, &ids);
  check(status.ok(), "sentencepiece cannot encode valid UTF-8");
  return ids;
}

std::string SentencePieceTokenizer::decode(const std::vector<int32_t>& ids) const {
  std::vector<int> ordinary;
  for (const int32_t id : ids) {
    check_id(id);
    if (!is_special(id)) ordinary.push_back(id);
  }
  std::string text;
  const auto status = processor_->Decode(ordinary, &text);
  check(status.ok(), "sentencepiece cannot decode ids of its own vocabulary");
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
