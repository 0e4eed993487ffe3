// Markdown tables whose columns stand in line, for reports and terminals alike.
#pragma once

#include <string>
#include <vector>

namespace trivium {

class MarkdownTable {
 public:
  // `is_number`: of every column; numbers stand to the right.
  MarkdownTable(std::vector<std::string> titles, std::vector<bool> is_number);
  // A cell's bars are escaped.
  void add(const std::vector<std::string>& cells);
  std::string to_string() const;

 private:
  std::vector<bool> is_number_;
  std::vector<std::vector<std::string>> rows_;  // the titles first
};

// One number by a printf format.
std::string formatted(const char* format, double value);

}  // namespace trivium
