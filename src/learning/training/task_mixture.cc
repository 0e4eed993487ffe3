#include "learning/training/task_mixture.h"

#include "core/base/logging.h"
#include "core/data/prompt_template.h"
#include "learning/training/multi_task_stream.h"

namespace trivium::learning {

TaskMixture load_task_mixture(const Gym& gym, const TrainSettings& settings,
                              const Checkpoint& start) {
  return load_task_mixture(
      gym, settings,
      example_encoder(start, settings.max_source_length, settings.max_target_length));
}

TaskMixture load_task_mixture(const Gym& gym, const TrainSettings& settings,
                              const ExampleEncoder& encoder) {
  const PromptLibrary prompts(settings.prompts);
  TaskMixture mixture;
  mixture.tasks = gym.chosen_tasks(settings.part, settings.tasks);
  spdlog::info("reading {} tasks", mixture.tasks.size());
  std::vector<TaskFinder::TaskTexts> texts;
  size_t cut = 0;
  for (const std::string& name : mixture.tasks) {
    const Task task = gym.load_task(name);
    mixture.catalog.add(task, prompts);
    texts.push_back(finder_texts(task, prompts.templates_of(task), prompts.description_of(name)));
    mixture.dev.push_back(make_evaluation_task(task, *mixture.catalog.find(name).prompt,
                                               Split::kDev,
                                               static_cast<size_t>(settings.eval_examples)));
    warn_of_indistinguishable(
        name, indistinguishable_options(mixture.dev.back(), encoder.tokenizer,
                                        static_cast<size_t>(settings.max_target_length)));
    for (EncodedExample& example :
         encode_training_examples(task, static_cast<int64_t>(mixture.dev.size()) - 1, prompts,
                                  encoder, settings, &cut)) {
      mixture.examples.push_back(std::move(example));
    }
  }
  mixture.finder = TaskFinder::train(texts);
  spdlog::info("{} training examples", mixture.examples.size());
  if (cut > 0) {
    spdlog::warn(
        "{} of them are longer than data.max_source_length or data.max_target_length and were cut",
        cut);
  }
  return mixture;
}

}  // namespace trivium::learning
