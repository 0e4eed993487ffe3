#include "core/base/json.h"

#include <algorithm>

#include "core/base/file.h"
#include "core/base/text.h"

namespace trivium {
namespace {

constexpr int kMaxDepth = 64;  // deeper nesting is an attack on the recursive destructor, not data

// The nesting depth of brackets outside strings, at most kMaxDepth + 1; no allocation, no
// recursion.
int nesting_depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size() && deepest <= kMaxDepth; ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where, ExitCode malformed) {
  refuse_utf16(text, where);
  if (nesting_depth(text) > kMaxDepth) {
    throw Error(malformed, where + ": JSON is nested deeper than 64 levels");
  }
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::exception& e) {
    // The library's message echoes user bytes; keep only its position.
    std::string detail = "malformed JSON";
    if (auto* parse_error = dynamic_cast<const nlohmann::json::parse_error*>(&e)) {
      detail += " at byte " + std::to_string(parse_error->byte);
    }
    throw Error(malformed, where + ": " + detail);
  }
}

Json read_json_file(const std::filesystem::path& path, ExitCode malformed) {
  return parse_json(read_file(path), path.string(), malformed);
}

std::string to_json_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void throw_json_type_error(const char* key, const std::string& where, bool missing) {
  throw Error(ExitCode::kBadData,
              where + ": key \"" + key + "\" " + (missing ? "is missing" : "has the wrong type"));
}

void throw_json_number_error(const char* key, const std::string& where, const std::string& low,
                             const std::string& high) {
  throw Error(ExitCode::kBadData,
              where + ": key \"" + key + "\" must be a whole number from " + low + " to " + high);
}

}  // namespace trivium
