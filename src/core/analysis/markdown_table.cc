#include "core/analysis/markdown_table.h"

#include <algorithm>
#include <cstdio>

#include "core/base/error.h"

namespace trivium {
namespace {

// The terminal columns of UTF-8 text without wide characters.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string escaped(const std::string& cell) {
  std::string text;
  for (const char c : cell) {
    if (c == '|') text += '\\';
    text += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return text;
}

}  // namespace

MarkdownTable::MarkdownTable(std::vector<std::string> titles, std::vector<bool> is_number)
    : is_number_(std::move(is_number)), rows_{std::move(titles)} {
  check(rows_[0].size() == is_number_.size(), "a kind for every column");
}

void MarkdownTable::add(const std::vector<std::string>& cells) {
  check(cells.size() == is_number_.size(), "a cell for every column");
  rows_.emplace_back();
  for (const std::string& cell : cells) rows_.back().push_back(escaped(cell));
}

std::string MarkdownTable::to_string() const {
  std::vector<size_t> widths(is_number_.size(), 3);
  for (const auto& row : rows_) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  std::string text;
  for (size_t r = 0; r < rows_.size(); ++r) {
    text += '|';
    for (size_t c = 0; c < widths.size(); ++c) {
      const std::string spaces(widths[c] - width_of(rows_[r][c]), ' ');
      text += ' ' + (is_number_[c] ? spaces + rows_[r][c] : rows_[r][c] + spaces) + " |";
    }
    text += '\n';
    if (r > 0) continue;
    text += '|';
    for (size_t c = 0; c < widths.size(); ++c) {
      text += ' ' + std::string(widths[c] - 1, '-') + (is_number_[c] ? ':' : '-') + " |";
    }
    text += '\n';
  }
  return text;
}

std::string formatted(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace trivium
