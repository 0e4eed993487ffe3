// JSON through nlohmann-json, with the limits that untrusted files need.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/error.h"

namespace trivium {

using Json = nlohmann::ordered_json;

// Parses `text`. `where` (for example "tasks.json" or "train.jsonl:12") begins the message of the
// Error (of the code `malformed`) thrown for malformed JSON, invalid UTF-8, or nesting deeper
// than 64.
Json parse_json(std::string_view text, const std::string& where,
                ExitCode malformed = ExitCode::kBadData);

// Reads and parses a whole file; Error kMissingInput when it cannot be read.
Json read_json_file(const std::filesystem::path& path, ExitCode malformed = ExitCode::kBadData);

// One line of JSON; invalid UTF-8 inside strings becomes U+FFFD, so that it never throws.
std::string to_json_line(const Json& value);

// The member `key` of `object` converted to T; Error kBadData naming `where` and the key when it is
// missing or has another type.
template <typename T>
T json_get(const Json& object, const char* key, const std::string& where);

// As json_get, but `fallback` when the key is missing or null.
template <typename T>
T json_get_or(const Json& object, const char* key, const std::string& where, T fallback);

[[noreturn]] void throw_json_type_error(const char* key, const std::string& where, bool missing);

template <typename T>
T json_get(const Json& object, const char* key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) throw_json_type_error(key, where, true);
  try {
    return object.at(key).template get<T>();
  } catch (const nlohmann::json::exception&) {
    throw_json_type_error(key, where, false);
  }
}

template <typename T>
T json_get_or(const Json& object, const char* key, const std::string& where, T fallback) {
  if (!object.is_object() || !object.contains(key) || object.at(key).is_null()) return fallback;
  return json_get<T>(object, key, where);
}

}  // namespace trivium
