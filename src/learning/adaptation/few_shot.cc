#include "learning/adaptation/few_shot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "learning/adaptation/own_experts.h"
#include "learning/model/model_routes.h"
#include "learning/reference/fast_generator.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/trainer.h"
#include "learning/training/tuned_copy.h"

namespace trivium::learning {
namespace {

std::vector<EncodedExample> encode(const std::vector<Example>& examples, const Checkpoint& start,
                                   const FewShotSettings& settings) {
  const ExampleEncoder encoder =
      example_encoder(start, settings.max_source_length, settings.max_target_length);
  std::vector<EncodedExample> encoded;
  for (const Example& example : examples) encoded.push_back(encoder.encode(example, 0));
  return encoded;
}

TaskScore score(const Checkpoint& checkpoint, const EvaluationTask& task,
                const FewShotSettings& settings) {
  Seq2SeqModel model = checkpoint.model;
  model->to(settings.device);
  model->eval();
  TextGenerator generator =
      fast_generator(checkpoint, {.max_source_length = settings.max_source_length});
  Evaluator evaluator(generator, generator.greedy_search(settings.max_target_length),
                      /*resamples=*/0);
  return evaluator.evaluate(task, route_of_task(model, 0, 1.0), settings.mode);
}

// One cell's training: steps, and the weights of the best dev score.
class CellRun {
 public:
  // `checkpoint` is a copy of `start`, and ends with the best weights.
  CellRun(const Checkpoint& start, Checkpoint& checkpoint, const EvaluationTask& dev,
          const FewShotSettings& settings, GridCell& cell)
      : start_(start), checkpoint_(checkpoint), dev_(dev), settings_(settings), cell_(cell) {
    cell_.dev_score = -std::numeric_limits<double>::infinity();
  }

  void run(Trainer& trainer) {
    try {
      train(trainer);
    } catch (const Error& error) {
      // The loss, or the logits of a dev example, are no longer finite: another cell may do better.
      if (error.code() != ExitCode::kDiverged && error.code() != ExitCode::kBadModel) throw;
      cell_.diverged = true;
    }
    if (best_.empty()) {
      checkpoint_.model = copy_of(start_).model;
      keep_if_best(0);
    }
    checkpoint_.model =
        model_from_tensors(checkpoint_.config(), std::move(best_), "the tuned model");
  }

 private:
  void train(Trainer& trainer) {
    const int64_t steps = settings_.optimiser.steps;
    while (trainer.steps_done() < steps) {
      if (settings_.stop != nullptr && settings_.stop->load()) {
        throw Error(ExitCode::kInterrupted, "the tuning was stopped");
      }
      trainer.step();
      const int64_t step = trainer.steps_done();
      if (step % settings_.eval_every == 0 || step == steps) keep_if_best(step);
    }
  }

  void keep_if_best(int64_t step) {
    Checkpoint now = checkpoint_;
    if (settings_.rank > 0) {
      now.model = model_from_tensors(now.config(), merged_tensors(now.model), "the tuned model");
    }
    const double dev_score = score(now, dev_, settings_).score;
    if (!(dev_score > cell_.dev_score)) return;
    cell_.dev_score = dev_score;
    cell_.step = step;
    for (const auto& [name, tensor] : model_tensors(now.model)) {
      best_[name] = tensor.to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
    }
  }

