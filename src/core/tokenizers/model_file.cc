#include "core/tokenizers/model_file.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"

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

void throw_unknown_id(int32_t id, int32_t vocab_size) {
  throw Error(ExitCode::kBadData, "token id " + std::to_string(id) +
                                      " is not in the vocabulary (0.." +
                                      std::to_string(vocab_size - 1) + ")");
}

std::string read_model_bytes(const std::filesystem::path& path) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > kMaxFileBytes) {
    throw_bad_model(path.string(), "larger than 64 MiB, which no tokenizer file is");
  }
  return read_file(path);
}

std::string read_model_text(const std::filesystem::path& path) {
  std::string text = read_model_bytes(path);
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
  const size_t nul = text.find('\0');  // which the library takes for the end
  if (nul != text.npos) {
    throw_bad_model(path.string(), "malformed JSON at byte " + std::to_string(nul + 1));
  }
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
  } catch (const nlohmann::json::exception&) {
    throw_bad_model(path.string(), "malformed JSON: a number is too large");
  }
}

nlohmann::json read_optional_object(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return nlohmann::json::object();
  nlohmann::json config = read_model_json(path);
  if (!config.is_object()) throw_bad_model(path.string(), "not a JSON object");
  return config;
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

void require_keys(const nlohmann::json& object, std::initializer_list<const char*> keys,
                  const std::string& where) {
  for (const char* key : keys) {
    if (!object.is_object() || !object.contains(key)) {
      throw_bad_model(where, std::string("\"").append(key).append("\" is missing"));
    }
  }
}

void require_value(const nlohmann::json& object, const char* key, const nlohmann::json& value,
                   const std::string& where) {
  if (!object.is_object()) throw_bad_model(where, std::string("no object holds ") + key);
  if (!object.contains(key) || object[key].is_null() || object[key] == value) return;
  throw_bad_model(where, std::string(key) + " is not " + value.dump() + ", which is unsupported");
}

}  // namespace trivium
