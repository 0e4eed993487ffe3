// What a terminal can show, and text that is made to fit it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/display_text.h"

namespace trivium::cli {

// What the terminal, or the file in its place, can show.
struct TerminalStyle {
  size_t width = 80;    // columns
  bool utf8 = false;    // else trivium's own signs are plain ASCII
  bool colour = false;  // escape sequences for colour
  bool moves = false;   // escape sequences that move the cursor and clear
};

// The style of standard output: escape sequences only where it is `interactive` and TERM is not
// "dumb", for colour only where NO_COLOR is not set; UTF-8 where the locale that the environment
// names says so; 80 columns where it has no width.
TerminalStyle style_of_standard_output(bool interactive);

enum class Ink { kPlain, kDim, kBold, kAccent, kWarning };

// `text` between the escape sequences of `ink`, or as it is where there is no colour.
std::string paint(std::string_view text, Ink ink, const TerminalStyle& style);

// The beginning of `text`, of well-formed UTF-8, that fits `columns`, ended by an ellipsis where
// something is left out.
std::string cut(std::string_view text, size_t columns, const TerminalStyle& style);

// Words wrapped at the terminal's width, each line after the first begun with `indent` spaces. A
// word that is longer than a line stays whole.
std::string wrap(std::string_view text, const TerminalStyle& style, size_t indent = 0);

// Words in as many columns as fit, down then across; each line ends with a newline.
std::string in_columns(const std::vector<std::string>& words, const TerminalStyle& style);

}  // namespace trivium::cli
