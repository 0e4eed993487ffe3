#include "core/base/json.h"

#include <algorithm>
#include <utility>
#include <vector>

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

// Builds the value as it is parsed. The library's own builder looks through all keys of an object
// before it adds one, so that a megabyte of keys takes it minutes.
class TreeBuilder : public nlohmann::json_sax<Json> {
 public:
  Json tree;
  std::string problem;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool key(string_t& name) override {
    key_ = std::move(name);
    return true;
  }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  // Of two equal keys each reader takes another.
  bool end_object() override {
    std::vector<std::string_view> keys;
    for (const auto& member : open_.back()->get_ref<const Json::object_t&>()) {
      keys.push_back(member.first);
    }
    open_.pop_back();
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return true;
    constexpr size_t kShown = 80;
    problem = "the key " + to_json_line(std::string(twice->substr(0, kShown))) + " occurs twice";
    return false;
  }
  // The library's message echoes user bytes; keep only its position.
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    problem = "malformed JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    open_.push_back(place(std::move(value)));
    return true;
  }
  Json* place(Json value) {
    if (open_.empty()) {
      tree = std::move(value);
      return &tree;
    }
    if (open_.back()->is_array()) {
      auto& items = open_.back()->get_ref<Json::array_t&>();
      return &items.emplace_back(std::move(value));
    }
    auto& members = open_.back()->get_ref<Json::object_t&>();
    return &members.emplace_back(std::move(key_), std::move(value)).second;
  }

  std::vector<Json*> open_;  // the lists and objects that have not ended, the innermost last
  std::string key_;          // of the next value
};

}  // namespace

Json parse_json(std::string_view text, const std::string& where, ExitCode malformed) {
  refuse_utf16(text, where, malformed);
  if (nesting_depth(text) > kMaxDepth) {
    throw Error(malformed, where + ": JSON is nested deeper than 64 levels");
  }
  // The library takes a NUL for the end, and what follows would be unchecked.
  const size_t nul = text.find('\0');
  TreeBuilder builder;
  if (nul != text.npos) {
    builder.problem = "malformed JSON at byte " + std::to_string(nul + 1);
  } else if (Json::sax_parse(text.begin(), text.end(), &builder)) {
    return std::move(builder.tree);
  }
  throw Error(malformed, where + ": " + builder.problem);
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
