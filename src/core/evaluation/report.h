// The scores of many tasks as a table for people, for a model card, or as JSON.
#pragma once

#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/evaluation/evaluator.h"

namespace trivium {

struct ReportRow {
  std::string family;
  std::string route;  // whose route the task took: "own", "sst2 (28 of 32)" or "none"
  TaskScore score;
};

// {"task", "family", "metric", "score", "interval": [low, high], "majority", "margin", "examples",
// "tied", "truncated", "too_long", "indistinguishable", "route"}, and back; the answers themselves
// are left out. `where` begins the message of an Error (kBadData) for what is no row.
Json to_json(const ReportRow& row);
ReportRow report_row(const Json& json, const std::string& where);

class Report {
 public:
  void add(ReportRow row);

  // By family, then by task.
  const std::vector<ReportRow>& rows() const { return rows_; }
  double mean() const;
  double mean_of_families() const;  // the mean of the families' means
  size_t above_majority() const;

  // Columns in line, for a terminal.
  std::string to_text() const;
  std::string to_markdown() const;
  // {"tasks": [rows], "families": {name: mean}, "mean", "mean_of_families", "above_majority"}
  Json to_json() const;

 private:
  std::vector<std::pair<std::string, double>> family_means() const;
  std::string summary() const;

  std::vector<ReportRow> rows_;
};

}  // namespace trivium
