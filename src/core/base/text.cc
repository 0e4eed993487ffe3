#include "core/base/text.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace trivium {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    UChar32 c = 0;
    U8_NEXT(text.data(), i, text.size(), c);
    if (c < 0) return false;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  size_t begin = 0;  // of the well-formed text that is not in the result yet
  for (size_t i = 0; i < text.size();) {
    const size_t at = i;
    UChar32 c = 0;
    U8_NEXT(text.data(), i, text.size(), c);  // leaves a maximal subpart behind it
    if (c >= 0) continue;
    result.append(text.substr(begin, at - begin)).append("\uFFFD");
    begin = i;
  }
  return result.append(text.substr(begin));
}

CodePoint next_code_point(std::string_view text, size_t& position) {
  CodePoint c = 0;
  U8_NEXT_UNSAFE(text.data(), position, c);
  return c;
}

void append_utf8(std::string& text, CodePoint c) {
  char bytes[U8_MAX_LENGTH];
  size_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, c);
  text.append(bytes, length);
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  for (size_t end; (end = text.find(separator, begin)) != std::string_view::npos; begin = end + 1) {
    parts.emplace_back(text.substr(begin, end - begin));
  }
  parts.emplace_back(text.substr(begin));
  return parts;
}

std::string to_lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& names,
                                       size_t count) {
  std::vector<std::pair<size_t, std::string>> near;
  const size_t limit = std::max<size_t>(2, word.size() / 3);
  for (const std::string& name : names) {
    // The distance is no less than what one is longer by: a very long word costs nothing.
    if (std::max(word.size(), name.size()) - std::min(word.size(), name.size()) > limit) continue;
    const size_t distance = edit_distance(word, name);
    if (distance <= limit) near.emplace_back(distance, name);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> result;
  for (size_t i = 0; i < near.size() && i < count; ++i) result.push_back(near[i].second);
  return result;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string> near = nearest_names(word, names);
  if (near.empty()) return "";
  std::string text = "; did you mean ";
  for (size_t i = 0; i < near.size(); ++i) {
    if (i > 0) text += i + 1 == near.size() ? " or " : ", ";
    text += near[i];
  }
  return text + "?";
}

std::string name_hint(std::string_view word, const std::vector<std::string>& names) {
  constexpr size_t kShown = 3;
  std::string text = did_you_mean(word, names);
  if (!text.empty() || names.empty()) return text;
  text = names.size() == 1 ? "; there is " : "; there are ";
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  if (names.size() > kShown) text += " and " + std::to_string(names.size() - kShown) + " more";
  return text;
}

void refuse_utf16(std::string_view text, const std::string& where, ExitCode code) {
  if (!text.starts_with("\xFF\xFE") && !text.starts_with("\xFE\xFF")) return;
  throw Error(code, where +
                        ": the text is UTF-16; write it as UTF-8, for example with iconv -f UTF-16 "
                        "-t UTF-8");
}

}  // namespace trivium
