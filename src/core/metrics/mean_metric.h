// Metrics that are the mean of a score of each item.
#pragma once

#include "core/metrics/metric.h"

namespace trivium {

class MeanMetric : public Metric {
 public:
  std::unique_ptr<PreparedItems> prepare(const std::vector<Scored>& items) const final;

 private:
  virtual double score_item(const Scored& item) const = 0;
};

}  // namespace trivium
