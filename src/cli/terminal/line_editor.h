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

// What goes on beside a line while it is edited. Its functions throw nothing.
class Background {
 public:
  virtual ~Background() = default;
  // Readable when there is news; -1 while nothing goes on.
  virtual int descriptor() const = 0;
  // Takes the news in: whole lines to be printed above the line, "" where only status() is new.
  virtual std::string news() = 0;
  // A few words for the right end of the line, where there is room; "" for none.
  virtual std::string status() const = 0;
};

class LineEditor {
 public:
  enum class Outcome { kLine, kInterrupted, kEnd };
  struct Result {
    Outcome outcome = Outcome::kEnd;
    // kLine: the line, valid UTF-8; several lines where an editor was opened on it.
    // kInterrupted: what was typed before Ctrl-C.
    std::string text;
  };

  // All must outlive the editor; `background` may be nullptr. Standard input and output must be
  // terminals.
  LineEditor(InterruptWatch& interrupts, LineHistory& history, Completer completer,
             const TerminalStyle& style, Background* background = nullptr);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Ctrl-C gives kInterrupted, Ctrl-D on an empty line kEnd; Ctrl-G opens the user's editor on the
  // line, and several lines that it leaves are entered at once. SIGTERM and SIGHUP put the terminal
  // in order and end the program. Error kIo where the terminal cannot be written.
  Result read_line(const std::string& prompt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trivium::cli
