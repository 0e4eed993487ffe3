#include "core/metrics/mean_metric.h"

#include <utility>

namespace trivium {
namespace {

class ItemScores : public PreparedItems {
 public:
  explicit ItemScores(std::vector<double> scores) : scores_(std::move(scores)) {}

  double score(std::span<const uint32_t> indices) const override {
    double sum = 0;
    for (const uint32_t i : indices) sum += scores_[i];
    return sum / static_cast<double>(indices.size());
  }

 private:
  std::vector<double> scores_;
};

}  // namespace

std::unique_ptr<PreparedItems> MeanMetric::prepare(const std::vector<Scored>& items) const {
  std::vector<double> scores;
  scores.reserve(items.size());
  for (const Scored& item : items) scores.push_back(score_item(item));
  return std::make_unique<ItemScores>(std::move(scores));
}

}  // namespace trivium
