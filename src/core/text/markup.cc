#include "core/text/markup.h"

#include "core/base/text.h"

namespace trivium {
namespace {

// Control characters, and the two code points that no XML document may hold.
bool is_forbidden(CodePoint c) { return c < ' ' || c == 0x7F || c == 0xFFFE || c == 0xFFFF; }

}  // namespace

std::string escape_markup(const std::string& text) {
  std::string escaped;
  const std::string valid = replace_invalid_utf8(text);
  for (size_t i = 0; i < valid.size();) {
    const size_t begin = i;
    const CodePoint c = next_code_point(valid, i);
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        if (is_forbidden(c)) {
          escaped += "\uFFFD";
        } else {
          escaped.append(valid, begin, i - begin);
        }
    }
  }
  return escaped;
}

std::string script_json(const Json& json) {
  std::string text;
  for (const char c : to_json_line(json)) {
    if (c == '<') {
      text += "\\u003c";
    } else if (c == '>') {
      text += "\\u003e";
    } else if (c == '&') {
      text += "\\u0026";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace trivium
