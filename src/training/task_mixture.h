// The tasks that a multi-task training learns, read and encoded once.
#pragma once

#include <string>
#include <vector>

#include "config/train_settings.h"
#include "data/task_catalog.h"
#include "data/task_finder.h"
#include "evaluation/evaluator.h"
#include "model/batch.h"
#include "tokenizers/tokenizer.h"

namespace trivium {

struct TaskMixture {
  std::vector<std::string> tasks;
  std::vector<EncodedExample> examples;  // the train splits; example.task is the index in `tasks`
  std::vector<EvaluationTask> dev;       // as `tasks`
  // What the checkpoint will know of them: their templates, and how to tell them apart.
  TaskCatalog catalog;
  TaskFinder finder;
};

// Reads the gym's tasks that the settings name, renders their train splits with the prompts folder
// and encodes them. Error as Gym's and PromptLibrary's.
TaskMixture load_task_mixture(const TrainSettings& settings, const Tokenizer& tokenizer);

}  // namespace trivium
