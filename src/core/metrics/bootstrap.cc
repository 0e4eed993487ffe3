#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/metrics/metric.h"
#include "core/metrics/quantile.h"

namespace trivium {

double quantile(const std::vector<double>& sorted, double fraction) {
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(position));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Interval bootstrap_interval(const Metric& metric, const std::vector<Scored>& items, int resamples,
                            double confidence, uint64_t seed) {
  if (resamples < 1) throw Error(ExitCode::kUsage, "a bootstrap needs at least 1 resample");
  if (!(confidence > 0 && confidence < 1)) {
    throw Error(ExitCode::kUsage, "a bootstrap's confidence must be between 0 and 1");
  }
  if (items.empty()) return {};
  const std::unique_ptr<PreparedItems> prepared = metric.prepare(items);
  Rng rng(seed);
  std::vector<uint32_t> indices(items.size());
  std::vector<double> scores;
  for (int i = 0; i < resamples; ++i) {
    for (uint32_t& index : indices) index = static_cast<uint32_t>(rng.below(items.size()));
    scores.push_back(prepared->score(indices));
  }
  std::sort(scores.begin(), scores.end());
  return {quantile(scores, (1 - confidence) / 2), quantile(scores, (1 + confidence) / 2)};
}

}  // namespace trivium
