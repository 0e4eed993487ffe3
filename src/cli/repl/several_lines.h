// Prompts of several lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/repl/slash_commands.h"

namespace trivium::cli {

// Puts lines that belong together into one. Three quotation marks begin a block, which is a prompt
// whatever it begins with and ends with the next three; a backslash at a line's end goes on in the
// next line.
class SeveralLines {
 public:
  // The line as a whole, or nothing where it goes on. Errors as parse_repl_line.
  std::optional<ReplLine> add(std::string_view line);
  // Whether a line is awaited that goes on.
  bool goes_on() const { return in_block_ || is_continued_; }
  // Forgets what was begun.
  void drop() { *this = {}; }

 private:
  std::string text_;
  bool in_block_ = false, is_continued_ = false;
};

}  // namespace trivium::cli
