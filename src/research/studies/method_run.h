// What one training of one method came to, on seen and unseen tasks: a row of the comparison.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace trivium::research {

// The method that trains on no task: the start itself, tuned on each unseen task.
constexpr const char* kDirect = "direct";

struct TaskResult {
  std::string task, family, metric;
  double score = 0;
  double majority = 0;  // of always giving the train split's most frequent answer
};

// An unseen task's test scores after few-shot tuning, one a data sample.
struct FewShotScores {
  std::string task, family;
  std::vector<double> scores;
};

// Zero-shot scores of one task, one for each of its templates.
struct TemplateScores {
  std::string task;
  std::vector<double> scores;
};

struct MethodRun {
  std::string method;
  int64_t seed = 0;
  std::vector<TaskResult> seen;
  std::vector<TaskResult> zero_shot;         // unseen tasks, by generation
  std::vector<TaskResult> zero_shot_ranked;  // those with options, by rank scoring
  std::vector<TemplateScores> templates;     // rank scoring with every template
  std::vector<FewShotScores> few_shot;
  // Floating-point operations an example (model/compute.h), at the seen tasks' mean lengths.
  double training_flops = 0, inference_flops = 0;
  double training_seconds = 0;  // wall time of the whole training
};

Json to_json(const MethodRun& run);
// Error kBadData, beginning with `where`, for anything else.
MethodRun method_run_from_json(const Json& json, const std::string& where);

}  // namespace trivium::research
