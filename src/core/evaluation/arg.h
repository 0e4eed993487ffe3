// Average relative gain (ARG): how much better a method is than a base, as a share of the base's
// score, averaged over tasks (docs/spec/task_level.md, section 12).
//
// A share of nearly nothing says nothing: from 0.002 to 0.016 is +600 %, and one such task moves
// the mean of twenty by 30 points. So the mean is over tasks whose base is at least kArgFloor, and
// the median, which no single task moves, stands beside it over all whose base is above 0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/metrics/metric.h"

namespace trivium {

constexpr double kArgFloor = 0.05;

// A task's scores, one a data sample; at least one.
struct SampleScores {
  std::string task;
  std::vector<double> scores;
};

// All tasks' scores of one way of doing things.
struct MethodScores {
  std::string name;  // "vanilla multi-task, few-shot"; always printed
  std::vector<SampleScores> tasks;
};

struct TaskGain {
  std::string task;
  double method = 0, base = 0;  // means over the samples
  double gain = 0;              // (method - base) / base
};

struct RelativeGain {
  std::string method, base;
  std::vector<TaskGain> tasks;  // whose base is at least kArgFloor, by task
  double mean = 0;              // over `tasks`; 0 when there are none
  Interval interval;            // of the mean: 95 %, bootstrap over tasks and samples
  // Tasks whose base is above 0 but below kArgFloor: in the median only.
  std::vector<TaskGain> below_floor;
  double median = 0;  // over `tasks` and `below_floor`; 0 when there are none
  // Tasks that both scored, but whose base has no score above 0 to be relative to: in neither.
  std::vector<std::string> without_base;
  // Tasks that only one of the two scored.
  std::vector<std::string> only_method, only_base;

  size_t negative() const;  // of `tasks` those with a gain below 0: negative transfer
};

// Over the tasks that both scored. The interval resamples tasks, and within each task the samples
// of method and base; resampled tasks whose base falls below kArgFloor are left out.
RelativeGain average_relative_gain(const MethodScores& method, const MethodScores& base,
                                   int resamples = 1000, uint64_t seed = 0);

// {"method", "base", "arg", "interval": [low, high], "median", "floor", "negative", "tasks":
// [{"task", "method", "base", "gain"}], "below_floor": as tasks, "without_base", "only_method",
// "only_base"}
Json to_json(const RelativeGain& gain);

// For a terminal: a line a task, with a bar to the left of the axis where the gain is negative, and
// the mean.
std::string gain_text(const RelativeGain& gain);
// The same as a picture: one horizontal bar a task, the largest gain on top.
std::string gain_svg(const RelativeGain& gain);

}  // namespace trivium
