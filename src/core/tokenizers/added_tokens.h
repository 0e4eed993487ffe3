// Tokens that are found in the text before it is taken apart into words, as Hugging Face's "added
// tokens" are: "[SEP]", "<mask>".
//
// Security view: a prompt may therefore contain the ids of special tokens. They are ordinary input
// to the model (the encoder has no instruction channel that "[SEP]" or "</s>" could open), they
// cannot lengthen the text past encode_with_special's limit, and no code may take an eos or pad id
// *inside* a sequence for its end: lengths travel beside the ids.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
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
  // Found in the normalised text (of BERT: in any case), as its content looks when normalised;
  // otherwise in the text as it is.
  bool normalized = false;
};

// A token from its JSON, a string or an object of Hugging Face's; the id is not set. `special`:
// what a string, or an object that does not say it, is. Error kBadModel naming `where`.
AddedToken added_token_from_json(const nlohmann::json& entry, bool special,
                                 const std::string& where);

class AddedTokens {
 public:
  using Normalizer = std::function<std::string(std::string_view)>;

  AddedTokens() = default;
  // `normalize`: what happens to a text before split_normalized; none: nothing.
  explicit AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalize = nullptr);

  // From the list "added_tokens" of a tokenizer.json, or the object "added_tokens_decoder" of a
  // tokenizer_config.json, whose keys are the ids. Error kBadModel naming `where`.
  static AddedTokens from_json(const nlohmann::json& entries, const std::string& where);

  // As "added_tokens_decoder".
  nlohmann::json to_json() const;

  bool is_special(int32_t id) const { return special_.contains(id); }
  const std::vector<AddedToken>& tokens() const { return tokens_; }

  // A stretch of the text: an added token where id >= 0, and otherwise text between two of them.
  struct Part {
    std::string_view text;
    int32_t id = -1;
  };

  // The text in order, leftmost longest token first. `text` is valid UTF-8. split() finds those
  // that are not normalised, and split_normalized() the others in what lies between.
  std::vector<Part> split(std::string_view text) const { return split(text, raw_); }
  std::vector<Part> split_normalized(std::string_view text) const {
    return split(text, normalized_);
  }

 private:
  struct Matcher {
    bool starts_token[256] = {};  // by first byte
    Trie trie;                    // content -> index in tokens_
  };
  std::vector<Part> split(std::string_view text, const Matcher& matcher) const;

  std::vector<AddedToken> tokens_;
  std::unordered_set<int32_t> special_;
  Matcher raw_, normalized_;
};

}  // namespace trivium