  const Checkpoint& start_;
  Checkpoint& checkpoint_;
  const EvaluationTask& dev_;
  const FewShotSettings& settings_;
  GridCell& cell_;
  NamedTensors best_;
};

SampleResult tune_on_sample(const Checkpoint& start, const FewShotTask& task,
                            const FewShotSample& sample, const FewShotSettings& settings,
                            const SampleDone& on_sample) {
  SampleResult result{sample.seed, sample.train.size(), sample.dev.size(), {}, 0, 0};
  TunedModel best;
  for (const double learning_rate : settings.learning_rates) {
    for (const int64_t batch_size : settings.batch_sizes) {
      TunedModel tuned = tune(start, task, sample, learning_rate, batch_size, settings);
      spdlog::info("{} sample {} lr {} batch {}: dev {:.4f} at step {}{}", task.task.name,
                   sample.seed, learning_rate, batch_size, tuned.cell.dev_score, tuned.cell.step,
                   tuned.cell.diverged ? ", diverged" : "");
      result.cells.push_back(tuned.cell);
      if (result.cells.size() > 1 && !(tuned.cell.dev_score > best.cell.dev_score)) continue;
      result.best = result.cells.size() - 1;
      best = std::move(tuned);
    }
  }
  result.test_score = score(best.checkpoint, task.test, settings).score;
  spdlog::info("{} sample {}: test {:.4f}", task.task.name, sample.seed, result.test_score);
  best.checkpoint.model->to(torch::kCPU);
  if (on_sample) on_sample(result, best.checkpoint);
  return result;
}

}  // namespace

const EnumNames<FewShotPreset>& few_shot_preset_names() {
  static const EnumNames<FewShotPreset> names = {{"quick", FewShotPreset::kQuick},
                                                 {"paper", FewShotPreset::kPaper}};
  return names;
}

FewShotSettings few_shot_settings(FewShotPreset preset) {
  FewShotSettings settings;
  if (preset == FewShotPreset::kPaper) return settings;
  settings.rank = 8;
  settings.learning_rates = {2e-3};
  settings.batch_sizes = {8};
  settings.eval_every = 50;
  settings.optimiser.steps = 100;
  return settings;
}

OptimiserSettings few_shot_optimiser() {
  OptimiserSettings settings;
  settings.steps = 1000;
  settings.warmup = 0.1;
  settings.clip = 0.1;
  settings.weight_decay = 0.01;
  return settings;
}

std::vector<uint64_t> seeds_of(const FewShotTask& task, const FewShotSettings& settings) {
  if (task.task.sample_seed) return {*task.task.sample_seed};
  return settings.seeds;
}

TunedModel tune(const Checkpoint& start, const FewShotTask& task, const FewShotSample& sample,
                double learning_rate, int64_t batch_size, const FewShotSettings& settings) {
  check(!start.model->is_routed() || !start.model->has_router(),
        "a routed model is tuned along a fixed route");
  TunedModel tuned;
  tuned.cell.learning_rate = learning_rate;
  tuned.cell.batch_size = batch_size;
  tuned.checkpoint = copy_of(start);
  if (settings.rank > 0) add_differences(tuned.checkpoint.model, settings.rank, sample.seed);
  tuned.checkpoint.model->to(settings.device);
  TrainerOptions options;
  options.optimiser = settings.optimiser;
  options.optimiser.learning_rate = learning_rate;
  options.optimiser.seed = static_cast<int64_t>(sample.seed);
  options.routes.frozen = true;
  options.device = settings.device;
  MultiTaskStream stream =
      one_task_stream(encode(sample.train, start, settings), batch_size, sample.seed);
  Trainer trainer(tuned.checkpoint, stream, options, /*validator=*/{});
  const EvaluationTask dev = make_evaluation_task(task.task, sample.dev, sample.train);
  CellRun(start, tuned.checkpoint, dev, settings, tuned.cell).run(trainer);
  return tuned;
}

double FewShotResult::mean() const {
  double sum = 0;
  for (const SampleResult& sample : samples) sum += sample.test_score;
  return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

double FewShotResult::deviation() const {
  const double center = mean();
  double sum = 0;
  for (const SampleResult& sample : samples) {
    sum += (sample.test_score - center) * (sample.test_score - center);
  }
  return samples.empty() ? 0 : std::sqrt(sum / static_cast<double>(samples.size()));
}

FewShotResult adapt_to_task(const Checkpoint& start, const FewShotTask& task,
                            const FewShotSettings& settings, const SampleDone& on_sample) {
  check(
      !settings.seeds.empty() && !settings.learning_rates.empty() && !settings.batch_sizes.empty(),
      "a grid has samples and cells");
  FewShotResult result;
  result.task = task.task.name;
  result.family = task.task.family;
  result.metric = task.task.metric;
  for (const uint64_t seed : seeds_of(task, settings)) {
    const FewShotSample sample =
        draw_few_shot_sample(task, settings.per_class, settings.total, seed);
    if (result.samples.empty()) {
      const TaskScore untuned =
          score(start, make_evaluation_task(task.task, task.test.examples, sample.train), settings);
      result.start_score = untuned.score;
      result.majority = untuned.majority;
      result.indistinguishable = untuned.indistinguishable;
      warn_of_indistinguishable(result.task, result.indistinguishable);
    }
    result.samples.push_back(tune_on_sample(start, task, sample, settings, on_sample));
  }
  return result;
}

SampleScores sample_scores(const FewShotResult& result) {
  SampleScores scores{result.task, {}};
  for (const SampleResult& sample : result.samples) scores.scores.push_back(sample.test_score);
  return scores;
}

Json to_json(const FewShotResult& result) {
  Json samples = Json::array();
  for (const SampleResult& sample : result.samples) {
    Json cells = Json::array();
    for (const GridCell& cell : sample.cells) {
      cells.push_back({{"learning_rate", cell.learning_rate},
                       {"batch_size", cell.batch_size},
                       {"dev", cell.dev_score},
                       {"step", cell.step},
                       {"diverged", cell.diverged}});
    }
    samples.push_back({{"seed", sample.seed},
                       {"train", sample.train_examples},
                       {"dev", sample.dev_examples},
                       {"test", sample.test_score},
                       {"best", sample.best},
                       {"cells", cells}});
  }
  return {{"task", result.task},         {"family", result.family},
          {"metric", result.metric},     {"mean", result.mean()},
          {"std", result.deviation()},   {"start", result.start_score},
          {"majority", result.majority}, {"indistinguishable", result.indistinguishable},
          {"samples", samples}};
}

}  // namespace trivium::learning
