// Scores of predicted texts against accepted texts: strings in, number out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trivium {

struct Scored {
  std::string prediction;
  std::vector<std::string> golds;  // every accepted answer; metrics of one gold use the first
};

// A corpus-level metric. Every score is in [0, 1], correlations in [-1, 1]; an empty corpus scores 0.
class Metric {
 public:
  virtual ~Metric() = default;
  virtual std::string_view name() const = 0;
  virtual double score(const std::vector<Scored>& items) const = 0;
};

// By name: accuracy, macro_f1 (classification F1), em, qa_f1, rouge_l, rouge_l_crossfit, matthews,
// pearson, spearman, pearson_spearman (their mean). Error kUsage for another name, with the nearest.
std::unique_ptr<Metric> make_metric(const std::string& name);
std::vector<std::string> metric_names();

struct Interval {
  double low = 0, high = 0;
};

// Percentile bootstrap interval of `metric` over examples, resampled with replacement.
Interval bootstrap_interval(const Metric& metric, const std::vector<Scored>& items, int resamples = 1000,
                            double confidence = 0.95, uint64_t seed = 0);

}  // namespace trivium
