// Means over tasks and differences between methods, with bootstrap intervals over tasks.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/evaluation/arg.h"
#include "core/metrics/metric.h"
#include "research/studies/method_run.h"

namespace trivium::research {

// What of a run a statistic is about.
enum class ScorePart { kSeen, kZeroShot, kZeroShotRanked, kFewShot };

// The scores of one method: of every task one a seed, or one a seed and data sample.
MethodScores scores_of(const std::vector<MethodRun>& runs, const std::string& method,
                       ScorePart part);

struct Estimate {
  double value = 0;
  Interval interval;  // 95 %; percentile bootstrap over tasks
  size_t tasks = 0;   // 0: nothing to estimate
};

// The mean over tasks of their mean scores.
Estimate mean_over_tasks(const MethodScores& scores, int resamples = 2000, uint64_t seed = 0);

// The mean over the tasks that both have of `method` - `base`, paired by task.
Estimate mean_difference(const MethodScores& method, const MethodScores& base, int resamples = 2000,
                         uint64_t seed = 0);

}  // namespace trivium::research
