// Accuracy and exact match: an item scores 1 when its prediction is one of its golds.
#include <algorithm>

#include "core/metrics/families.h"
#include "core/metrics/mean_metric.h"
#include "core/metrics/normalization.h"

namespace trivium {
namespace {

// CrossFit's ACC: equal but for the case of letters.
class Accuracy : public MeanMetric {
 public:
  std::string_view name() const override { return "accuracy"; }

 private:
  double score_item(const Scored& item) const override {
    const std::string prediction = to_lower_unicode(item.prediction);
    return std::any_of(item.golds.begin(), item.golds.end(), [&](const std::string& gold) {
      return to_lower_unicode(gold) == prediction;
    });
  }
};

// CrossFit's EM: equal in the answer's normal form.
class ExactMatch : public MeanMetric {
 public:
  std::string_view name() const override { return "em"; }

 private:
  double score_item(const Scored& item) const override {
    const std::vector<std::string> prediction = normalized_words(item.prediction);
    return std::any_of(item.golds.begin(), item.golds.end(), [&](const std::string& gold) {
      return normalized_words(gold) == prediction;
    });
  }
};

}  // namespace

std::unique_ptr<Metric> make_accuracy() { return std::make_unique<Accuracy>(); }
std::unique_ptr<Metric> make_em() { return std::make_unique<ExactMatch>(); }

}  // namespace trivium
