// Reading the (untrusted) files that hold a tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace trivium {

// Error kBadModel: "<where>: <what>".
[[noreturn]] void throw_bad_model(const std::string& where, const std::string& what);

// "vocab.txt:12".
std::string file_and_line(const std::filesystem::path& path, size_t line);

// Error kBadData for a token id outside 0..vocab_size-1.
[[noreturn]] void throw_unknown_id(int32_t id, int32_t vocab_size);

// The bytes of a tokenizer file. Error kMissingInput when it does not exist, kBadModel when it is
// larger than 64 MiB (the largest in use have 20).
std::string read_model_bytes(const std::filesystem::path& path);

// The same for text; also Error kBadModel, naming the line, when it is not valid UTF-8.
std::string read_model_text(const std::filesystem::path& path);

// A JSON file of a tokenizer. Not base's ordered Json, whose objects take quadratic time on a
// vocabulary. Error as read_model_text; kBadModel for malformed JSON or nesting deeper than 64.
nlohmann::json read_model_json(const std::filesystem::path& path);

// A JSON object, or an empty one where there is no such file. Error as read_model_json.
nlohmann::json read_optional_object(const std::filesystem::path& path);

// The lines without their ends (LF or CRLF); the last may lack its own.
std::vector<std::string_view> split_lines(std::string_view text);

// Error kBadModel where `object` is no JSON object or lacks one of the keys.
void require_keys(const nlohmann::json& object, std::initializer_list<const char*> keys,
                  const std::string& where);

// Error kBadModel where `object[key]` is there and is neither null nor `value`, the only one
// supported.
void require_value(const nlohmann::json& object, const char* key, const nlohmann::json& value,
                   const std::string& where);

}  // namespace trivium
