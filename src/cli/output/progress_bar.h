// How far a long command is, on standard error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace trivium::cli {

// What standard error is, which decides how progress looks.
struct ProgressPlace {
  bool is_terminal = false;
  size_t width = 80;                                 // columns of the terminal
  std::function<void(std::string_view)> draw;        // writes to the terminal
  std::function<void(const std::string&)> log_line;  // writes a line of the log
};
ProgressPlace standard_error_place();

// On a terminal a bar that is redrawn in its line; elsewhere plain lines of the log.
class ProgressBar {
 public:
  // Of `total` steps, at least 1.
  explicit ProgressBar(int64_t total, ProgressPlace place = standard_error_place());
  // Takes the bar away, where one stands.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  // A step begins after `done` of them: the bar names it; the log says nothing.
  void begin(int64_t done, std::string_view what);
  // `done` steps are done; `result` stands behind the bar, or is the line of the log.
  void report(int64_t done, const std::string& result);
  // Takes the bar away, for another line or the end.
  void clear();
  // Ends the bar's line, so that it stays.
  void keep();

 private:
  void redraw(int64_t done, std::string_view text);

  int64_t total_;
  ProgressPlace place_;
  bool stands_ = false;
};

}  // namespace trivium::cli
