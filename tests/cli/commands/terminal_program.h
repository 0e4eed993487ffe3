// Runs the built program in a pseudo-terminal, as a person at a keyboard does.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace trivium::cli {

class TerminalProgram {
 public:
  // `trivium ARGUMENTS` in a window of 80 columns, with these variables set besides.
  TerminalProgram(const std::vector<std::string>& arguments,
                  const std::vector<std::pair<std::string, std::string>>& environment);
  ~TerminalProgram();
  TerminalProgram(const TerminalProgram&) = delete;
  TerminalProgram& operator=(const TerminalProgram&) = delete;

  // Presses keys: "\r" is Enter, "\x03" Ctrl-C, "\x1b[A" the arrow up.
  void type(const std::string& keys);
  // What was printed until `text` has come, with the text and without escape sequences, from where
  // the last call ended. Where it does not come within a minute: all that has come, with "[no
  // TEXT]" behind it.
  std::string read_until(const std::string& text);
  // What was printed so far, with its escape sequences.
  const std::string& raw() const { return raw_; }
  // Whether the terminal shows what is typed by itself, as it does for a shell.
  bool echoes() const;
  void signal(int number) const;
  // Waits for the end: the exit code, or 128 + the signal that ended it. The rest of the output is
  // in raw().
  int wait();

 private:
  // Reads what is there within `milliseconds`; false where nothing is, or at the end.
  bool read_more(int milliseconds);

  int process_ = -1, terminal_ = -1;
  std::string raw_, text_;
  size_t read_ = 0;  // how much of text_ was returned
};

}  // namespace trivium::cli
