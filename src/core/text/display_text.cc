#include "core/text/display_text.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "core/base/text.h"

namespace trivium {
namespace {

bool is_acted_on(UChar32 c) {
  switch (u_charType(c)) {
    case U_CONTROL_CHAR:
      return c != '\n' && c != '\t';
    case U_FORMAT_CHAR:  // only those that reorder what is shown; joiners belong to words and emoji
      return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
      return true;
    default:
      return false;
  }
}

size_t character_width(UChar32 c) {
  const int type = u_charType(c);
  if (type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK || type == U_FORMAT_CHAR) return 0;
  const int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_FULLWIDTH || width == U_EA_WIDE ? 2 : 1;
}

// The character at `text[position]`, and moves `position` behind it.
UChar32 next_character(std::string_view text, size_t& position) {
  UChar32 c = 0;
  U8_NEXT_OR_FFFD(text.data(), position, text.size(), c);
  return c;
}

}  // namespace

std::string sanitise(std::string_view text) {
  const std::string valid = replace_invalid_utf8(text);
  std::string safe;
  safe.reserve(valid.size());
  for (size_t i = 0; i < valid.size();) {
    const size_t begin = i;
    if (is_acted_on(next_character(valid, i))) {
      safe += "\uFFFD";
    } else {
      safe.append(valid, begin, i - begin);
    }
  }
  return safe;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) width += character_width(next_character(text, i));
  return width;
}

std::string pad(std::string text, size_t columns) {
  const size_t width = display_width(text);
  if (width < columns) text.append(columns - width, ' ');
  return text;
}

std::string pad_left(std::string text, size_t columns) {
  const size_t width = display_width(text);
  if (width < columns) text.insert(0, columns - width, ' ');
  return text;
}

std::string_view fitting_prefix(std::string_view text, size_t columns) {
  size_t width = 0, end = 0;
  while (end < text.size()) {
    size_t next = end;
    width += character_width(next_character(text, next));
    if (width > columns) break;
    end = next;
  }
  return text.substr(0, end);
}

}  // namespace trivium
