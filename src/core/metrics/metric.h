// Scores of predicted texts against accepted texts: strings in, number out.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trivium {

struct Scored {
  std::string prediction;
  std::vector<std::string> golds;  // every accepted answer; metrics of one gold use the first
};

// A corpus reduced to what one metric needs of it, so that scoring a resample does no string work.
class PreparedItems {
 public:
  virtual ~PreparedItems() = default;
  // The score of the items at `indices` (repeats allowed; at least one).
  virtual double score(std::span<const uint32_t> indices) const = 0;
};

// A corpus-level metric. Every score is in [0, 1], correlations in [-1, 1]; an empty corpus scores
// 0. Texts are compared as they are given: the caller strips white space around them.
class Metric {
 public:
  virtual ~Metric() = default;
  virtual std::string_view name() const = 0;
  // Error kBadData where the golds cannot be of this metric (a correlation's gold is not a number).
  virtual std::unique_ptr<PreparedItems> prepare(const std::vector<Scored>& items) const = 0;

  double score(const std::vector<Scored>& items) const;
};

// By name: accuracy, em, qa_f1, macro_f1 (classification F1), f1_true (F1
// of the class "true", as MultiRC's F1a), matthews, rouge_l, rouge_l_crossfit,
// pearson, spearman, pearson_spearman (their mean). Error kUsage for another name, with the
// nearest.
std::unique_ptr<Metric> make_metric(const std::string& name);
std::vector<std::string> metric_names();

struct Interval {
  double low = 0, high = 0;
};

// Percentile bootstrap interval of `metric` over examples, resampled with replacement; the same for
// the same seed. Error kUsage unless resamples >= 1 and 0 < confidence < 1.
Interval bootstrap_interval(const Metric& metric, const std::vector<Scored>& items,
                            int resamples = 1000, double confidence = 0.95, uint64_t seed = 0);

}  // namespace trivium
