#include "tokenizers/added_tokens.h"

#include "tokenizers/unicode.h"
#include "tokenizers/vocabulary.h"

namespace trivium {
namespace {

// Where the white space at the end of `text` begins.
size_t trailing_space(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    size_t begin = end - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    size_t position = begin;
    if (!(char_class(next_code_point(text, position)) & kSpace)) break;
    end = begin;
  }
  return end;
}

// How many bytes of white space begin `text`.
size_t leading_space(std::string_view text) {
  size_t end = 0;
  for (size_t i = 0; i < text.size(); end = i) {
    if (!(char_class(next_code_point(text, i)) & kSpace)) break;
  }
  return end;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    if (token.special) special_.insert(token.id);
    starts_token_[static_cast<unsigned char>(token.content[0])] = true;
    trie_.insert(token.content, static_cast<int32_t>(i));
  }
}

AddedTokens AddedTokens::from_json(const nlohmann::json& list, const std::string& where) {
  std::vector<AddedToken> tokens;
  if (!list.is_array()) throw_bad_model(where, "added_tokens is not a list");
  for (const auto& entry : list) {
    try {
      const auto flag = [&](const char* key) { return entry.value(key, false); };
      AddedToken token{.content = entry.at("content").get<std::string>(),
                       .id = entry.at("id").get<int32_t>(),
                       .strip_left = flag("lstrip"),
                       .strip_right = flag("rstrip"),
                       .special = flag("special")};
      if (token.content.empty() || token.id < 0) throw_bad_model(where, "a malformed added token");
      if (flag("single_word")) {
        throw_bad_model(where, "added token \"" + token.content + "\": single_word is unsupported");
      }
      tokens.push_back(std::move(token));
    } catch (const nlohmann::json::exception&) {
      throw_bad_model(where, "a malformed entry in added_tokens");
    }
  }
  return AddedTokens(std::move(tokens));
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text) const {
  std::vector<Part> parts;
  size_t begin = 0;  // of the text not yet in a part
  for (size_t i = 0; i < text.size();) {
    if (!starts_token_[static_cast<unsigned char>(text[i])]) {
      ++i;
      continue;
    }
    const Trie::Match match = trie_.longest_prefix(text.substr(i));
    if (match.length == 0) {
      ++i;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(match.value)];
    size_t start = i, stop = i + match.length;
    if (token.strip_left) start = begin + trailing_space(text.substr(begin, i - begin));
    if (token.strip_right) stop += leading_space(text.substr(stop));
    if (start > begin) parts.push_back({text.substr(begin, start - begin), -1});
    parts.push_back({text.substr(start, stop - start), token.id});
    begin = i = stop;
  }
  if (begin < text.size()) parts.push_back({text.substr(begin), -1});
  return parts;
}

}  // namespace trivium
