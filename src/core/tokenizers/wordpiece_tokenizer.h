// BERT's word pieces, with the ids of Hugging Face's BertTokenizerFast.
#pragma once

#include "core/tokenizers/added_tokens.h"
#include "core/tokenizers/bert_text.h"
#include "core/tokenizers/tokenizer.h"
#include "core/tokenizers/trie.h"
#include "core/tokenizers/vocabulary.h"

namespace trivium {

// "[SEP]", "[MASK]" and the like are recognised in the raw text: see added_tokens.h for what that
// means for untrusted prompts.
class WordPieceTokenizer : public Tokenizer {
 public:
  // From vocab.txt (and tokenizer_config.json, where there is one, for the case) or tokenizer.json.
  // Error kMissingInput or kBadModel, naming file and line.
  static std::unique_ptr<WordPieceTokenizer> load(const std::filesystem::path& folder);

  WordPieceTokenizer(Vocabulary vocabulary, AddedTokens added, BertTextOptions options);

  std::vector<int32_t> encode(std::string_view text) const override;
  // Joins the pieces, "##" glued to what precedes, then cleans up spaces as Hugging Face's decode
  // with clean_up_tokenization_spaces does.
  std::string decode(const std::vector<int32_t>& ids) const override;
  std::string token(int32_t id) const override { return vocabulary_.token(id); }
  int32_t vocab_size() const override { return vocabulary_.size(); }
  const SpecialTokens& special() const override { return special_; }
  std::string_view scheme() const override { return "wordpiece"; }
  // vocab.txt and tokenizer_config.json.
  void save(const std::filesystem::path& folder) const override;

 private:
  static std::unique_ptr<WordPieceTokenizer> from_vocab_txt(const std::filesystem::path& folder);
  static std::unique_ptr<WordPieceTokenizer> from_json(const std::filesystem::path& path);

  void append_pieces(std::string_view word, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  AddedTokens added_;
  BertTextOptions options_;
  SpecialTokens special_;
  Trie first_;  // pieces that begin a word
  Trie next_;   // pieces that continue one, without their "##"
};

}  // namespace trivium
