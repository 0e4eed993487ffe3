// Tokens that are found in the raw text before anything else happens to it, as Hugging Face's
// "added tokens" are: "[SEP]", "<mask>".
//
// Security view: a prompt may therefore contain the ids of special tokens. They are ordinary input
// to the model (the encoder has no instruction channel that "[SEP]" or "</s>" could open), they
// cannot lengthen the text past encode_with_special's limit, and no code may take an eos or pad id
// *inside* a sequence for its end: lengths travel beside the ids.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/tokenizers/trie.h"

namespace trivium {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool strip_left = false;   // white space before it belongs to it
  bool strip_right = false;  // white space behind it belongs to it
  bool special = true;       // left out by decode
};

class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // From the list "added_tokens" of a tokenizer.json, or the object "added_tokens_decoder" of a
  // tokenizer_config.json, whose keys are the ids. Error kBadModel naming `where`.
  static AddedTokens from_json(const nlohmann::json& entries, const std::string& where);

  // From "added_tokens_decoder" of the tokenizer_config.json, or nothing where it has none.
  static std::optional<AddedTokens> from_config(const nlohmann::json& config,
                                                const std::string& where);

  // As "added_tokens_decoder".
  nlohmann::json to_json() const;

  bool is_special(int32_t id) const { return special_.contains(id); }
  const std::vector<AddedToken>& tokens() const { return tokens_; }

  // A stretch of the text: an added token where id >= 0, and otherwise text between two of them.
  struct Part {
    std::string_view text;
    int32_t id = -1;
  };

  // The text in order, leftmost longest token first. `text` is valid UTF-8.
  std::vector<Part> split(std::string_view text) const;

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_set<int32_t> special_;
  bool starts_token_[256] = {};  // by first byte
  Trie trie_;                    // content -> index in tokens_
};

}  // namespace trivium
