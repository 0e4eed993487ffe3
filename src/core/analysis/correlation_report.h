// Which features of tasks go with which experts (docs/spec/task_level.md, section 13).
#pragma once

#include <string>
#include <vector>

#include "core/analysis/task_features.h"
#include "core/base/json.h"
#include "core/routes/route_dump.h"

namespace trivium {

// A feature held against an expert's weights at temperature 1.
struct FeatureExpert {
  std::string feature;
  LayerPlace place;
  size_t expert = 0;      // from 0
  double r = 0;           // Pearson's
  double p = 1;           // two-sided, of this test alone
  double adjusted_p = 1;  // by Benjamini and Hochberg, among all tests
};

struct CorrelationReport {
  size_t tasks = 0;
  double alpha = 0.01;
  std::vector<FeatureExpert> tests;  // every one, the least p first
  // Constant over the tasks, so that no correlation is defined.
  std::vector<std::string> constant_features;
  std::vector<std::string> constant_experts;

  // Those that hold alone; fewer hold when the number of tests is counted in.
  std::vector<FeatureExpert> found() const;
  bool holds_by_bonferroni(const FeatureExpert& test) const;
  bool holds_by_benjamini_hochberg(const FeatureExpert& test) const;
};

// Over the tasks that are in both. Error kUsage for fewer than 3 of them.
CorrelationReport correlate(const RouteDump& routes, const FeatureTable& features,
                            double alpha = 0.01);

// "encoder 4, expert 2"
std::string expert_name(const LayerPlace& place, size_t expert);

// At most `limit` found pairs as a Markdown table with a sentence on the number of tests, which
// reads well in a terminal too.
std::string to_markdown(const CorrelationReport& report, size_t limit = 40);
Json to_json(const CorrelationReport& report);

}  // namespace trivium
