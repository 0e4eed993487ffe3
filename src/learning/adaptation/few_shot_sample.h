// The few examples that a new task is learnt from (docs/spec/task_level.md, section 11).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "core/data/task_catalog.h"
#include "core/evaluation/evaluator.h"

namespace trivium::learning {

// A task to adapt to.
struct FewShotTask {
  Task task;            // with its records
  TaskEntry entry;      // as a catalog knows it, with the template that renders the records
  EvaluationTask test;  // what scores the result
};
// With the task's first template; `test_limit` > 0 takes the first so many test examples.
FewShotTask load_few_shot_task(const Gym& gym, const PromptLibrary& prompts,
                               const std::string& name, size_t test_limit = 0);

struct FewShotSample {
  uint64_t seed = 0;
  std::vector<Example> train, dev;
  std::vector<const Record*> train_records, dev_records;  // of which they are; the task's own
};

// Draws train and dev, without overlap, from the task's train split: `per_class` of each label for
// a task whose labels are fixed, `total` for any other. Where there is not enough, dev gets less
// first. The same seed gives the same sample. A task that comes as such a sample (CrossFit's) is
// taken as it is. Error kBadData where there is nothing for dev.
FewShotSample draw_few_shot_sample(const FewShotTask& task, int64_t per_class, int64_t total,
                                   uint64_t seed);

}  // namespace trivium::learning
