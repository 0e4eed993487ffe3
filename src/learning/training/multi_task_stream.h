// The training examples of many tasks, encoded once, in the order a BatchSampler gives.
#pragma once

#include <string>
#include <vector>

#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "learning/examples/batch_sampler.h"
#include "learning/settings/train_settings.h"
#include "learning/training/example_encoder.h"
#include "learning/training/example_stream.h"

namespace trivium::learning {

// Renders and encodes the train split of a task with its records, the first
// data.examples_per_task of them; example.task is `row`. With data.templates = "all" the examples
// take the task's templates in turn. Adds to `cut`, where given, how many examples were longer than
// the settings' lengths.
std::vector<EncodedExample> encode_training_examples(const Task& task, int64_t row,
                                                     const PromptLibrary& prompts,
                                                     const ExampleEncoder& encoder,
                                                     const TrainSettings& settings,
                                                     size_t* cut = nullptr);
// The same of all `tasks`, whose rows are their places in the list.
std::vector<EncodedExample> encode_training_examples(const Gym& gym, const PromptLibrary& prompts,
                                                     const std::vector<std::string>& tasks,
                                                     const ExampleEncoder& encoder,
                                                     const TrainSettings& settings);

class MultiTaskStream : public ExampleStream {
 public:
  MultiTaskStream(std::vector<EncodedExample> examples, const SamplerOptions& options,
                  uint64_t seed);
  std::vector<EncodedExample> next_batch() override;
  double mean_batch_size() const override { return sampler_.mean_batch_size(); }
  Json state() const override { return sampler_.state(); }
  void set_state(const Json& state) override { sampler_.set_state(state); }
  const BatchSampler& sampler() const { return sampler_; }
  const std::vector<EncodedExample>& examples() const { return examples_; }

 private:
  std::vector<EncodedExample> examples_;
  BatchSampler sampler_;
};

// Of examples that are all of one task: a batch is a draw of `batch_size` of them, however long.
MultiTaskStream one_task_stream(std::vector<EncodedExample> examples, int64_t batch_size,
                                uint64_t seed);

}  // namespace trivium::learning
