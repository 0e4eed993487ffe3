// A toy multi-task training for the tests: task 0 copies its source, task 1 reverses it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/base/temporary_folder.h"
#include "learning/model/random_model.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/trainer.h"

namespace trivium::learning {

// The tokenizer of tests/golden/tiny_bert: 100 word pieces, one a letter or digit.
inline std::shared_ptr<Tokenizer> tiny_tokenizer() {
  return load_tokenizer(std::filesystem::path(TRIVIUM_TEST_DATA) / "tiny_bert");
}

inline ModelConfig toy_config(int64_t num_experts = 3) {
  ModelConfig config = small_config(num_experts);
  const auto tokenizer = tiny_tokenizer();
  config.vocab_size = tokenizer->vocab_size();
  config.pad_token_id = tokenizer->special().pad;
  config.bos_token_id = tokenizer->special().bos;
  config.eos_token_id = tokenizer->special().eos;
  config.decoder_start_token_id = tokenizer->special().eos;
  config.forced_eos_token_id = -1;
  config.init_std = 0.1;
  config.routing.selection = SelectionKind::kGumbelStraightThrough;
  return config;
}

inline Checkpoint toy_checkpoint(const ModelConfig& config = toy_config()) {
  Checkpoint checkpoint;
  checkpoint.model = Seq2SeqModel(config, config.routing.num_experts > 1 ? 2 : 0);
  checkpoint.model->init_weights(3);
  checkpoint.tokenizer = tiny_tokenizer();
  return checkpoint;
}

// A checkpoint that knows the names of its two tasks.
inline Checkpoint named_checkpoint() {
  Checkpoint checkpoint = toy_checkpoint();
  const PromptLibrary prompts(std::filesystem::path(TRIVIUM_SOURCE_DIR) / "prompts");
  for (const char* name : {"sst2", "sst5"}) {
    Task task;
    task.name = name;
    task.family = "sentiment";
    task.inputs = {"text"};
    task.target = "label";
    task.labels = {"negative", "positive"};
    if (task.name == "sst5") {
      task.labels = {"negative", "neutral", "positive", "very negative", "very positive"};
    }
    checkpoint.tasks.add(task, prompts);
  }
  checkpoint.finder = TaskFinder::train({{"sst2", {"a film"}}, {"sst5", {"a play"}}});
  return checkpoint;
}

inline std::vector<EncodedExample> toy_examples(size_t count = 64) {
  Rng rng(17);
  std::vector<EncodedExample> examples;
  for (size_t i = 0; i < count; ++i) {
    EncodedExample example;
    example.task = static_cast<int64_t>(i % 2);
    std::vector<int32_t> ids;
    for (uint64_t n = 2 + rng.below(3); n > 0; --n) {
      ids.push_back(5 + static_cast<int32_t>(rng.below(6)));
    }
    example.source = example.target = {2};
    example.source.insert(example.source.end(), ids.begin(), ids.end());
    if (example.task == 1) std::reverse(ids.begin(), ids.end());
    example.target.insert(example.target.end(), ids.begin(), ids.end());
    example.source.push_back(3);
    example.target.push_back(3);
    examples.push_back(std::move(example));
  }
  return examples;
}

inline std::unique_ptr<MultiTaskStream> toy_stream(Batching batching = Batching::kHeterogeneous) {
  return std::make_unique<MultiTaskStream>(toy_examples(),
                                           SamplerOptions{.batching = batching, .batch_tokens = 96},
                                           /*seed=*/5);
}

inline TrainerOptions toy_options(const std::filesystem::path& output) {
  TrainerOptions options;
  options.optimiser.steps = 12;
  options.optimiser.learning_rate = 3e-3;
  options.optimiser.dropout = 0;
  options.run.output = output.string();
  options.run.log_every = 4;
  options.run.eval_every = 6;
  options.run.save_every = 12;
  return options;
}

// A score that follows from the weights.
inline Trainer::Validator weight_sum(const Checkpoint& checkpoint) {
  return [&checkpoint](double temperature) {
    torch::NoGradGuard no_grad;
    Seq2SeqModel model = checkpoint.model;
    return Validation{model->shared_weight().sum().item<double>() + temperature, ""};
  };
}

// A stream that calls `before` with the number of each batch, from 0, before it is drawn.
class WatchedStream : public ExampleStream {
 public:
  WatchedStream(std::unique_ptr<ExampleStream> stream, std::function<void(int64_t)> before)
      : stream_(std::move(stream)), before_(std::move(before)) {}
  std::vector<EncodedExample> next_batch() override {
    before_(batches_++);
    return stream_->next_batch();
  }
  double mean_batch_size() const override { return stream_->mean_batch_size(); }
  Json state() const override { return stream_->state(); }
  void set_state(const Json& state) override { stream_->set_state(state); }

 private:
  std::unique_ptr<ExampleStream> stream_;
  std::function<void(int64_t)> before_;
  int64_t batches_ = 0;
};

// A file of events without what the clock says: the first field of each is its wall time.
inline std::string events_of(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  std::string events;
  for (size_t at = 0; const auto event = read_tf_record(bytes, at);) events += event->substr(9);
  return events;
}

// Every file beneath `folder` with its bytes; TensorBoard's without their clock, as "events".
inline std::map<std::string, std::string> files_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) {
      std::string& events =
          files[(entry.path().parent_path() / "events").string().substr(folder.string().size())];
      EXPECT_EQ(events, "") << "a second file of events";
      events = events_of(entry.path());
      continue;
    }
    files[std::filesystem::relative(entry.path(), folder).string()] = read_file(entry.path());
  }
  return files;
}

// The names of files that differ or that only one folder has.
inline std::vector<std::string> differing_files(const std::filesystem::path& a,
                                                const std::filesystem::path& b) {
  const auto files_a = files_of(a), files_b = files_of(b);
  std::vector<std::string> names;
  for (const auto& [name, bytes] : files_a) {
    const auto other = files_b.find(name);
    if (other == files_b.end() || other->second != bytes) names.push_back(name);
  }
  for (const auto& [name, bytes] : files_b) {
    if (!files_a.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace trivium::learning
