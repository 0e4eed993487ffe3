// CrossFit's QA-F1: F1 of the bags of words in the answer's normal form, the best over the golds.
#include <algorithm>

#include "core/metrics/families.h"
#include "core/metrics/mean_metric.h"
#include "core/metrics/normalization.h"

namespace trivium {
namespace {

std::vector<std::string> sorted_words(std::string_view text) {
  std::vector<std::string> words = normalized_words(text);
  std::sort(words.begin(), words.end());
  return words;
}

// Of two sorted bags of words; 0 when they share none, so also when both are empty.
double f1_of_bags(const std::vector<std::string>& predicted, const std::vector<std::string>& gold) {
  std::vector<std::string> common;
  std::set_intersection(predicted.begin(), predicted.end(), gold.begin(), gold.end(),
                        std::back_inserter(common));
  if (common.empty()) return 0;
  return 2.0 * static_cast<double>(common.size()) /
         static_cast<double>(predicted.size() + gold.size());
}

class QaF1 : public MeanMetric {
 public:
  std::string_view name() const override { return "qa_f1"; }

 private:
  double score_item(const Scored& item) const override {
    const std::vector<std::string> prediction = sorted_words(item.prediction);
    double best = 0;
    for (const std::string& gold : item.golds) {
      best = std::max(best, f1_of_bags(prediction, sorted_words(gold)));
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<Metric> make_qa_f1() { return std::make_unique<QaF1>(); }

}  // namespace trivium
