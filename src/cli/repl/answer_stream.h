// A growing answer on a terminal.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

#include "cli/terminal/terminal_text.h"

namespace trivium::cli {

// How many bytes of an answer's text so far can be shown: later tokens may still change the last
// word (a tokenizer's clean-up joins "do" and "n't"; a character may lack bytes).
size_t settled_bytes(std::string_view text);

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
