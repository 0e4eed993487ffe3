// The lines that a person entered, kept between sessions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trivium::cli {

// The lines that were entered, oldest first, kept in a file that only the user can read.
class LineHistory {
 public:
  // An empty path keeps nothing. A file that cannot be read or written is no reason to stop: the
  // history is then this session's alone, and `problem` says why.
  explicit LineHistory(std::filesystem::path file);

  // Appends to the file at once, so that nothing is lost and sessions side by side do not overwrite
  // one another. A repetition of the last line is left out.
  void add(const std::string& line);

  const std::vector<std::string>& lines() const { return lines_; }
  const std::string& problem() const { return problem_; }

  // $XDG_STATE_HOME/trivium/history, by default ~/.local/state/trivium/history; empty where neither
  // variable is set.
  static std::filesystem::path default_file();

 private:
  void load();

  std::filesystem::path file_;
  std::vector<std::string> lines_;
  std::string problem_;
};

}  // namespace trivium::cli
