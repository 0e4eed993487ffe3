// A task in memory that a tiny model learns in a few steps.
#pragma once

#include <filesystem>
#include <string>

#include "core/base/rng.h"
#include "learning/adaptation/few_shot_sample.h"

namespace trivium::learning {

inline PromptLibrary repository_prompts() {
  return PromptLibrary(std::filesystem::path(TRIVIUM_SOURCE_DIR) / "prompts");
}

// "moods": whether a text says "good" or "bad" among other words. `records` of each label in train,
// and a fifth as many in test.
inline FewShotTask toy_few_shot_task(size_t records = 40) {
  FewShotTask result;
  Task& task = result.task;
  task.name = "moods";
  task.family = "made up";
  task.inputs = {"text"};
  task.target = "label";
  task.labels = {"negative", "positive"};
  Rng rng(3);
  const auto record = [&](bool good) {
    std::string text;
    for (int i = 0; i < 2; ++i) text += std::string(1, static_cast<char>('c' + rng.below(8))) + " ";
    return Record{
        {{"text", text + (good ? "good" : "bad")}, {"label", good ? "positive" : "negative"}},
        "made up"};
  };
  for (size_t i = 0; i < 2 * records; ++i) {
    task.records[Split::kTrain].push_back(record(i % 2 == 0));
    if (i % 5 == 0) task.records[Split::kTest].push_back(record(i % 2 == 0));
  }
  TaskCatalog catalog;
  catalog.add(task, repository_prompts());
  result.entry = catalog.find(task.name);
  std::vector<Example> test, train;
  for (const Record& item : task.records[Split::kTest]) {
    test.push_back(result.entry.prompt->render(task, item));
  }
  for (const Record& item : task.records[Split::kTrain]) {
    train.push_back(result.entry.prompt->render(task, item));
  }
  result.test = make_evaluation_task(task, test, train);
  return result;
}

}  // namespace trivium::learning
