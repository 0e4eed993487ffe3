// Tokens and their ids, and the reading of the (untrusted) files that hold them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace trivium {

// Error kBadModel: "<where>: <what>".
[[noreturn]] void throw_bad_model(const std::string& where, const std::string& what);

// "vocab.txt:12".
std::string file_and_line(const std::filesystem::path& path, size_t line);

// The bytes of a tokenizer file. Error kMissingInput when it does not exist, kBadModel when it is
// larger than 64 MiB (the largest in use have 20) or not valid UTF-8.
std::string read_model_text(const std::filesystem::path& path);

// A JSON file of a tokenizer. Not base's ordered Json, whose objects take quadratic time on a
// vocabulary. Error as read_model_text; kBadModel for malformed JSON or nesting deeper than 64.
nlohmann::json read_model_json(const std::filesystem::path& path);

// The lines without their ends (LF or CRLF); the last may lack its own.
std::vector<std::string_view> split_lines(std::string_view text);

class Vocabulary {
 public:
  // Token i of `tokens` has the id i. Error kBadModel when one is empty or there twice; `where`
  // names the file, and `first_line` is the line of token 0, or 0 where ids are not lines.
  Vocabulary(std::vector<std::string> tokens, const std::filesystem::path& where,
             size_t first_line = 0);
  Vocabulary(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;

  // From {"token": id, ...} with the ids 0 .. n-1, each once. Error kBadModel.
  static Vocabulary from_json(const nlohmann::json& object, const std::filesystem::path& where);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  // The token's id, or -1.
  int32_t find(std::string_view token) const;
  // The id of a token that the scheme cannot do without. Error kBadModel when it is missing.
  int32_t require(std::string_view token, const std::filesystem::path& where) const;
  // Error kBadData when the id is not in the vocabulary.
  const std::string& token(int32_t id) const;
  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_
};

}  // namespace trivium
