// Tokens and their ids.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/tokenizers/added_tokens.h"

namespace trivium {

class Vocabulary {
 public:
  explicit Vocabulary(std::filesystem::path where) : where_(std::move(where)) {}
  Vocabulary(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;

  // From {"token": id, ...} with the ids 0 .. n-1, each once. Error kBadModel.
  static Vocabulary from_json(const nlohmann::json& object, const std::filesystem::path& where);

  // Gives the token the next id. Error kBadModel when it is empty or there already.
  void append(std::string_view token);
  // The same for a line of a vocab.txt, whose number is the id whatever the line holds: an empty
  // one is a token that no text has, and of equal ones the last counts, as in Hugging Face's
  // reader.
  void append_line(std::string_view token);

  // Appends those added tokens that are not in the vocabulary yet. Error kBadModel when one has
  // another id than the vocabulary gives it.
  void append_missing(const AddedTokens& added);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  // Whether `id` is a token's: in range, and not that of a line that a later one repeats.
  bool has(int32_t id) const;
  // The token's id, or -1.
  int32_t find(std::string_view token) const;
  // The id of a token that the scheme cannot do without. Error kBadModel when it is missing.
  int32_t require(std::string_view token) const;
  // Error kBadData when the id is not in the vocabulary.
  const std::string& token(int32_t id) const;
  const std::deque<std::string>& tokens() const { return tokens_; }
  // The file that it came from, for error messages.
  const std::filesystem::path& where() const { return where_; }

 private:
  std::filesystem::path where_;
  std::deque<std::string> tokens_;                     // a deque, so that append moves no token
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_
};

}  // namespace trivium
