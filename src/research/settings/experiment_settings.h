// Settings of the experiments: what is trained, on what it is scored, and how much of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/settings.h"
#include "learning/settings/train_settings.h"

namespace trivium::research {

// The comparison of ways to route (docs/spec/task_level.md, sections 10 to 12).
struct TaskLevelSettings : Settings {
  // [experiment]
  std::string init;  // the dense checkpoint that every method starts from
  std::string gym = "../shared/gym";
  std::string prompts;  // "": the shipped ones
  std::string methods_folder = "configs/task_level";
  std::vector<std::string> methods = {"vanilla",       "instance_random", "task_random_1",
                                      "task_random_2", "average",         "learned",
                                      "two_stage"};
  std::vector<std::string> overrides;
  std::string plan;   // a file as studies/task_level_plan.h reads it; "": the shipped one
  std::string tried;  // a file as studies/tried_setting.h reads it; "": none
  std::vector<int64_t> seeds = {42};
  int64_t seen_examples = 0, unseen_examples = 0;
  bool templates = false;
  int64_t threads = 0;
  std::string output = "runs/task_level";
  // [few_shot]
  std::vector<int64_t> samples = {100, 13, 21, 42, 87};
  std::vector<double> learning_rates = {1e-5, 2e-5, 5e-5};
  std::vector<int64_t> batch_sizes = {2, 4, 8};
  int64_t steps = 1000, eval_every = 100;
  learning::Precision precision = learning::Precision::kBfloat16;
  void visit(SettingsVisitor& visitor) override;
};

}  // namespace trivium::research
