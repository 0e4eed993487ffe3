#include "learning/training/multi_task_stream.h"

#include <algorithm>

namespace trivium::learning {
namespace {

std::vector<SampleItem> sample_items(const std::vector<EncodedExample>& examples) {
  std::vector<SampleItem> items;
  for (const EncodedExample& example : examples) {
    items.push_back({example.task, static_cast<int64_t>(example.source.size()),
                     static_cast<int64_t>(example.target.size())});
  }
  return items;
}

}  // namespace

std::vector<EncodedExample> encode_training_examples(const Task& task, int64_t row,
                                                     const PromptLibrary& prompts,
                                                     const ExampleEncoder& encoder,
                                                     const TrainSettings& settings, size_t* cut) {
  auto templates = prompts.templates_of(task);
  if (settings.templates == TemplateUse::kFirst) templates.resize(1);
  const std::vector<Record>& records = task.records.at(Split::kTrain);
  const auto limit = static_cast<size_t>(settings.examples_per_task);
  const size_t count = limit > 0 ? std::min(limit, records.size()) : records.size();
  std::vector<EncodedExample> examples;
  for (size_t i = 0; i < count; ++i) {
    const Example rendered = templates[i % templates.size()]->render(task, records[i]);
    bool is_cut = false;
    examples.push_back(encoder.encode(rendered, row, &is_cut));
    if (cut != nullptr) *cut += is_cut;
  }
  return examples;
}

std::vector<EncodedExample> encode_training_examples(const Gym& gym, const PromptLibrary& prompts,
                                                     const std::vector<std::string>& tasks,
                                                     const ExampleEncoder& encoder,
                                                     const TrainSettings& settings) {
  std::vector<EncodedExample> examples;
  for (size_t row = 0; row < tasks.size(); ++row) {
    const Task task = gym.load_task(tasks[row], static_cast<size_t>(settings.examples_per_task));
    for (EncodedExample& example :
         encode_training_examples(task, static_cast<int64_t>(row), prompts, encoder, settings)) {
      examples.push_back(std::move(example));
    }
  }
  return examples;
}

MultiTaskStream::MultiTaskStream(std::vector<EncodedExample> examples,
                                 const SamplerOptions& options, uint64_t seed)
    : examples_(std::move(examples)), sampler_(sample_items(examples_), options, seed) {}

MultiTaskStream one_task_stream(std::vector<EncodedExample> examples, int64_t batch_size,
                                uint64_t seed) {
  return MultiTaskStream(std::move(examples),
                         {.batching = Batching::kHomogeneous,
                          .batch_tokens = int64_t{1} << 40,  // no limit
                          .max_examples = batch_size},
                         seed);
}

std::vector<EncodedExample> MultiTaskStream::next_batch() {
  std::vector<EncodedExample> batch;
  for (size_t index : sampler_.next_batch()) batch.push_back(examples_[index]);
  return batch;
}

}  // namespace trivium::learning
