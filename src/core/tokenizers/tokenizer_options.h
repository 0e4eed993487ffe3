// What the files beside a vocabulary say: tokenizer_config.json, special_tokens_map.json,
// added_tokens.json, and the parts of a tokenizer.json around its model. As transformers 4.57 reads
// them for its fast tokenizers; docs/hugging_face.md has the table of all keys.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizers/added_tokens.h"
#include "core/tokenizers/tokenizer.h"
#include "core/tokenizers/vocabulary.h"

namespace trivium {

// A special token as a file names it.
struct NamedToken {
  AddedToken token;        // without its id
  bool has_flags = false;  // an object of Hugging Face's; a name alone has the flags of the class
};

struct TokenizerOptions {
  std::string where;            // the folder
  std::string tokenizer_class;  // without "Fast"; "" where the files name none
  // Of spaces before punctuation, in decode; nothing where the files do not say it.
  std::optional<bool> clean_up;
  bool add_prefix_space = false;
  bool lower_case = true;
  std::optional<bool> strip_accents;  // as the case
  bool split_ideographs = true;
  std::map<std::string, NamedToken> named;  // by key, such as "pad_token"
  std::vector<AddedToken> additional;       // additional_special_tokens, without ids
  std::vector<AddedToken> added;            // by id

  // Whether it is transformers' own class without options of a model's.
  bool is_plain_class() const { return tokenizer_class == "PreTrainedTokenizer"; }
};

// `classes`: those that are read, without "Fast". Error kBadModel, which names the key, for what
// changes ids or text and is not implemented.
TokenizerOptions read_tokenizer_options(const std::filesystem::path& folder,
                                        std::span<const std::string_view> classes);

// Of a token that files need not name.
struct SpecialDefault {
  const char* key;
  AddedToken token;
};

// The added tokens of a tokenizer with their ids, where a mask that no file names takes the flags
// of its class: `base` (those of a tokenizer.json), then those that the options add, then special
// tokens. What the vocabulary has keeps its id, all else gets the next.
std::vector<AddedToken> all_added_tokens(std::vector<AddedToken> base,
                                         const TokenizerOptions& options,
                                         std::span<const SpecialDefault> defaults,
                                         const Vocabulary& vocabulary);

// The content of the special token `key`: as the options name it, or the default.
std::string special_content(const TokenizerOptions& options,
                            std::span<const SpecialDefault> defaults, std::string_view key);

// The tokens that a tokenizer.json puts around a text. Error kBadModel where its post_processor is
// not one token, the text, one token.
struct TextFrame {
  std::string first, last;
};
TextFrame read_text_frame(const nlohmann::json& tokenizer, const std::string& where);

// The special tokens' names as keys of a tokenizer_config.json.
nlohmann::json special_names(const SpecialTokens& special, const Tokenizer& tokenizer);

}  // namespace trivium
