// Tables whose columns stand in line: for terminals and as Markdown.
#pragma once

#include <string>
#include <vector>

namespace trivium {

enum class Align { kLeft, kRight };

struct TableColumn {
  std::string title;
  Align align = Align::kLeft;  // kRight for numbers
};

class Table {
 public:
  explicit Table(std::vector<TableColumn> columns);

  // A row below those that there are: a cell for every column. Whatever a cell holds, it stays in
  // its line: control characters become spaces, and what else a terminal would act on U+FFFD.
  void add(const std::vector<std::string>& cells);

  // The titles and the rows, a line for each, two spaces between columns.
  std::string to_text() const;
  // The same as a Markdown table; bars in cells are escaped.
  std::string to_markdown() const;

 private:
  std::vector<Align> aligns_;                   // of the columns
  std::vector<std::vector<std::string>> rows_;  // the titles first
};

}  // namespace trivium
