#include "core/analysis/correlation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "core/analysis/significance.h"
#include "core/base/error.h"
#include "core/metrics/correlation.h"
#include "core/text/table.h"

namespace trivium {
namespace {

bool is_constant(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *low == *high;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "; ") + name;
  return text;
}

size_t count_if_holds(const CorrelationReport& report,
                      bool (CorrelationReport::*holds)(const FeatureExpert&) const) {
  return static_cast<size_t>(
      std::count_if(report.tests.begin(), report.tests.end(),
                    [&](const FeatureExpert& test) { return (report.*holds)(test); }));
}

// The tasks of both, as (row of the routes, place in the table of features).
std::vector<std::pair<const RouteRow*, size_t>> common_tasks(const RouteDump& routes,
                                                             const FeatureTable& features) {
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < features.tasks.size(); ++i) places[features.tasks[i]] = i;
  std::vector<std::pair<const RouteRow*, size_t>> common;
  for (const RouteRow& row : routes.tasks) {
    const auto found = places.find(row.task);
    if (found != places.end()) common.emplace_back(&row, found->second);
  }
  if (common.size() < 3) {
    throw Error(ExitCode::kUsage, "only " + std::to_string(common.size()) +
                                      " tasks have both a route and features; a correlation needs "
                                      "3 or more: name the gym that the checkpoint learned from");
  }
  return common;
}

}  // namespace

std::string expert_name(const LayerPlace& place, size_t expert) {
  return name_of(place) + ", expert " + std::to_string(expert + 1);
}

std::vector<FeatureExpert> CorrelationReport::found() const {
  std::vector<FeatureExpert> pairs;
  for (const FeatureExpert& test : tests) {
    if (test.p < alpha) pairs.push_back(test);
  }
  return pairs;
}

bool CorrelationReport::holds_by_bonferroni(const FeatureExpert& test) const {
  return test.p * static_cast<double>(tests.size()) < alpha;
}

bool CorrelationReport::holds_by_benjamini_hochberg(const FeatureExpert& test) const {
  return test.adjusted_p < alpha;
}

CorrelationReport correlate(const RouteDump& routes, const FeatureTable& features, double alpha) {
  const auto common = common_tasks(routes, features);
  CorrelationReport report;
  report.tasks = common.size();
  report.alpha = alpha;
  std::vector<std::pair<const TaskFeature*, std::vector<double>>> rows;
  for (const TaskFeature& feature : features.features) {
    std::vector<double> values;
    values.reserve(common.size());
    for (const auto& [row, place] : common) values.push_back(feature.has[place] ? 1 : 0);
    if (is_constant(values)) {
      report.constant_features.push_back(feature.name);
    } else {
      rows.emplace_back(&feature, std::move(values));
    }
  }
  std::vector<double> p;
  for (size_t column = 0; column < routes.columns(); ++column) {
    std::vector<double> weights;
    weights.reserve(common.size());
    for (const auto& [row, place] : common) weights.push_back(row->likely[column]);
    if (is_constant(weights)) {
      report.constant_experts.push_back(routes.column_name(column));
      continue;
    }
    for (const auto& [feature, values] : rows) {
      const double r = pearson(values, weights);
      p.push_back(correlation_p(r, common.size()));
      report.tests.push_back({feature->name, routes.places[column / routes.num_experts],
                              column % routes.num_experts, r, p.back(), 1});
    }
  }
  const std::vector<double> adjusted = adjust_benjamini_hochberg(p);
  for (size_t i = 0; i < adjusted.size(); ++i) report.tests[i].adjusted_p = adjusted[i];
  std::stable_sort(report.tests.begin(), report.tests.end(),
                   [](const FeatureExpert& a, const FeatureExpert& b) { return a.p < b.p; });
  return report;
}

std::string to_markdown(const CorrelationReport& report, size_t limit) {
  const std::vector<FeatureExpert> found = report.found();
  Table table({{"feature"},
               {"expert"},
               {"r", Align::kRight},
               {"p", Align::kRight},
               {"adjusted p", Align::kRight},
               {"holds by"}});
  for (size_t i = 0; i < std::min(limit, found.size()); ++i) {
    const FeatureExpert& pair = found[i];
    const char* holds = report.holds_by_bonferroni(pair)           ? "Bonferroni"
                        : report.holds_by_benjamini_hochberg(pair) ? "Benjamini-Hochberg"
                                                                   : "neither";
    table.add({pair.feature, expert_name(pair.place, pair.expert), fmt::format("{:+.3f}", pair.r),
               fmt::format("{:.2g}", pair.p), fmt::format("{:.2g}", pair.adjusted_p), holds});
  }
  std::string text = found.empty() ? "" : table.to_markdown() + "\n";
  if (found.size() > limit) text += std::to_string(found.size() - limit) + " more not shown.\n";
  text += fmt::format(
      "{} tests (feature × expert) over {} tasks. {} have p < {:g} (by chance {:.2g} would); {} "
      "hold "
      "by Benjamini and Hochberg's correction, {} by Bonferroni's.\n",
      report.tests.size(), report.tasks, found.size(), report.alpha,
      report.alpha * static_cast<double>(report.tests.size()),
      count_if_holds(report, &CorrelationReport::holds_by_benjamini_hochberg),
      count_if_holds(report, &CorrelationReport::holds_by_bonferroni));
  if (!report.constant_features.empty()) {
    text += "Left out, the same for every task: " + listed(report.constant_features) + ".\n";
  }
  if (!report.constant_experts.empty()) {
    text += "Experts left out, of one weight for every task: " + listed(report.constant_experts) +
            ".\n";
  }
  return text;
}

Json to_json(const CorrelationReport& report) {
  Json json{{"tasks", report.tasks}, {"tests", report.tests.size()}, {"alpha", report.alpha}};
  json["found"] = Json::array();
  for (const FeatureExpert& pair : report.found()) {
    json["found"].push_back({{"feature", pair.feature},
                             {"layer", name_of(pair.place)},
                             {"expert", pair.expert + 1},
                             {"r", pair.r},
                             {"p", pair.p},
                             {"adjusted_p", pair.adjusted_p},
                             {"bonferroni", report.holds_by_bonferroni(pair)},
                             {"benjamini_hochberg", report.holds_by_benjamini_hochberg(pair)}});
  }
  json["constant_features"] = report.constant_features;
  json["constant_experts"] = report.constant_experts;
  return json;
}

}  // namespace trivium
