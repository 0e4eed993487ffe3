#include "research/studies/task_level_experiment.h"

#include <chrono>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/logging.h"
#include "core/base/timing.h"
#include "core/evaluation/task_choice.h"
#include "learning/adaptation/start.h"
#include "learning/model/compute.h"
#include "learning/model/model_routes.h"
#include "learning/reference/fixed_route.h"
#include "learning/reference/torch_engine.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/multi_task_training.h"
#include "learning/training/task_vectors.h"
#include "research/studies/kept_settings.h"

namespace trivium::research {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kTextsPerTask = 64;

class Stopwatch {
 public:
  double seconds() const { return seconds_since(start_); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

TaskResult to_result(const EvaluationTask& task, const TaskScore& score) {
  return {task.name, task.family, task.metric, score.score, score.majority};
}

learning::ExampleLengths mean_lengths(const std::vector<learning::EncodedExample>& examples) {
  learning::ExampleLengths sum;
  for (const learning::EncodedExample& example : examples) {
    sum.source += static_cast<double>(example.source.size());
    sum.target += static_cast<double>(example.target.size());
  }
  const auto count = static_cast<double>(examples.size());
  return {sum.source / count, sum.target / count};
}

// How many experts of a pool a method runs for an example: at use, in a training step with a
// backward pass, and in a training step without one.
struct ExpertsRun {
  double inference = 1, training = 1, forward_only = 0;
};
ExpertsRun experts_run(const learning::TrainSettings& settings) {
  using enum learning::RoutePlan;
  const auto all = static_cast<double>(settings.num_experts);
  if (settings.num_experts == 1 || settings.routes == kInstanceRandom) return {};
  if (settings.routes == kAverage) return {all, all, 0};
  if (settings.routes == kTaskRandom) {
    const auto count = static_cast<double>(settings.random_experts);
    return {count, count, 0};
  }
  // Learned routes are used by their main experts.
  if (settings.second_stage.steps > 0) return {1, all, 0};
  if (settings.selection == SelectionKind::kGumbelStraightThrough) {
    return {1, 1, settings.freeze_routes ? 0 : all - 1};
  }
  return {1, all, 0};
}

// The task's test records in the words of each of its templates.
std::vector<EvaluationTask> tests_of_all_templates(const Task& task, const PromptLibrary& prompts,
                                                   size_t limit) {
  std::vector<EvaluationTask> tests;
  for (const auto& prompt : prompts.templates_of(task)) {
    std::vector<Example> examples, train;
    for (const Record& record : task.records.at(Split::kTest)) {
      if (examples.size() < limit) examples.push_back(prompt->render(task, record));
    }
    for (const Record& record : task.records.at(Split::kTrain)) {
      train.push_back(prompt->render(task, record));
    }
    tests.push_back(make_evaluation_task(task, std::move(examples), train));
  }
  return tests;
}

}  // namespace

TaskLevelExperiment::TaskLevelExperiment(const TaskLevelSettings& settings,
                                         const std::atomic<bool>* stop)
    : settings_(settings), stop_(stop), start_(learning::load_checkpoint(settings.init)) {
  if (settings_.methods.empty() || settings_.seeds.empty()) {
    throw Error(ExitCode::kConfig, "experiment.methods and experiment.seeds must not be empty");
  }
  if (start_.model->is_routed()) {
    throw Error(ExitCode::kConfig, settings_.init + " is routed; experiment.init must be dense");
  }
  for (const std::string& method : settings_.methods) methods_.push_back({method, method, {}});
  if (!settings_.tried.empty()) tried_ = read_tried_settings(settings_.tried);
  for (const auto* settings_list : {&methods_, &tried_}) {
    for (const TriedSetting& setting : *settings_list) training_settings(setting, 0);  // readable
  }
}

void TaskLevelExperiment::read_tasks() {
  if (!mixture_.tasks.empty()) return;
  const learning::TrainSettings first =
      training_settings(methods_.front(), settings_.seeds.front());
  const Gym gym(settings_.gym);
  mixture_ = learning::load_task_mixture(gym, first, start_);
  const PromptLibrary prompts(settings_.prompts);
  for (const std::string& task : mixture_.tasks) {
    seen_tests_.push_back(load_evaluation_task(gym, mixture_.catalog, prompts, task, Split::kTest,
                                               static_cast<size_t>(settings_.seen_examples)));
  }
  for (const std::string& task : gym.tasks_of("unseen")) {
    unseen_.push_back(learning::load_few_shot_task(gym, prompts, task,
                                                   static_cast<size_t>(settings_.unseen_examples)));
  }
  make_task_vectors(gym, prompts, first);
}

fs::path TaskLevelExperiment::vectors_file() const {
  return fs::path(settings_.output) / "task_vectors.safetensors";
}

void TaskLevelExperiment::make_task_vectors(const Gym& gym, const PromptLibrary& prompts,
                                            const learning::TrainSettings& settings) {
  std::vector<std::string> names;
  for (const learning::FewShotTask& task : unseen_) names.push_back(task.task.name);
  // Each task's first texts are all that its vector is made of.
  std::vector<learning::EncodedExample> examples;
  std::vector<int64_t> counts(mixture_.tasks.size());
  for (const learning::EncodedExample& example : mixture_.examples) {
    if (counts.at(example.task)++ < kTextsPerTask) examples.push_back(example);
  }
  learning::TrainSettings few = settings;
  if (few.examples_per_task == 0 || few.examples_per_task > kTextsPerTask) {
    few.examples_per_task = kTextsPerTask;
  }
  for (learning::EncodedExample& example : learning::encode_training_examples(
           gym, prompts, names,
           learning::example_encoder(start_, few.max_source_length, few.max_target_length), few)) {
    example.task += static_cast<int64_t>(mixture_.tasks.size());
    examples.push_back(std::move(example));
  }
  learning::TaskVectors vectors{mixture_.tasks, {}};
  vectors.tasks.insert(vectors.tasks.end(), names.begin(), names.end());
  vectors.vectors = learning::text_task_vectors(
      start_.model, examples, static_cast<int64_t>(vectors.tasks.size()), kTextsPerTask);
  fs::create_directories(settings_.output);
  learning::save_task_vectors(vectors, vectors_file());
  unseen_vectors_ = vectors.rows_of(names, vectors_file().string());
}

learning::TrainSettings TaskLevelExperiment::training_settings(const TriedSetting& setting,
                                                               int64_t seed) const {
  const fs::path file = fs::path(settings_.methods_folder) / (setting.method + ".toml");
  std::vector<std::string> overrides = settings_.overrides;
  overrides.insert(overrides.end(), setting.overrides.begin(), setting.overrides.end());
  learning::TrainSettings own, settings;
  load_settings(own, file, {});
  load_settings(settings, file, overrides);
  // Overrides shorten a second stage; they give none to a method that has one stage.
  if (own.second_stage.steps == 0) settings.second_stage = {};
  settings.init = settings_.init;
  settings.gym = settings_.gym;
  settings.prompts = settings_.prompts;
  settings.optimiser.seed = seed;
  settings.optimiser.threads = settings_.threads;
  settings.run.output = run_folder(setting.name, seed).string();
  if (settings.task_vector_source() == learning::TaskVectorSource::kText) {
    settings.task_vectors = vectors_file().string();
  }
  return settings;
}

fs::path TaskLevelExperiment::run_folder(const std::string& name, int64_t seed) const {
  return fs::path(settings_.output) / (name + "-" + std::to_string(seed));
}

void TaskLevelExperiment::note_settings(const fs::path& folder,
                                        learning::TrainSettings training) const {
  TaskLevelSettings scoring = settings_;
  // What else is trained, with what, and where, is not what this folder's results come from.
  for (auto* names : {&scoring.methods, &scoring.overrides}) names->clear();
  for (auto* place : {&scoring.methods_folder, &scoring.plan, &scoring.tried, &scoring.output,
                      &training.run.output}) {
    place->clear();
  }
  scoring.seeds.clear();
  scoring.threads = training.optimiser.threads = 0;
  if (training.task_vectors == vectors_file()) training.task_vectors = "text";
  keep_settings(folder / "settings.txt",
                settings_to_toml(scoring) + "\n" + settings_to_toml(training));
}

bool TaskLevelExperiment::run() {
  runs_.clear();
  const std::optional<MethodRun> direct = run_direct();
  if (!direct) return false;
  runs_.push_back(*direct);
  for (const auto* settings_list : {&methods_, &tried_}) {
    for (const TriedSetting& setting : *settings_list) {
      for (const int64_t seed : settings_.seeds) {
        const auto run = run_setting(setting, seed, /*seen_only=*/settings_list == &tried_);
        if (!run) return false;
        runs_.push_back(*run);
      }
    }
  }
  return true;
}

learning::Checkpoint TaskLevelExperiment::trained(const std::string& method) const {
  return learning::load_checkpoint(run_folder(method, settings_.seeds.front()) / "last");
}

std::optional<MethodRun> TaskLevelExperiment::run_setting(const TriedSetting& setting, int64_t seed,
                                                          bool seen_only) {
  const fs::path folder = run_folder(setting.name, seed), results = folder / "results.json";
  const learning::TrainSettings settings = training_settings(setting, seed);
  note_settings(folder, settings);
  if (fs::exists(results)) return method_run_from_json(read_json_file(results), results.string());
  read_tasks();
  spdlog::info("{}, seed {}: training", setting.name, seed);
  MethodRun run;
  run.method = setting.name;
  run.seed = seed;
  const bool begun = fs::exists(folder / "last") || fs::exists(folder / "first_stage" / "last");
  const Stopwatch training;
  if (!learning::train_on_mixture(start_, mixture_, settings, {torch::kCPU, stop_, begun}))
    return {};
  run.training_seconds = training.seconds();
  learning::Checkpoint trained = learning::load_checkpoint(folder / "last");
  trained.model->eval();
  const learning::ExampleLengths lengths = mean_lengths(mixture_.examples);
  const ExpertsRun experts = experts_run(settings);
  run.training_flops =
      learning::training_flops(trained.config(), lengths, experts.training, experts.forward_only);
  run.inference_flops = learning::forward_flops(trained.config(), lengths, experts.inference);
  score_seen(trained, settings, run);
  if (!seen_only && !score_unseen(trained, settings, run)) return {};
  write_file_atomically(results, to_json(run).dump(1) + "\n");
  return run;
}

// The start itself, with no multi-task training: what few-shot gains are relative to.
std::optional<MethodRun> TaskLevelExperiment::run_direct() {
  const fs::path folder = run_folder(kDirect, settings_.seeds.front());
  const fs::path results = folder / "results.json";
  const learning::TrainSettings settings =
      training_settings(methods_.front(), settings_.seeds.front());
  learning::TrainSettings used;  // all that tuning takes of the first method's settings
  used.max_source_length = settings.max_source_length;
  used.max_target_length = settings.max_target_length;
  used.optimiser.dropout = settings.optimiser.dropout;
  used.optimiser.label_smoothing = settings.optimiser.label_smoothing;
  used.optimiser.loss = settings.optimiser.loss;
  note_settings(folder, used);
  if (fs::exists(results)) return method_run_from_json(read_json_file(results), results.string());
  read_tasks();
  MethodRun run;
  run.method = kDirect;
  run.seed = settings_.seeds.front();
  start_.model->eval();
  if (!score_unseen(start_, settings, run)) return {};
  write_file_atomically(results, to_json(run).dump(1) + "\n");
  return run;
}

bool TaskLevelExperiment::score_unseen(const learning::Checkpoint& trained,
                                       const learning::TrainSettings& settings,
                                       MethodRun& run) const {
  const auto stopped = [&] { return stop_ != nullptr && stop_->load(); };
  score_zero_shot(trained, settings, run);
  try {
    if (!stopped()) tune_few_shot(trained, settings, run);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kInterrupted) throw;
  }
  return !stopped();
}

void TaskLevelExperiment::score_seen(const learning::Checkpoint& trained,
                                     const learning::TrainSettings& settings,
                                     MethodRun& run) const {
  TextGenerator generator =
      learning::torch_generator(trained.model, trained.tokenizer,
                                {.max_source_length = settings.max_source_length, .stop = stop_});
  Evaluator evaluator(generator, generator.greedy_search(settings.max_target_length),
                      /*resamples=*/0);
  learning::Seq2SeqModel model = trained.model;
  for (size_t t = 0; t < seen_tests_.size(); ++t) {
    TaskRoute route = learning::route_of_task(model, static_cast<int64_t>(t),
                                              trained.config().routing.selection_temperature);
    if (settings.routes == learning::RoutePlan::kLearned) route = main_experts_only(route);
    run.seen.push_back(to_result(
        seen_tests_[t], evaluator.evaluate(seen_tests_[t], route, EvaluationMode::kGeneration)));
  }
}

TaskRoute TaskLevelExperiment::unseen_route(const learning::Checkpoint& trained,
                                            const learning::TrainSettings& settings, int64_t seed,
                                            size_t task) const {
  using enum learning::RoutePlan;
  learning::Seq2SeqModel model = trained.model;
  const double temperature = trained.config().routing.selection_temperature;
  if (!model->is_routed()) return learning::route_of_task(model, 0, temperature);
  if (settings.routes == kAverage) return learning::average_route(trained.config());
  if (settings.routes == kInstanceRandom) return learning::route_of_task(model, 0, temperature);
  if (settings.routes == kTaskRandom) {
    return learning::random_route(trained.config(), static_cast<uint64_t>(seed) * 1000 + task,
                                  settings.random_experts);
  }
  if (settings.task_vector_source() == learning::TaskVectorSource::kFile) {
    return main_experts_only(
        learning::route_of_vector(model, unseen_vectors_[static_cast<int64_t>(task)], temperature));
  }
  // Learned vectors: an unseen task has none.
  const RouteChoice choice = choose_route(trained.tasks, trained.finder, unseen_[task].task.name,
                                          unseen_[task].test.train_inputs);
  return main_experts_only(learning::route_of_task(model, choice.row, temperature));
}

void TaskLevelExperiment::score_zero_shot(const learning::Checkpoint& trained,
                                          const learning::TrainSettings& settings,
                                          MethodRun& run) const {
  TextGenerator generator =
      learning::torch_generator(trained.model, trained.tokenizer,
                                {.max_source_length = settings.max_source_length, .stop = stop_});
  Evaluator evaluator(generator, generator.greedy_search(settings.max_target_length),
                      /*resamples=*/0);
  const PromptLibrary prompts(settings_.prompts);
  for (size_t t = 0; t < unseen_.size(); ++t) {
    const EvaluationTask& test = unseen_[t].test;
    const TaskRoute route = unseen_route(trained, settings, run.seed, t);
    run.zero_shot.push_back(
        to_result(test, evaluator.evaluate(test, route, EvaluationMode::kGeneration)));
    if (!has_options(test)) continue;
    run.zero_shot_ranked.push_back(
        to_result(test, evaluator.evaluate(test, route, EvaluationMode::kRanking)));
    if (!settings_.templates) continue;
    TemplateScores scores{test.name, {}};
    for (const EvaluationTask& version :
         tests_of_all_templates(unseen_[t].task, prompts, test.examples.size())) {
      scores.scores.push_back(evaluator.evaluate(version, route, EvaluationMode::kRanking).score);
    }
    run.templates.push_back(std::move(scores));
  }
}

void TaskLevelExperiment::tune_few_shot(const learning::Checkpoint& trained,
                                        const learning::TrainSettings& settings,
                                        MethodRun& run) const {
  if (settings_.samples.empty()) return;
  learning::FewShotSettings few_shot;
  few_shot.seeds.assign(settings_.samples.begin(), settings_.samples.end());
  few_shot.learning_rates = settings_.learning_rates;
  few_shot.batch_sizes = settings_.batch_sizes;
  few_shot.eval_every = settings_.eval_every;
  few_shot.max_source_length = settings.max_source_length;
  few_shot.max_target_length = settings.max_target_length;
  few_shot.optimiser.steps = settings_.steps;
  few_shot.optimiser.precision = settings_.precision;
  few_shot.optimiser.dropout = settings.optimiser.dropout;
  few_shot.optimiser.label_smoothing = settings.optimiser.label_smoothing;
  few_shot.optimiser.loss = settings.optimiser.loss;
  few_shot.stop = stop_;
  for (size_t t = 0; t < unseen_.size(); ++t) {
    learning::Checkpoint start = trained;
    if (trained.model->is_routed()) {
      const TaskRoute route = unseen_route(trained, settings, run.seed, t);
      // A single expert a layer is a dense model.
      start = route == main_experts_only(route) ? learning::squeeze(trained, route)
                                                : learning::with_fixed_route(trained, route);
    }
    know_only(start, unseen_[t].entry);
    const learning::FewShotResult result = learning::adapt_to_task(start, unseen_[t], few_shot);
    spdlog::info("{}: {} few-shot {:.4f}", run.method, result.task, result.mean());
    run.few_shot.push_back({result.task, result.family, learning::sample_scores(result).scores});
  }
}

}  // namespace trivium::research
