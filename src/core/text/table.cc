#include "core/text/table.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/text/display_text.h"

namespace trivium {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr size_t kLeastMarkdownWidth = 3;  // of the dashes below a title

std::string one_line(std::string cell) {
  for (char& c : cell) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return sanitise(cell);
}

std::string without_bars(const std::string& cell) {
  std::string text;
  for (const char c : cell) {
    if (c == '|') text += '\\';
    text += c;
  }
  return text;
}

// The width of each column, at least `least`.
std::vector<size_t> widths_of(const Rows& rows, size_t least) {
  std::vector<size_t> widths(rows[0].size(), least);
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], display_width(row[c]));
  }
  return widths;
}

std::string in_line(const std::string& cell, size_t width, Align align) {
  return align == Align::kRight ? pad_left(cell, width) : pad(cell, width);
}

}  // namespace

Table::Table(std::vector<TableColumn> columns) : rows_(1) {
  for (TableColumn& column : columns) {
    aligns_.push_back(column.align);
    rows_[0].push_back(one_line(std::move(column.title)));
  }
}

void Table::add(const std::vector<std::string>& cells) {
  check(cells.size() == aligns_.size(), "a cell for every column");
  rows_.emplace_back();
  for (const std::string& cell : cells) rows_.back().push_back(one_line(cell));
}

std::string Table::to_text() const {
  const std::vector<size_t> widths = widths_of(rows_, 0);
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      line += (c > 0 ? "  " : "") + in_line(row[c], widths[c], aligns_[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

std::string Table::to_markdown() const {
  Rows rows = rows_;
  for (auto& row : rows) {
    for (std::string& cell : row) cell = without_bars(cell);
  }
  const std::vector<size_t> widths = widths_of(rows, kLeastMarkdownWidth);
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    text += '|';
    for (size_t c = 0; c < widths.size(); ++c) {
      text += ' ' + in_line(rows[r][c], widths[c], aligns_[c]) + " |";
    }
    text += '\n';
    if (r > 0) continue;
    text += '|';
    for (size_t c = 0; c < widths.size(); ++c) {
      text +=
          ' ' + std::string(widths[c] - 1, '-') + (aligns_[c] == Align::kRight ? ':' : '-') + " |";
    }
    text += '\n';
  }
  return text;
}

}  // namespace trivium
