// Pearson's and Spearman's correlation of predicted numbers with the first gold.
#include "core/metrics/correlation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/metrics/families.h"

namespace trivium {
namespace {

// What a prediction that is no finite number counts as: CrossTaskMoE's value, the middle of the
// scale 1-5 of CrossFit's regression tasks. (CrossFit itself makes it NaN, which poisons the task
// mean.)
constexpr double kUnparsablePrediction = 3.0;

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

double gold_number(const Scored& item) {
  const std::string gold = item.golds.empty() ? "" : item.golds.front();
  if (const std::optional<double> value = parse_number(gold)) return *value;
  throw Error(ExitCode::kBadData, "the gold answer \"" + gold.substr(0, 40) +
                                      "\" is not a number, which a correlation needs; "
                                      "use another metric for this task");
}

// Ranks from 1; equal values share the mean of their ranks.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;
    for (size_t i = begin; i < end; ++i) result[order[i]] = rank;
  }
  return result;
}

double spearman(const std::vector<double>& x, const std::vector<double>& y) {
  return pearson(ranks(x), ranks(y));
}

double pearson_spearman(const std::vector<double>& x, const std::vector<double>& y) {
  return (pearson(x, y) + spearman(x, y)) / 2;
}

using Formula = double (*)(const std::vector<double>& predictions,
                           const std::vector<double>& golds);

class NumberPairs : public PreparedItems {
 public:
  NumberPairs(Formula formula, const std::vector<Scored>& items) : formula_(formula) {
    for (const Scored& item : items) {
      predictions_.push_back(parse_number(item.prediction).value_or(kUnparsablePrediction));
      golds_.push_back(gold_number(item));
    }
  }

  double score(std::span<const uint32_t> indices) const override {
    std::vector<double> predictions, golds;
    predictions.reserve(indices.size());
    golds.reserve(indices.size());
    for (const uint32_t i : indices) {
      predictions.push_back(predictions_[i]);
      golds.push_back(golds_[i]);
    }
    return formula_(predictions, golds);
  }

 private:
  Formula formula_;
  std::vector<double> predictions_, golds_;
};

class Correlation : public Metric {
 public:
  Correlation(std::string_view name, Formula formula) : name_(name), formula_(formula) {}
  std::string_view name() const override { return name_; }

  std::unique_ptr<PreparedItems> prepare(const std::vector<Scored>& items) const override {
    return std::make_unique<NumberPairs>(formula_, items);
  }

 private:
  std::string_view name_;
  Formula formula_;
};

}  // namespace

double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto is_constant = [](const std::vector<double>& values) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return *low == *high;  // exact, where the variance of equal values may round to more than 0
  };
  if (is_constant(x) || is_constant(y)) return 0;
  const double count = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / count;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / count;
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - mean_x, dy = y[i] - mean_y;
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

std::unique_ptr<Metric> make_pearson() { return std::make_unique<Correlation>("pearson", pearson); }
std::unique_ptr<Metric> make_spearman() {
  return std::make_unique<Correlation>("spearman", spearman);
}
std::unique_ptr<Metric> make_pearson_spearman() {
  return std::make_unique<Correlation>("pearson_spearman", pearson_spearman);
}

}  // namespace trivium
