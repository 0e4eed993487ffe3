#include "learning/adaptation/few_shot_head.h"

#include "core/base/error.h"
#include "core/base/logging.h"
#include "learning/adaptation/new_task.h"

namespace trivium::learning {
namespace {

// The classes of a task's examples as answers, each in the words of its own example.
std::vector<ScoredAnswer> answers_of(const EvaluationTask& scored,
                                     const std::vector<int64_t>& classes,
                                     const std::vector<std::string>& labels) {
  std::vector<ScoredAnswer> answers;
  for (size_t i = 0; i < classes.size(); ++i) {
    const std::vector<std::string>& options = scored.examples[i].options;
    const auto place = static_cast<size_t>(classes[i]);
    answers.push_back({i, {options.size() == labels.size() ? options[place] : labels[place]}, {}});
  }
  return answers;
}

// The cells of the grid; of an encoder that stays as it is they are all one.
std::vector<HeadSettings> cells_of(const FewShotSettings& settings, uint64_t seed) {
  std::vector<HeadSettings> cells;
  for (const double learning_rate : settings.learning_rates) {
    for (const int64_t batch_size : settings.batch_sizes) {
      HeadSettings cell;
      cell.steps = settings.optimiser.steps;
      cell.eval_every = settings.eval_every;
      cell.batch_size = batch_size;
      cell.rank = settings.rank;
      cell.learning_rate = learning_rate;
      cell.max_length = settings.max_source_length;
      cell.seed = seed;
      cell.stop = settings.stop;
      cells.push_back(cell);
      if (cell.steps == 0) return cells;
    }
  }
  return cells;
}

class HeadAdaptation {
 public:
  HeadAdaptation(const Checkpoint& dense, const FewShotTask& task, const FewShotSettings& settings)
      : dense_(dense),
        task_(task),
        settings_(settings),
        entry_(plain_entry(task.task, "", AnswersBy::kHead)) {
    std::vector<const Record*> test;
    for (const Record& record : task.task.records.at(Split::kTest)) {
      if (test.size() < task.test.examples.size()) test.push_back(&record);
    }
    asked_ = labelled_texts(entry_, test).prompts;
  }

  FewShotResult run() {
    FewShotResult result;
    result.task = task_.task.name;
    result.family = task_.task.family;
    result.metric = task_.task.metric;
    for (const uint64_t seed : seeds_of(task_, settings_)) {
      result.samples.push_back(adapt(seed));
      // As all few-shot tuning is scored: with the majority of the first sample's train examples.
      if (result.samples.size() == 1) result.majority = result.start_score = majority_;
    }
    return result;
  }

 private:
  SampleResult adapt(uint64_t seed) {
    const FewShotSample sample =
        draw_few_shot_sample(task_, settings_.per_class, settings_.total, seed);
    const LabelledTexts train = labelled_texts(entry_, sample.train_records);
    const LabelledTexts dev = labelled_texts(entry_, sample.dev_records);
    SampleResult result{seed, sample.train.size(), sample.dev.size(), {}, 0, 0};
    TunedHead best;
    for (const HeadSettings& cell : cells_of(settings_, seed)) {
      TunedHead tuned =
          tune_head(dense_, task_.task.labels, head_parts(task_.task), train, dev, cell);
      result.cells.push_back({.learning_rate = cell.steps > 0 ? cell.learning_rate : 0,
                              .batch_size = cell.steps > 0 ? cell.batch_size : 0,
                              .dev_score = tuned.dev_score,
                              .step = tuned.step});
      spdlog::info("{} sample {}: dev {:.4f} at step {} ({:.4f} with the encoder as it is)",
                   task_.task.name, seed, tuned.dev_score, tuned.step, tuned.frozen_score);
      if (result.cells.size() > 1 && !(tuned.dev_score > best.dev_score)) continue;
      result.best = result.cells.size() - 1;
      best = std::move(tuned);
    }
    const EvaluationTask scored =
        make_evaluation_task(task_.task, task_.test.examples, sample.train);
    const std::vector<int64_t> classes = predict_labels(best, asked_, settings_.max_source_length);
    const TaskScore score = score_answers(scored, answers_of(scored, classes, task_.task.labels));
    result.test_score = score.score;
    majority_ = score.majority;
    spdlog::info("{} sample {}: test {:.4f}", task_.task.name, seed, result.test_score);
    return result;
  }

  const Checkpoint& dense_;
  const FewShotTask& task_;
  const FewShotSettings& settings_;
  TaskEntry entry_;
  std::vector<std::string> asked_;  // the test split's prompts
  double majority_ = 0;             // of the last sample
};

}  // namespace

FewShotResult adapt_head(const Checkpoint& dense, const FewShotTask& task,
                         const FewShotSettings& settings) {
  if (task.task.labels.empty()) {
    throw Error(ExitCode::kUsage,
                "task " + task.task.name + " has no fixed labels, which a head chooses among");
  }
  if (!settings.device.is_cpu()) {
    throw Error(ExitCode::kUsage, "a head is learned on the CPU; leave --device out");
  }
  return HeadAdaptation(dense, task, settings).run();
}

}  // namespace trivium::learning
