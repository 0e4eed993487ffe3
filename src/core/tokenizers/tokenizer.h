// Text to token ids and back, behind one interface for all three schemes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trivium {

// The ids of the tokens that a sequence-to-sequence model needs. BART: 0 1 2 3 50264; BERT:
// [CLS] 101, [PAD] 0, [SEP] 102, [UNK] 100, [MASK] 103; sentencepiece: the model's own.
struct SpecialTokens {
  int32_t bos = 0;
  int32_t pad = 1;
  int32_t eos = 2;
  int32_t unk = 3;
  int32_t mask = -1;  // -1: the vocabulary has none
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // The ids of `text` without bos and eos. Invalid UTF-8 becomes U+FFFD. Never throws on any text.
  virtual std::vector<int32_t> encode(std::string_view text) const = 0;

  // The text of `ids`; special tokens are left out, and so are ids that are no token's: a model's
  // matrix may have more rows than there are tokens.
  virtual std::string decode(const std::vector<int32_t>& ids) const = 0;

  // The surface form of one id, as in the vocabulary file ("Ġhello", "##ing", "▁hello").
  virtual std::string token(int32_t id) const = 0;

  virtual int32_t vocab_size() const = 0;
  virtual const SpecialTokens& special() const = 0;

  // "byte_level_bpe", "wordpiece" or "sentencepiece".
  virtual std::string_view scheme() const = 0;

  // Writes the files from which load_tokenizer makes the same tokenizer.
  virtual void save(const std::filesystem::path& folder) const = 0;

  // The model has rows for the ids below `rows` only; published models may lack those of the last
  // tokens, such as <mask>. Error kBadModel where it has none for what begins, ends or pads a text.
  void set_model_rows(int64_t rows);
  // Error kBadData, which names the token, where one of `ids` has no row.
  void refuse_without_row(const std::vector<int32_t>& ids) const;

  // <s> tokens </s>, the middle cut on the right so that the whole has at most `max_length` ids;
  // says in `truncated` (where given) whether it was cut. Fields of a prompt, between which stands
  // kFieldSeparator, end in </s> each, as an encoder of pairs reads them. Error as
  // refuse_without_row.
  std::vector<int32_t> encode_with_special(std::string_view text, size_t max_length,
                                           bool* truncated = nullptr) const;

  // What a decoder that begins with `start_id` is to write for `text`: the ids of
  // encode_with_special, without <s> where that is what the decoder begins with.
  std::vector<int32_t> encode_target(std::string_view text, size_t max_length, int32_t start_id,
                                     bool* truncated = nullptr) const;

 private:
  int64_t model_rows_ = std::numeric_limits<int32_t>::max();
};

// Finds which scheme the folder holds: sentencepiece (*.model: spiece.model or
// sentencepiece.bpe.model), byte-level BPE (tokenizer.json with model type BPE, or vocab.json +
// merges.txt) or WordPiece (tokenizer.json with model type WordPiece, or vocab.txt). Of several the
// first counts, as in transformers; docs/hugging_face.md says what every option does.
// Error kMissingInput when it holds none, kBadModel when the files are malformed.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace trivium
