#include "cli/terminal/terminal_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/text.h"

namespace trivium::cli {
namespace {

// The value of the variable that decides the character set (POSIX, "Environment Variables").
std::string character_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  return "";
}

const char* escape_of(Ink ink) {
  switch (ink) {
    case Ink::kPlain:
      return "";
    case Ink::kDim:
      return "\x1b[2m";
    case Ink::kBold:
      return "\x1b[1m";
    case Ink::kAccent:
      return "\x1b[36m";
    case Ink::kWarning:
      return "\x1b[33m";
  }
  return "";
}

}  // namespace

TerminalStyle style_of_standard_output(bool interactive) {
  TerminalStyle style;
  const std::string locale = to_lower_ascii(character_locale());
  style.utf8 =
      locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  style.moves = interactive && terminal != nullptr && std::string_view(terminal) != "dumb";
  style.colour = style.moves && (no_colour == nullptr || *no_colour == '\0');
  return style;
}

std::string paint(std::string_view text, Ink ink, const TerminalStyle& style) {
  if (!style.colour || ink == Ink::kPlain) return std::string(text);
  return escape_of(ink) + std::string(text) + "\x1b[0m";
}

std::string cut(std::string_view text, size_t columns, const TerminalStyle& style) {
  if (display_width(text) <= columns) return std::string(text);
  const std::string ellipsis = style.utf8 ? "…" : "...";
  const size_t room = columns - std::min(columns, display_width(ellipsis));
  return std::string(fitting_prefix(text, room)) + ellipsis;
}

std::string wrap(std::string_view text, const TerminalStyle& style, size_t indent) {
  std::string result;
  size_t column = 0;
  bool first = true;
  for (const std::string& word : split(text, ' ')) {
    const size_t width = display_width(word);
    if (!first && column > indent && column + 1 + width > style.width) {
      result += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      result += ' ';
      ++column;
    }
    first = false;
    result += word;
    column += width;
  }
  return result;
}

std::string in_columns(const std::vector<std::string>& words, const TerminalStyle& style) {
  size_t widest = 1;
  for (const std::string& word : words) widest = std::max(widest, display_width(word));
  const size_t columns = std::max<size_t>(1, (style.width + 2) / (widest + 2));
  const size_t rows = (words.size() + columns - 1) / columns;
  std::string result;
  for (size_t row = 0; row < rows; ++row) {
    std::string line;
    for (size_t i = row; i < words.size(); i += rows) {
      line += i + rows < words.size() ? pad(words[i], widest + 2) : words[i];
    }
    result += line + '\n';
  }
  return result;
}

}  // namespace trivium::cli
