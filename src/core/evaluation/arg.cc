#include "core/evaluation/arg.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/metrics/quantile.h"

namespace trivium {
namespace {

double mean_of(const std::vector<double>& values) {
  check(!values.empty(), "a mean needs values");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double resampled_mean(const std::vector<double>& values, Rng& rng) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[rng.below(values.size())];
  return sum / static_cast<double>(values.size());
}

struct Pair {
  const std::vector<double>* method;
  const std::vector<double>* base;
};

Interval resampled_interval(const std::vector<Pair>& pairs, int resamples, uint64_t seed) {
  Rng rng(seed);
  std::vector<double> means;
  for (int i = 0; i < resamples; ++i) {
    double sum = 0;
    size_t count = 0;
    for (size_t j = 0; j < pairs.size(); ++j) {
      const Pair& pair = pairs[rng.below(pairs.size())];
      const double method = resampled_mean(*pair.method, rng);
      const double base = resampled_mean(*pair.base, rng);
      if (base < kArgFloor) continue;
      sum += (method - base) / base;
      ++count;
    }
    if (count > 0) means.push_back(sum / static_cast<double>(count));
  }
  if (means.empty()) return {};
  std::sort(means.begin(), means.end());
  return {quantile(means, 0.025), quantile(means, 0.975)};
}

std::map<std::string, const std::vector<double>*> by_task(const MethodScores& scores) {
  std::map<std::string, const std::vector<double>*> tasks;
  for (const SampleScores& task : scores.tasks) {
    check(tasks.emplace(task.task, &task.scores).second, "a method scores a task once");
  }
  return tasks;
}

}  // namespace

size_t RelativeGain::negative() const {
  return static_cast<size_t>(std::count_if(tasks.begin(), tasks.end(),
                                           [](const TaskGain& task) { return task.gain < 0; }));
}

RelativeGain average_relative_gain(const MethodScores& method, const MethodScores& base,
                                   int resamples, uint64_t seed) {
  RelativeGain result;
  result.method = method.name;
  result.base = base.name;
  const auto methods = by_task(method);
  const auto bases = by_task(base);
  std::vector<Pair> pairs;
  std::vector<double> gains;
  double sum = 0;
  for (const auto& [task, scores] : methods) {
    const auto found = bases.find(task);
    if (found == bases.end()) {
      result.only_method.push_back(task);
      continue;
    }
    TaskGain gain{task, mean_of(*scores), mean_of(*found->second), 0};
    if (gain.base <= 0) {
      result.without_base.push_back(task);
      continue;
    }
    gain.gain = (gain.method - gain.base) / gain.base;
    gains.push_back(gain.gain);
    if (gain.base < kArgFloor) {
      result.below_floor.push_back(std::move(gain));
      continue;
    }
    sum += gain.gain;
    pairs.push_back({scores, found->second});
    result.tasks.push_back(std::move(gain));
  }
  for (const auto& [task, scores] : bases) {
    if (!methods.contains(task)) result.only_base.push_back(task);
  }
  result.median = median(gains);
  if (result.tasks.empty()) return result;
  result.mean = sum / static_cast<double>(result.tasks.size());
  result.interval = resampled_interval(pairs, resamples, seed);
  return result;
}

Json to_json(const RelativeGain& gain) {
  const auto listed = [](const std::vector<TaskGain>& gains) {
    Json tasks = Json::array();
    for (const TaskGain& task : gains) {
      tasks.push_back(
          {{"task", task.task}, {"method", task.method}, {"base", task.base}, {"gain", task.gain}});
    }
    return tasks;
  };
  return {{"method", gain.method},
          {"base", gain.base},
          {"arg", gain.mean},
          {"interval", {gain.interval.low, gain.interval.high}},
          {"median", gain.median},
          {"floor", kArgFloor},
          {"negative", gain.negative()},
          {"tasks", listed(gain.tasks)},
          {"below_floor", listed(gain.below_floor)},
          {"without_base", gain.without_base},
          {"only_method", gain.only_method},
          {"only_base", gain.only_base}};
}

}  // namespace trivium
