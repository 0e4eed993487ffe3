// A line from a person at a terminal: editing, history, search and completion through libedit.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal/interrupt.h"
#include "cli/terminal/line_history.h"
#include "cli/terminal/terminal_text.h"

namespace trivium::cli {

// What may stand at the cursor: the line's last `replaced` bytes give way to one of `choices`.
struct Completion {
  size_t replaced = 0;
  std::vector<std::string> choices;
};
using Completer = std::function<Completion(std::string_view line_to_cursor)>;

class LineEditor {
 public:
  enum class Outcome { kLine, kInterrupted, kEnd };
  struct Result {
    Outcome outcome = Outcome::kEnd;
    std::string text;  // kLine: the line, valid UTF-8. kInterrupted: what was typed before Ctrl-C
  };

  // All must outlive the editor. Standard input and output must be terminals.
  LineEditor(InterruptWatch& interrupts, LineHistory& history, Completer completer,
             const TerminalStyle& style);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Ctrl-C gives kInterrupted, Ctrl-D on an empty line kEnd. SIGTERM and SIGHUP put the terminal in
  // order and end the program. Error kIo where the terminal cannot be written.
  Result read_line(const std::string& prompt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trivium::cli
