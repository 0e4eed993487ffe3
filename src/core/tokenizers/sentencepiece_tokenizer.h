// Sentencepiece models, through the library.
#pragma once

#include <memory>

#include "core/tokenizers/tokenizer.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace trivium {

class SentencePieceTokenizer : public Tokenizer {
 public:
  // A file like spiece.model. bos, pad, eos and unk are the model's own or, where it names none,
  // its pieces <s> or [CLS], <pad> or [PAD], </s> or [SEP]; mask is <mask> or [MASK]. Error
  // kMissingInput, or kBadModel when the file is malformed or lacks one of them (mask may be
  // lacking).
  static std::unique_ptr<SentencePieceTokenizer> load(const std::filesystem::path& path);
  ~SentencePieceTokenizer() override;

  // Special pieces are never found in the text: "</s>" is encoded letter by letter. A text of more
  // than 16 KiB is encoded in parts cut at spaces, since the library takes quadratic time on runs
  // of unknown characters and 200 bytes of memory for each byte; where 16 KiB hold no space, a
  // piece that begins a word appears at the cut.
  std::vector<int32_t> encode(std::string_view text) const override;
  std::string decode(const std::vector<int32_t>& ids) const override;
  std::string token(int32_t id) const override;
  int32_t vocab_size() const override;
  const SpecialTokens& special() const override { return special_; }
  std::string_view scheme() const override { return "sentencepiece"; }
  // spiece.model, byte for byte as it was loaded.
  void save(const std::filesystem::path& folder) const override;

 private:
  SentencePieceTokenizer(std::string model, const std::filesystem::path& path);

  void encode_part(std::string_view text, std::vector<int32_t>& ids) const;
  void check_id(int32_t id) const;
  bool is_special(int32_t id) const;

  std::string model_;  // the file's bytes
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  SpecialTokens special_;
  bool adds_space_ = false;  // the model puts a space before every text
};

}  // namespace trivium
