#include "research/studies/report_document.h"

#include "core/analysis/heat_map.h"
#include "core/base/file.h"
#include "core/text/markup.h"
#include "core/text/table.h"

namespace trivium::research {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --line: #8884; --head: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
.wide { overflow-x: auto; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
th { background: var(--head); } .number { text-align: right; white-space: nowrap; }
pre { background: var(--head); padding: .8rem; overflow-x: auto; }
figure { margin: 1.5rem 0; overflow-x: auto; } figcaption { font-size: .9rem; opacity: .8; }
)";

std::string table_markdown(const ReportTable& table) {
  std::vector<trivium::TableColumn> columns;
  for (size_t c = 0; c < table.titles.size(); ++c) {
    columns.push_back({table.titles[c], table.is_number[c] ? Align::kRight : Align::kLeft});
  }
  Table markdown(columns);
  for (const auto& row : table.rows) markdown.add(row);
  return markdown.to_markdown();
}

std::string table_html(const ReportTable& table) {
  const auto row_html = [&](const std::vector<std::string>& cells, const std::string& tag) {
    std::string html = "<tr>";
    for (size_t c = 0; c < cells.size(); ++c) {
      html += "<" + tag + (table.is_number[c] ? " class=\"number\">" : ">") +
              escape_markup(cells[c]) + "</" + tag + ">";
    }
    return html + "</tr>\n";
  };
  std::string html =
      "<div class=\"wide\"><table>\n<thead>" + row_html(table.titles, "th") + "</thead>\n<tbody>\n";
  for (const auto& row : table.rows) html += row_html(row, "td");
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string shell_word(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+%@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void ReportDocument::heading(const std::string& text) {
  blocks_.push_back({Kind::kHeading, text, {}, {}});
}

void ReportDocument::paragraph(const std::string& text) {
  blocks_.push_back({Kind::kParagraph, text, {}, {}});
}

void ReportDocument::list(const std::vector<std::string>& items) {
  blocks_.push_back({Kind::kList, "", items, {}});
}

void ReportDocument::code(const std::string& text) {
  blocks_.push_back({Kind::kCode, text, {}, {}});
}

void ReportDocument::table(ReportTable table) {
  blocks_.push_back({Kind::kTable, "", {}, std::move(table)});
}

void ReportDocument::figure(const std::string& name, const std::string& caption,
                            const std::string& svg) {
  blocks_.push_back({Kind::kFigure, caption, {name, svg}, {}});
}

std::string ReportDocument::to_markdown() const {
  std::string text = "# " + title_ + "\n";
  for (const Block& block : blocks_) {
    text += '\n';
    switch (block.kind) {
      case Kind::kHeading:
        text += "## " + block.text + "\n";
        break;
      case Kind::kParagraph:
        text += block.text + "\n";
        break;
      case Kind::kList:
        for (const std::string& item : block.items) text += "- " + item + "\n";
        break;
      case Kind::kCode:
        text += "```\n" + block.text + (block.text.ends_with('\n') ? "" : "\n") + "```\n";
        break;
      case Kind::kTable:
        text += table_markdown(block.table);
        break;
      case Kind::kFigure:
        text += "![" + block.text + "](" + block.items[0] + ")\n";
        break;
    }
  }
  return text;
}

std::string ReportDocument::to_html() const {
  const std::string title = escape_markup(title_);
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
      title + "</title>\n<style>" + kStyle + "</style></head>\n<body>\n<h1>" + title + "</h1>\n";
  for (const Block& block : blocks_) {
    const std::string text = escape_markup(block.text);
    switch (block.kind) {
      case Kind::kHeading:
        html += "<h2>" + text + "</h2>\n";
        break;
      case Kind::kParagraph:
        html += "<p>" + text + "</p>\n";
        break;
      case Kind::kList:
        html += "<ul>\n";
        for (const std::string& item : block.items) {
          html += "<li>" + escape_markup(item) + "</li>\n";
        }
        html += "</ul>\n";
        break;
      case Kind::kCode:
        html += "<pre>" + text + "</pre>\n";
        break;
      case Kind::kTable:
        html += table_html(block.table);
        break;
      case Kind::kFigure:
        html += "<figure>" + block.items[1] + "<figcaption>" + text + "</figcaption></figure>\n";
        break;
    }
  }
  return html + "</body></html>\n";
}

void ReportDocument::write(const std::filesystem::path& folder, const std::string& stem) const {
  std::filesystem::create_directories(folder);
  write_file_atomically(folder / (stem + ".md"), to_markdown());
  write_file_atomically(folder / (stem + ".html"), to_html());
  for (const Block& block : blocks_) {
    if (block.kind == Kind::kFigure) write_file_atomically(folder / block.items[0], block.items[1]);
  }
}

}  // namespace trivium::research
