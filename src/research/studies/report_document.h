// A report that is written once and read as Markdown, or as one self-contained HTML page.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace trivium::research {

struct ReportTable {
  std::vector<std::string> titles;
  std::vector<bool> is_number;  // of every column
  std::vector<std::vector<std::string>> rows;
};

// A word of a command as a POSIX shell has to be given it: in single quotes where it needs them.
std::string shell_word(const std::string& word);

class ReportDocument {
 public:
  explicit ReportDocument(std::string title) : title_(std::move(title)) {}

  void heading(const std::string& text);
  void paragraph(const std::string& text);  // plain text
  void list(const std::vector<std::string>& items);
  void code(const std::string& text);
  void table(ReportTable table);
  // `svg` is trusted markup; `name` is the file that the Markdown points to, beside it.
  void figure(const std::string& name, const std::string& caption, const std::string& svg);

  std::string to_markdown() const;
  std::string to_html() const;
  // Writes STEM.md, STEM.html and the figures into `folder`. Error kIo.
  void write(const std::filesystem::path& folder, const std::string& stem) const;

 private:
  enum class Kind { kHeading, kParagraph, kList, kCode, kTable, kFigure };
  struct Block {
    Kind kind;
    std::string text;                // also a figure's caption
    std::vector<std::string> items;  // of a list; a figure's name and SVG
    ReportTable table;
  };

  std::string title_;
  std::vector<Block> blocks_;
};

}  // namespace trivium::research
