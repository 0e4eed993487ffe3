// The training examples of many tasks, encoded once, in the order a BatchSampler gives.
#pragma once

#include <string>
#include <vector>

#include "learning/settings/train_settings.h"
#include "learning/examples/batch_sampler.h"
#include "core/data/gym.h"
#include "core/data/prompt_template.h"
#include "core/tokenizers/tokenizer.h"
#include "learning/training/example_stream.h"

namespace trivium::learning {

// Renders and encodes the train splits of `tasks`; example.task is the index in `tasks`. With
// data.templates = "all" a task's examples take its templates in turn.
std::vector<EncodedExample> encode_training_examples(const Gym& gym, const PromptLibrary& prompts,
                                                     const std::vector<std::string>& tasks,
                                                     const Tokenizer& tokenizer,
                                                     const TrainSettings& settings);

class MultiTaskStream : public ExampleStream {
 public:
  MultiTaskStream(std::vector<EncodedExample> examples, const SamplerOptions& options,
                  uint64_t seed);
  std::vector<EncodedExample> next_batch() override;
  Json state() const override { return sampler_.state(); }
  void set_state(const Json& state) override { sampler_.set_state(state); }
  const BatchSampler& sampler() const { return sampler_; }
  const std::vector<EncodedExample>& examples() const { return examples_; }

 private:
  std::vector<EncodedExample> examples_;
  BatchSampler sampler_;
};

}  // namespace trivium::learning
