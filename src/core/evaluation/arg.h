// Average relative gain (ARG): how much better a method is than a base, as a share of the base's
// score, averaged over tasks (docs/spec/task_level.md, section 12).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/metrics/metric.h"

namespace trivium {

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
  std::vector<TaskGain> tasks;  // by task
  double mean = 0;              // over `tasks`; 0 when there are none
  Interval interval;            // 95 %, bootstrap over tasks and samples
  // Tasks that both scored, but whose base has no score above 0 to be relative to.
  std::vector<std::string> without_base;
  // Tasks that only one of the two scored.
  std::vector<std::string> only_method, only_base;

  size_t negative() const;  // tasks with a gain below 0: negative transfer
};

// Over the tasks that both scored. The interval resamples tasks, and within each task the samples
// of method and base; resampled tasks whose base falls to 0 are left out.
RelativeGain average_relative_gain(const MethodScores& method, const MethodScores& base,
                                   int resamples = 1000, uint64_t seed = 0);

// {"method", "base", "arg", "interval": [low, high], "negative", "tasks": [{"task", "method",
// "base", "gain"}], "without_base", "only_method", "only_base"}
Json to_json(const RelativeGain& gain);

// For a terminal: a line a task, with a bar to the left of the axis where the gain is negative, and
// the mean.
std::string gain_text(const RelativeGain& gain);
// The same as a picture: one horizontal bar a task, the largest gain on top.
std::string gain_svg(const RelativeGain& gain);

}  // namespace trivium
