#include "core/base/toml_depth.h"

#include <algorithm>

#include "core/base/error.h"

namespace trivium {
namespace {

constexpr int kMostParts = 32;

// Where the string that begins at `text[begin]`, of either quote and of one line or several, ends.
size_t end_of_string(std::string_view text, size_t begin) {
  const char quote = text[begin];
  const std::string thrice(3, quote);
  const bool is_long = text.substr(begin, 3) == thrice;
  for (size_t i = begin + (is_long ? 3 : 1); i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (is_long ? text.substr(i, 3) == thrice : text[i] == quote || text[i] == '\n') {
      return i + (is_long ? 3 : 1);
    }
  }
  return text.size();
}

}  // namespace

void refuse_deep_toml(std::string_view text, const std::string& where) {
  int parts = 1;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = end_of_string(text, i);
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (c == '.' && ++parts > kMostParts) {
      const auto line = std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(i), '\n');
      throw Error(ExitCode::kConfig, where + ":" + std::to_string(line + 1) +
                                         ": a key of more than 32 parts, with dots between them");
    }
    if (std::string_view(",=[]{}\n").find(c) != std::string_view::npos) parts = 1;
    ++i;
  }
}

toml::table parse_guarded_toml(std::string_view text, const std::string& where) {
  refuse_deep_toml(text, where);
  return toml::parse(text, where);
}

}  // namespace trivium
