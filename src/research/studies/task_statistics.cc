#include "research/studies/task_statistics.h"

#include <algorithm>
#include <numeric>

#include "core/base/rng.h"
#include "core/metrics/quantile.h"

namespace trivium::research {
namespace {

const std::vector<TaskResult>& results_of(const MethodRun& run, ScorePart part) {
  if (part == ScorePart::kSeen) return run.seen;
  return part == ScorePart::kZeroShot ? run.zero_shot : run.zero_shot_ranked;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Estimate estimate_mean(const std::vector<double>& values, int resamples, uint64_t seed) {
  Estimate estimate;
  estimate.tasks = values.size();
  if (values.empty()) return estimate;
  estimate.value = mean(values);
  Rng rng(seed);
  std::vector<double> means(static_cast<size_t>(resamples));
  for (double& resampled : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += values[rng.below(values.size())];
    resampled = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  estimate.interval = {quantile(means, 0.025), quantile(means, 0.975)};
  return estimate;
}

}  // namespace

MethodScores scores_of(const std::vector<MethodRun>& runs, const std::string& method,
                       ScorePart part) {
  std::map<std::string, std::vector<double>> by_task;
  for (const MethodRun& run : runs) {
    if (run.method != method) continue;
    if (part == ScorePart::kFewShot) {
      for (const FewShotScores& task : run.few_shot) {
        auto& scores = by_task[task.task];
        scores.insert(scores.end(), task.scores.begin(), task.scores.end());
      }
      continue;
    }
    for (const TaskResult& result : results_of(run, part)) {
      by_task[result.task].push_back(result.score);
    }
  }
  MethodScores scores{method, {}};
  for (auto& [task, values] : by_task) scores.tasks.push_back({task, std::move(values)});
  return scores;
}

Estimate mean_over_tasks(const MethodScores& scores, int resamples, uint64_t seed) {
  std::vector<double> values;
  for (const SampleScores& task : scores.tasks) values.push_back(mean(task.scores));
  return estimate_mean(values, resamples, seed);
}

Estimate mean_difference(const MethodScores& method, const MethodScores& base, int resamples,
                         uint64_t seed) {
  std::vector<double> differences;
  for (const SampleScores& task : method.tasks) {
    for (const SampleScores& other : base.tasks) {
      if (other.task == task.task) differences.push_back(mean(task.scores) - mean(other.scores));
    }
  }
  return estimate_mean(differences, resamples, seed);
}

}  // namespace trivium::research
