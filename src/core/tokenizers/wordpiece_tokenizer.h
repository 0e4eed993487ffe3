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
  // From tokenizer.json or vocab.txt, and the files beside it (tokenizer_options.h). Error
  // kMissingInput or kBadModel, naming the file.
  static std::unique_ptr<WordPieceTokenizer> load(const std::filesystem::path& folder);

  // What a tokenizer does besides its pieces.
  struct Options {
    SpecialTokens special;
    BertTextOptions text;
    bool clean_up = false;  // spaces before punctuation, in decode
  };
  // `added`: its tokens may be in the vocabulary, or follow it.
  WordPieceTokenizer(Vocabulary vocabulary, AddedTokens added, const Options& options);

  std::vector<int32_t> encode(std::string_view text) const override;
  // Joins the pieces, "##" glued to what precedes and a punctuation mark too; cleans up the spaces
  // of the whole text where the files ask for it.
  std::string decode(const std::vector<int32_t>& ids) const override;
  std::string token(int32_t id) const override { return vocabulary_.token(id); }
  int32_t vocab_size() const override { return vocabulary_.size(); }
  const SpecialTokens& special() const override { return options_.special; }
  std::string_view scheme() const override { return "wordpiece"; }
  // vocab.txt and tokenizer_config.json.
  void save(const std::filesystem::path& folder) const override;

 private:
  void append_pieces(std::string_view word, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  AddedTokens added_;
  Options options_;
  int32_t pieces_ = 0;  // tokens of the vocabulary itself; added ones follow
  Trie first_;          // pieces that begin a word
  Trie next_;           // pieces that continue one, without their "##"
};

}  // namespace trivium
