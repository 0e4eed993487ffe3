#include "tokenizers/vocabulary.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace trivium {
namespace {

constexpr uintmax_t kMaxFileBytes = uintmax_t{64} << 20;
constexpr int kMaxJsonDepth = 64;

}  // namespace

void throw_bad_model(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kBadModel, where + ": " + what);
}

std::string file_and_line(const std::filesystem::path& path, size_t line) {
  return path.string() + ":" + std::to_string(line);
}

std::string read_model_text(const std::filesystem::path& path) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > kMaxFileBytes) {
    throw_bad_model(path.string(), "larger than 64 MiB, which no tokenizer file is");
  }
  std::string text = read_file(path);
  if (!is_valid_utf8(text)) {
    size_t line = 1;
    for (const std::string_view part : split_lines(text)) {
      if (!is_valid_utf8(part)) break;
      ++line;
    }
    throw_bad_model(file_and_line(path, line), "not valid UTF-8");
  }
  return text;
}

nlohmann::json read_model_json(const std::filesystem::path& path) {
  const std::string text = read_model_text(path);
  const auto limit_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kMaxJsonDepth) throw_bad_model(path.string(), "nested deeper than 64 levels");
    return true;
  };
  try {
    return nlohmann::json::parse(text, limit_depth);
  } catch (const nlohmann::json::parse_error& e) {
    const auto end = text.begin() + static_cast<ptrdiff_t>(std::min(e.byte, text.size()));
    const auto line = static_cast<size_t>(std::count(text.begin(), end, '\n')) + 1;
    throw_bad_model(file_and_line(path, line), "malformed JSON at byte " + std::to_string(e.byte));
  }
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

Vocabulary::Vocabulary(std::vector<std::string> tokens, const std::filesystem::path& where,
                       size_t first_line)
    : tokens_(std::move(tokens)) {
  ids_.reserve(tokens_.size());
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const auto place = [&] {
      return first_line > 0 ? file_and_line(where, first_line + i)
                            : where.string() + ": id " + std::to_string(i);
    };
    if (tokens_[i].empty()) throw_bad_model(place(), "an empty token");
    if (!ids_.emplace(tokens_[i], static_cast<int32_t>(i)).second) {
      throw_bad_model(place(), "the token \"" + tokens_[i] + "\" is there twice");
    }
  }
}

Vocabulary Vocabulary::from_json(const nlohmann::json& object, const std::filesystem::path& where) {
  if (!object.is_object()) {
    throw_bad_model(where.string(), "the vocabulary is not a JSON object of tokens and ids");
  }
  std::vector<std::string> tokens(object.size());
  for (const auto& [token, id] : object.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= tokens.size()) {
      throw_bad_model(where.string(), "the id of \"" + token + "\" is not in 0.." +
                                          std::to_string(tokens.size() - 1));
    }
    std::string& place = tokens[id.get<size_t>()];
    if (!place.empty()) {
      throw_bad_model(where.string(), "\"" + place + "\" and \"" + token + "\" have the same id");
    }
    place = token;
  }
  return Vocabulary(std::move(tokens), where);
}

int32_t Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? -1 : found->second;
}

int32_t Vocabulary::require(std::string_view token, const std::filesystem::path& where) const {
  const int32_t id = find(token);
  if (id < 0) throw_bad_model(where.string(), "lacks the token " + std::string(token));
  return id;
}

const std::string& Vocabulary::token(int32_t id) const {
  if (id < 0 || id >= size()) {
    throw Error(ExitCode::kBadData, "token id " + std::to_string(id) +
                                        " is not in the vocabulary (0.." +
                                        std::to_string(size() - 1) + ")");
  }
  return tokens_[static_cast<size_t>(id)];
}

}  // namespace trivium
