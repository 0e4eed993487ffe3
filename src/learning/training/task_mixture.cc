#include "learning/training/task_mixture.h"

#include "core/base/logging.h"
#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "learning/training/multi_task_stream.h"

namespace trivium::learning {

TaskMixture load_task_mixture(const TrainSettings& settings, const Checkpoint& start) {
  return load_task_mixture(
      settings, example_encoder(start, settings.max_source_length, settings.max_target_length));
}

TaskMixture load_task_mixture(const TrainSettings& settings, const ExampleEncoder& encoder) {
  const Gym gym(settings.gym);
  const PromptLibrary prompts(settings.prompts);
  TaskMixture mixture;
  mixture.tasks = settings.tasks.empty() ? gym.tasks_of(settings.part) : settings.tasks;
  spdlog::info("reading {} tasks", mixture.tasks.size());
  std::vector<TaskFinder::TaskTexts> texts;
  for (const std::string& name : mixture.tasks) {
    const Task task = gym.load_task(name);
    mixture.catalog.add(task, prompts);
    texts.push_back(finder_texts(task, prompts.templates_of(task), prompts.description_of(name)));
    mixture.dev.push_back(make_evaluation_task(task, prompts, Split::kDev,
                                               static_cast<size_t>(settings.eval_examples)));
    for (EncodedExample& example : encode_training_examples(
             task, static_cast<int64_t>(mixture.dev.size()) - 1, prompts, encoder, settings)) {
      mixture.examples.push_back(std::move(example));
    }
  }
  mixture.finder = TaskFinder::train(texts);
  spdlog::info("{} training examples", mixture.examples.size());
  return mixture;
}

}  // namespace trivium::learning
