#include "core/evaluation/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/text/table.h"

namespace trivium {
namespace {

std::string decimals(double value) { return fmt::format("{:.4f}", value); }

Table table_of(const std::vector<ReportRow>& rows) {
  Table table({{"task"},
               {"family"},
               {"metric"},
               {"score", Align::kRight},
               {"95 % interval", Align::kRight},
               {"majority", Align::kRight},
               {"margin", Align::kRight},
               {"n", Align::kRight},
               {"route"}});
  for (const ReportRow& row : rows) {
    const TaskScore& score = row.score;
    table.add({score.task, row.family, score.metric, decimals(score.score),
               decimals(score.interval.low) + " – " + decimals(score.interval.high),
               decimals(score.majority), fmt::format("{:+.4f}", score.score - score.majority),
               std::to_string(score.examples), row.route});
  }
  return table;
}

}  // namespace

Json to_json(const ReportRow& row) {
  const TaskScore& score = row.score;
  return {{"task", score.task},
          {"family", row.family},
          {"metric", score.metric},
          {"score", score.score},
          {"interval", {score.interval.low, score.interval.high}},
          {"majority", score.majority},
          {"margin", score.score - score.majority},
          {"examples", score.examples},
          {"tied", score.tied},
          {"truncated", score.truncated},
          {"too_long", score.too_long},
          {"indistinguishable", score.indistinguishable},
          {"route", row.route}};
}

ReportRow report_row(const Json& json, const std::string& where) {
  const auto interval = json_get<std::vector<double>>(json, "interval", where);
  if (interval.size() != 2) throw_json_type_error("interval", where, false);
  ReportRow row{json_get<std::string>(json, "family", where),
                json_get<std::string>(json, "route", where),
                {}};
  TaskScore& score = row.score;
  score.task = json_get<std::string>(json, "task", where);
  score.metric = json_get<std::string>(json, "metric", where);
  score.score = json_get<double>(json, "score", where);
  score.interval = {interval[0], interval[1]};
  score.majority = json_get<double>(json, "majority", where);
  score.examples = json_get<size_t>(json, "examples", where);
  score.tied = json_get<size_t>(json, "tied", where);
  score.truncated = json_get<size_t>(json, "truncated", where);
  score.too_long = json_get<size_t>(json, "too_long", where);
  score.indistinguishable =
      json_get<std::vector<std::vector<std::string>>>(json, "indistinguishable", where);
  return row;
}

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
  return "mean of " + std::to_string(rows_.size()) + " tasks: " + decimals(mean()) + "; mean of " +
         std::to_string(family_means().size()) + " families: " + decimals(mean_of_families()) +
         "; above majority: " + std::to_string(above_majority()) + " of " +
         std::to_string(rows_.size()) + "\n";
}

std::string Report::to_text() const { return table_of(rows_).to_text() + "\n" + summary(); }

std::string Report::to_markdown() const { return table_of(rows_).to_markdown() + "\n" + summary(); }

Json Report::to_json() const {
  Json tasks = Json::array(), families = Json::object();
  for (const ReportRow& row : rows_) tasks.push_back(trivium::to_json(row));
  for (const auto& [family, mean] : family_means()) families[family] = mean;
  return {{"tasks", std::move(tasks)},
          {"families", std::move(families)},
          {"mean", mean()},
          {"mean_of_families", mean_of_families()},
          {"above_majority", above_majority()}};
}

}  // namespace trivium
