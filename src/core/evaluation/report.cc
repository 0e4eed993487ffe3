#include "core/evaluation/report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

namespace trivium {
namespace {

std::string decimals(const char* format, double value) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

struct Column {
  const char* title;
  bool is_number;
};
constexpr Column kColumns[] = {
    {"task", false},         {"family", false},  {"metric", false}, {"score", true},
    {"95 % interval", true}, {"majority", true}, {"margin", true},  {"n", true},
    {"route", false}};

std::vector<std::string> cells_of(const ReportRow& row) {
  const TaskScore& score = row.score;
  return {score.task,
          row.family,
          score.metric,
          decimals("%.4f", score.score),
          decimals("%.4f", score.interval.low) + " – " + decimals("%.4f", score.interval.high),
          decimals("%.4f", score.majority),
          decimals("%+.4f", score.score - score.majority),
          std::to_string(score.examples),
          row.route};
}

// The terminal columns of UTF-8 text without wide characters.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string aligned(const std::vector<std::vector<std::string>>& table) {
  std::vector<size_t> widths(std::size(kColumns), 0);
  for (const auto& cells : table) {
    for (size_t c = 0; c < cells.size(); ++c) widths[c] = std::max(widths[c], width_of(cells[c]));
  }
  std::string text;
  for (const auto& cells : table) {
    std::string line;
    for (size_t c = 0; c < cells.size(); ++c) {
      const std::string spaces(widths[c] - width_of(cells[c]), ' ');
      line += (c > 0 ? "  " : "") + (kColumns[c].is_number ? spaces + cells[c] : cells[c] + spaces);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

}  // namespace

void Report::add(ReportRow row) {
  const auto key = [](const ReportRow& r) { return std::tie(r.family, r.score.task); };
  const auto place =
      std::upper_bound(rows_.begin(), rows_.end(), row,
                       [&](const ReportRow& a, const ReportRow& b) { return key(a) < key(b); });
  rows_.insert(place, std::move(row));
}

double Report::mean() const {
  double sum = 0;
  for (const ReportRow& row : rows_) sum += row.score.score;
  return rows_.empty() ? 0 : sum / static_cast<double>(rows_.size());
}

std::vector<std::pair<std::string, double>> Report::family_means() const {
  std::map<std::string, std::pair<double, double>> sums;  // sum, count
  for (const ReportRow& row : rows_) {
    sums[row.family].first += row.score.score;
    sums[row.family].second += 1;
  }
  std::vector<std::pair<std::string, double>> means;
  for (const auto& [family, sum] : sums) means.emplace_back(family, sum.first / sum.second);
  return means;
}

double Report::mean_of_families() const {
  const auto means = family_means();
  double sum = 0;
  for (const auto& [family, mean] : means) sum += mean;
  return means.empty() ? 0 : sum / static_cast<double>(means.size());
}

size_t Report::above_majority() const {
  return static_cast<size_t>(std::count_if(rows_.begin(), rows_.end(), [](const ReportRow& row) {
    return row.score.score > row.score.majority;
  }));
}

std::string Report::summary() const {
  return "mean of " + std::to_string(rows_.size()) + " tasks: " + decimals("%.4f", mean()) +
         "; mean of " + std::to_string(family_means().size()) +
         " families: " + decimals("%.4f", mean_of_families()) +
         "; above majority: " + std::to_string(above_majority()) + " of " +
         std::to_string(rows_.size()) + "\n";
}

std::string Report::to_text() const {
  std::vector<std::vector<std::string>> table(1);
  for (const Column& column : kColumns) table[0].push_back(column.title);
  for (const ReportRow& row : rows_) table.push_back(cells_of(row));
  return aligned(table) + "\n" + summary();
}

std::string Report::to_markdown() const {
  std::string titles = "|", rule = "|", lines;
  for (const Column& column : kColumns) {
    titles += std::string(" ") + column.title + " |";
    rule += column.is_number ? " ---: |" : " --- |";
  }
  for (const ReportRow& row : rows_) {
    lines += "|";
    for (const std::string& cell : cells_of(row)) lines += " " + cell + " |";
    lines += "\n";
  }
  return titles + "\n" + rule + "\n" + lines + "\n" + summary();
}

Json Report::to_json() const {
  Json tasks = Json::array(), families = Json::object();
  for (const ReportRow& row : rows_) {
    const TaskScore& score = row.score;
    tasks.push_back({{"task", score.task},
                     {"family", row.family},
                     {"metric", score.metric},
                     {"score", score.score},
                     {"interval", {score.interval.low, score.interval.high}},
                     {"majority", score.majority},
                     {"margin", score.score - score.majority},
                     {"examples", score.examples},
                     {"route", row.route}});
  }
  for (const auto& [family, mean] : family_means()) families[family] = mean;
  return {{"tasks", std::move(tasks)},
          {"families", std::move(families)},
          {"mean", mean()},
          {"mean_of_families", mean_of_families()},
          {"above_majority", above_majority()}};
}

}  // namespace trivium
