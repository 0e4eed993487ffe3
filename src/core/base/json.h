// JSON through nlohmann-json, with the limits that untrusted files need.
#pragma once

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace trivium {

using Json = nlohmann::ordered_json;

// Parses `text`. `where` (for example "tasks.json" or "train.jsonl:12") begins the message of the
// Error (of the code `malformed`) thrown for malformed JSON, invalid UTF-8, a key that an object
// has twice, or nesting deeper than 64.
Json parse_json(std::string_view text, const std::string& where,
                ExitCode malformed = ExitCode::kBadData);

// Reads and parses a whole file; Error kMissingInput when it cannot be read.
Json read_json_file(const std::filesystem::path& path, ExitCode malformed = ExitCode::kBadData);

// One line of JSON; invalid UTF-8 inside strings becomes U+FFFD, so that it never throws.
std::string to_json_line(const Json& value);

// `value` as a T, or nothing where it is none. Unlike the library's own conversion nothing is
// rounded, wrapped or taken for another type: 1.5, 2^32 and true are no int, and true is no double.
// For Json and for the library's own nlohmann::json.
template <typename T, typename AnyJson>
std::optional<T> json_as(const AnyJson& value);

// The member `key` of `object` converted to T; Error kBadData naming `where` and the key when it is
// missing or is no T.
template <typename T>
T json_get(const Json& object, const char* key, const std::string& where);

// As json_get, but `fallback` when the key is missing or null.
template <typename T>
T json_get_or(const Json& object, const char* key, const std::string& where, T fallback);

[[noreturn]] void throw_json_type_error(const char* key, const std::string& where, bool missing);
[[noreturn]] void throw_json_number_error(const char* key, const std::string& where,
                                          const std::string& low, const std::string& high);

namespace json_detail {

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
constexpr bool is_whole_number = std::is_integral_v<T> && !std::is_same_v<T, bool>;

}  // namespace json_detail

template <typename T, typename AnyJson>
std::optional<T> json_as(const AnyJson& value) {
  if constexpr (json_detail::is_whole_number<T>) {
    if (value.is_number_unsigned()) {
      const auto number = value.template get<uint64_t>();
      return std::in_range<T>(number) ? std::optional<T>(static_cast<T>(number)) : std::nullopt;
    }
    if (!value.is_number_integer()) return std::nullopt;
    const auto number = value.template get<int64_t>();
    return std::in_range<T>(number) ? std::optional<T>(static_cast<T>(number)) : std::nullopt;
  } else if constexpr (json_detail::IsVector<T>::value) {
    if (!value.is_array()) return std::nullopt;
    T items;
    for (const AnyJson& item : value) {
      auto one = json_as<typename T::value_type>(item);
      if (!one) return std::nullopt;
      items.push_back(std::move(*one));
    }
    return items;
  } else {
    if (std::is_floating_point_v<T> && !value.is_number()) return std::nullopt;
    try {
      return value.template get<T>();
    } catch (const nlohmann::json::exception&) {
      return std::nullopt;
    }
  }
}

template <typename T>
T json_get(const Json& object, const char* key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) throw_json_type_error(key, where, true);
  std::optional<T> value = json_as<T>(object.at(key));
  if (value) return std::move(*value);
  if constexpr (json_detail::is_whole_number<T>) {
    if (!object.at(key).is_number()) throw_json_type_error(key, where, false);
    using Limits = std::numeric_limits<T>;
    throw_json_number_error(key, where, std::to_string(Limits::min()),
                            std::to_string(Limits::max()));
  }
  throw_json_type_error(key, where, false);
}

template <typename T>
T json_get_or(const Json& object, const char* key, const std::string& where, T fallback) {
  if (!object.is_object() || !object.contains(key) || object.at(key).is_null()) return fallback;
  return json_get<T>(object, key, where);
}

}  // namespace trivium
