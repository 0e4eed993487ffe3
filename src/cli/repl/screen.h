// Where a conversation is printed.
#pragma once

#include <ostream>
#include <string_view>

#include "cli/terminal/terminal_text.h"

namespace trivium::cli {

// Both must outlive it; `style` may change between lines (a resized terminal).
struct Screen {
  std::ostream& out;
  const TerminalStyle& style;

  // A sentence, wrapped, without what a terminal would act on.
  void say(std::string_view text, Ink ink = Ink::kPlain) const {
    out << paint(wrap(sanitise(text), style), ink, style) << '\n';
  }
};

}  // namespace trivium::cli
