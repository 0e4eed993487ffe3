// The tasks that a multi-task training learns, read and encoded once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/gym.h"
#include "core/data/task_catalog.h"
#include "core/data/task_finder.h"
#include "core/evaluation/evaluator.h"
#include "learning/model/batch.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/example_encoder.h"

namespace trivium::learning {

struct TaskMixture {
  std::vector<std::string> tasks;
  std::vector<EncodedExample> examples;  // the train splits; example.task is the index in `tasks`
  std::vector<EvaluationTask> dev;       // as `tasks`
  // What the checkpoint will know of them: their templates, and how to tell them apart.
  TaskCatalog catalog;
  std::optional<TaskFinder> finder;  // over the tasks
};

// Reads the gym's tasks that the settings name, renders their train splits with the prompts folder
// and encodes them. Error as Gym's and PromptLibrary's.
TaskMixture load_task_mixture(const Gym& gym, const TrainSettings& settings,
                              const ExampleEncoder& encoder);
// For the model of `start`.
TaskMixture load_task_mixture(const Gym& gym, const TrainSettings& settings,
                              const Checkpoint& start);

}  // namespace trivium::learning
