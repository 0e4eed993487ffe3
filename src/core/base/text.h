// Small text operations that several rooms share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace trivium {

// Whether `text` is well-formed UTF-8 (no overlong forms, surrogates or code points past U+10FFFF).
bool is_valid_utf8(std::string_view text);

// `text` with every ill-formed sequence replaced by U+FFFD (maximal subparts, Unicode 3.9).
std::string replace_invalid_utf8(std::string_view text);

using CodePoint = char32_t;

// The code point at `text[position]`, and moves `position` behind it. `text` is well-formed UTF-8.
CodePoint next_code_point(std::string_view text, size_t& position);

void append_utf8(std::string& text, CodePoint c);

// Without leading and trailing ASCII white space.
std::string_view trim(std::string_view text);

std::vector<std::string> split(std::string_view text, char separator);

// U+001E, which ASCII has for this: stands between the fields of a prompt. A field holds none.
constexpr char kFieldSeparator = '\x1e';

// ASCII letters in lower case; other bytes as they are.
std::string to_lower_ascii(std::string_view text);

// Up to `count` of `names` nearest to `word` by edit distance, nearest first, none farther than a
// third of the word: for "did you mean".
std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& names,
                                       size_t count = 3);

// "; did you mean X, Y or Z?" or "" when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& names);

// The same, or, when nothing is near, some of the names: "; there are X, Y, Z and 80 more".
std::string name_hint(std::string_view word, const std::vector<std::string>& names);

// The error of a text that begins with the byte order mark of UTF-16 ("; write it as UTF-8 ..."),
// which would else be read as garbage. `where` begins the message.
void refuse_utf16(std::string_view text, const std::string& where,
                  ExitCode code = ExitCode::kBadData);

}  // namespace trivium
