#include "core/tokenizers/added_tokens.h"

#include <charconv>
#include <optional>

#include "core/base/json.h"
#include "core/tokenizers/model_file.h"
#include "core/tokenizers/unicode.h"

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

std::optional<int32_t> id_of_text(const std::string& text) {
  int32_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, id);
  return error == std::errc() && rest == end ? std::optional(id) : std::nullopt;
}

}  // namespace

AddedToken added_token_from_json(const nlohmann::json& entry, bool special,
                                 const std::string& where) {
  AddedToken token;
  try {
    if (entry.is_string()) {
      token.content = entry.get<std::string>();
      token.special = special;
    } else {
      token.content = entry.at("content").get<std::string>();
      token.strip_left = entry.value("lstrip", false);
      token.strip_right = entry.value("rstrip", false);
      token.special = entry.value("special", special);
      token.normalized = entry.value("normalized", !token.special);
      if (entry.value("single_word", false)) {
        throw_bad_model(where, "added token \"" + token.content + "\": single_word is unsupported");
      }
    }
  } catch (const nlohmann::json::exception&) {
    throw_bad_model(where, "a malformed added token");
  }
  if (token.content.empty()) throw_bad_model(where, "an added token is empty");
  return token;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalize)
    : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    if (token.special) special_.insert(token.id);
    Matcher& matcher = token.normalized ? normalized_ : raw_;
    const std::string key =
        token.normalized && normalize ? normalize(token.content) : token.content;
    if (key.empty()) continue;
    matcher.starts_token[static_cast<unsigned char>(key[0])] = true;
    matcher.trie.insert(key, static_cast<int32_t>(i));
  }
}

AddedTokens AddedTokens::from_json(const nlohmann::json& entries, const std::string& where) {
  if (!entries.is_array() && !entries.is_object()) {
    throw_bad_model(where, "the added tokens are neither a list nor an object");
  }
  std::vector<AddedToken> tokens;
  for (auto item = entries.begin(); item != entries.end(); ++item) {
    try {
      const nlohmann::json& entry = *item;
      if (!entry.is_object()) throw_bad_model(where, "a malformed added token");
      AddedToken token = added_token_from_json(entry, /*special=*/false, where);
      const auto id =
          entries.is_array() ? json_as<int32_t>(entry.at("id")) : id_of_text(item.key());
      if (!id) throw_bad_model(where, "the id of \"" + token.content + "\" is no id");
      token.id = *id;
      tokens.push_back(std::move(token));
    } catch (const nlohmann::json::exception&) {
      throw_bad_model(where, "a malformed added token");
    }
  }
  return AddedTokens(std::move(tokens));
}

nlohmann::json AddedTokens::to_json() const {
  nlohmann::json object = nlohmann::json::object();
  for (const AddedToken& token : tokens_) {
    object[std::to_string(token.id)] = {
        {"content", token.content},       {"lstrip", token.strip_left},
        {"normalized", token.normalized}, {"rstrip", token.strip_right},
        {"single_word", false},           {"special", token.special}};
  }
  return object;
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text,
                                                  const Matcher& matcher) const {
  std::vector<Part> parts;
  size_t begin = 0;  // of the text not yet in a part
  for (size_t i = 0; i < text.size();) {
    if (!matcher.starts_token[static_cast<unsigned char>(text[i])]) {
      ++i;
      continue;
    }
    const Trie::Match match = matcher.trie.longest_prefix(text.substr(i));
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
