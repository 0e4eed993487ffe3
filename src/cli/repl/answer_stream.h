// A growing answer on a terminal.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "cli/terminal/terminal_text.h"

namespace trivium::cli {

// Prints each part of an answer once, when it is settled, without control characters.
class AnswerStream {
 public:
  AnswerStream(std::ostream& out, const TerminalStyle& style) : out_(out), style_(style) {}

  // `text` is the whole answer so far.
  void update(const std::string& text);
  // Prints the rest and ends the line; the whole again where it does not go on as it began.
  void finish(const std::string& text);

 private:
  void print(std::string_view part);

  std::ostream& out_;
  const TerminalStyle& style_;
  std::string printed_;
};

}  // namespace trivium::cli
