// GPT-2's byte-level byte-pair encoding with BART's special tokens, as Hugging Face's
// BartTokenizerFast.
#pragma once

#include <array>
#include <mutex>
#include <unordered_map>

#include "core/tokenizers/added_tokens.h"
#include "core/tokenizers/byte_pair_merger.h"
#include "core/tokenizers/tokenizer.h"
#include "core/tokenizers/vocabulary.h"

namespace trivium {

// "<s>", "<pad>", "</s>", "<unk>" and "<mask>" (which takes the white space before it) are
// recognised in the raw text: see added_tokens.h for what that means for untrusted prompts.
class ByteLevelBpeTokenizer : public Tokenizer {
 public:
  // From tokenizer.json, or vocab.json and merges.txt, and the files beside them
  // (tokenizer_options.h). A vocabulary without BART's special tokens (GPT-2's) gets them appended,
  // in the order of Hugging Face: <s> </s> <unk> <pad> <mask>.
  // Error kMissingInput or kBadModel, naming file and line.
  static std::unique_ptr<ByteLevelBpeTokenizer> load(const std::filesystem::path& folder);

  // What a tokenizer does besides its merges.
  struct Options {
    SpecialTokens special;
    bool add_prefix_space = false;  // to every text, and behind every added token
    bool clean_up = false;          // spaces before punctuation, in decode
  };
  ByteLevelBpeTokenizer(Vocabulary vocabulary, BytePairMerger merger, AddedTokens added,
                        const Options& options);

  // A stretch without white space, letter-number boundary or punctuation of more than 16 MiB is cut
  // there, to bound the memory. Thread-safe.
  std::vector<int32_t> encode(std::string_view text) const override;
  // decode_bytes with ill-formed UTF-8 replaced, and spaces cleaned up where the files ask for it.
  std::string decode(const std::vector<int32_t>& ids) const override;
  // The exact bytes of `ids`, special tokens left out: decode_bytes(encode(x)) == x for valid UTF-8
  // that spells out no special token, without add_prefix_space.
  std::string decode_bytes(const std::vector<int32_t>& ids) const;
  std::string token(int32_t id) const override { return vocabulary_.token(id); }
  int32_t vocab_size() const override { return vocabulary_.size(); }
  const SpecialTokens& special() const override { return options_.special; }
  std::string_view scheme() const override { return "byte_level_bpe"; }
  // vocab.json, merges.txt and tokenizer_config.json.
  void save(const std::filesystem::path& folder) const override;

 private:
  struct StringHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Cache = std::unordered_map<std::string, std::vector<int32_t>, StringHash, std::equal_to<>>;

  // Appends the ids of a text between added tokens.
  void append_text(std::string_view text, Cache* cache, std::vector<int32_t>& ids) const;
  std::vector<int32_t> encode_word(std::string_view word) const;
  // Appends the ids of a word of any length; `cache` may be null.
  void append_word(std::string_view word, Cache* cache, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary_;
  BytePairMerger merger_;
  AddedTokens added_;
  Options options_;
  std::array<int32_t, 256> byte_ids_;     // the token of one byte
  std::vector<std::string> token_bytes_;  // [vocab_size]
  mutable std::mutex cache_mutex_;
  mutable Cache cache_;  // words seen, bounded
};

}  // namespace trivium
