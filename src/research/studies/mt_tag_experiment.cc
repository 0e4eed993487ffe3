#include "research/studies/mt_tag_experiment.h"

#include <algorithm>
#include <chrono>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/logging.h"
#include "core/base/rng.h"
#include "core/base/timing.h"
#include "learning/adaptation/gate_reuse.h"
#include "learning/examples/perturbation.h"
#include "learning/reference/classifier_scores.h"
#include "learning/reference/labelled_examples.h"
#include "research/studies/kept_settings.h"

namespace trivium::research {
namespace {

namespace fs = std::filesystem;

constexpr size_t kExamplesOfUse = 100;  // of a count of the experts' tokens

template <typename T>
std::vector<T> first_of(const std::vector<T>& items, int64_t limit) {
  if (limit <= 0 || static_cast<size_t>(limit) >= items.size()) return items;
  return {items.begin(), items.begin() + limit};
}

// The records of the first `limit` lines: a ranking's line is several records of one group.
std::vector<learning::LabelledRecord> first_lines(
    const std::vector<learning::LabelledRecord>& records, int64_t limit) {
  std::vector<learning::LabelledRecord> kept;
  int64_t lines = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    if (i == 0 || records[i].group != records[i - 1].group) ++lines;
    if (limit > 0 && lines > limit) break;
    kept.push_back(records[i]);
  }
  return kept;
}

// `limit` lines drawn by a fixed seed; all for 0.
std::vector<learning::LabelledExample> drawn_lines(
    const std::vector<learning::LabelledExample>& examples, int64_t limit) {
  std::vector<std::vector<learning::LabelledExample>> lines;
  for (const learning::LabelledExample& example : examples) {
    if (lines.empty() || lines.back().front().group != example.group) lines.emplace_back();
    lines.back().push_back(example);
  }
  if (limit <= 0 || static_cast<size_t>(limit) >= lines.size()) return examples;
  Rng rng(0);
  rng.shuffle(lines);
  std::vector<learning::LabelledExample> drawn;
  for (int64_t i = 0; i < limit; ++i) {
    const auto& line = lines[static_cast<size_t>(i)];
    drawn.insert(drawn.end(), line.begin(), line.end());
  }
  return drawn;
}

void write_run(const MtTagRun& run, const fs::path& folder) {
  fs::create_directories(folder);
  write_file_atomically(folder / "results.json", to_json(run).dump(1) + "\n");
}

}  // namespace

MtTagExperiment::MtTagExperiment(const MtTagSettings& settings, const std::atomic<bool>* stop)
    : settings_(settings),
      stop_(stop),
      gym_(settings.gym),
      plan_(read_mt_tag_plan(settings.plan)),
      tables_(mt_tag_tables(plan_, settings)),
      variants_(mt_tag_variants(plan_, tables_)),
      tokenizer_(load_tokenizer(settings.init)) {
  if (settings.seeds.empty() || settings.training_seeds.empty()) {
    throw Error(ExitCode::kConfig,
                "fine_tune.seeds and experiment.training_seeds must not be empty");
  }
  for (const MtTagVariant& variant : variants_) training_settings(variant, 0);  // readable
}

const MtTagExperiment::TaskData& MtTagExperiment::data_of(const std::string& name) {
  const auto known = data_.find(name);
  if (known != data_.end()) return known->second;
  const learning::LabelledTask task = learning::labelled_task(gym_.load_task(name));
  const auto encode = [&](const std::vector<learning::LabelledRecord>& records) {
    return learning::encode_labelled(records, task.info.kind, 0, *tokenizer_, settings_.max_length);
  };
  TaskData data{task.info,
                encode(task.records.at(Split::kTrain)),
                encode(first_lines(task.records.at(Split::kDev), settings_.dev_examples)),
                {}};
  const std::vector<learning::LabelledRecord> test =
      first_lines(task.records.at(Split::kTest), settings_.test_examples);
  data.test[""] = encode(test);
  for (const std::string& change : learning::perturbation_names()) {
    std::vector<learning::LabelledRecord> changed;
    for (const learning::LabelledRecord& record : test) {
      changed.push_back(learning::perturbed(record, learning::perturbation(change)));
    }
    data.test[change] = encode(changed);
  }
  return data_.emplace(name, std::move(data)).first->second;
}

learning::ClassifierSettings MtTagExperiment::training_settings(const MtTagVariant& variant,
                                                                int64_t seed) const {
  learning::ClassifierSettings settings;
  std::vector<std::string> overrides = settings_.overrides;
  overrides.insert(overrides.end(), variant.overrides.begin(), variant.overrides.end());
  load_settings(settings, fs::path(settings_.methods_folder) / (variant.method + ".toml"),
                overrides);
  settings.init = settings_.init;
  settings.max_length = settings_.max_length;
  settings.seed = seed;
  return settings;
}

fs::path MtTagExperiment::folder_of(const MtTagRun& run) const {
  return fs::path(settings_.output) / run.variant / ("seed" + std::to_string(run.training_seed));
}

void MtTagExperiment::check_settings(const MtTagVariant& variant, const MtTagRun& run) const {
  // Which tables and seeds are asked for, and where it runs, changes no single result. What the
  // plan says of a variant is in its training's settings.
  MtTagSettings own = settings_;
  own.tables = own.gates = own.scales = own.overrides = {};
  own.layers = own.experts = own.seeds = own.training_seeds = {};
  own.threads = 0;
  own.output = own.gym = own.methods_folder = own.plan = "";
  learning::ClassifierSettings training = training_settings(variant, run.training_seed);
  training.threads = 0;
  training.gym = training.output = "";
  training.log_every = training.save_every = 1;
  keep_settings(folder_of(run) / "settings.toml",
                settings_to_toml(own) + "\n" + settings_to_toml(training));
}

bool MtTagExperiment::train(const learning::ClassifierSettings& settings,
                            const fs::path& unfinished, learning::ClassifierCheckpoint& model,
                            MtTagRun& run) {
  std::vector<learning::LabelledExample> examples;
  for (size_t t = 0; t < settings.tasks.size(); ++t) {
    for (learning::LabelledExample example :
         first_of(data_of(settings.tasks[t]).train, settings.examples_per_task)) {
      example.task = static_cast<int64_t>(t);
      examples.push_back(std::move(example));
    }
  }
  learning::ClassifierTrainer trainer(model, std::move(examples),
                                      learning::trainer_options(settings));
  if (fs::exists(unfinished)) {
    trainer.resume(unfinished);
    spdlog::info("{} goes on from step {}", run.variant, trainer.steps_done());
  }
  const double seconds_before = run.training_seconds;
  const auto start = std::chrono::steady_clock::now();
  const auto save = [&] {
    run.training_seconds = seconds_before + seconds_since(start);
    write_run(run, unfinished.parent_path());
    trainer.save_snapshot(unfinished);
  };
  learning::TrainingLoop::Hooks hooks;
  hooks.after_step = [&](const learning::TrainingLoop::StepResult& result) {
    run.training_examples += result.examples;
  };
  hooks.log = [&](const learning::TrainingLoop::StepResult& result) {
    spdlog::info(
        "{} step {} of {}: loss {:.4f}, {:.1f} examples/s", run.variant, trainer.steps_done(),
        trainer.steps(), result.loss,
        static_cast<double>(run.training_examples) / (seconds_before + seconds_since(start)));
  };
  hooks.save = [&] {
    if (!trainer.done()) save();
  };
  if (!trainer.run({settings.log_every, 0, settings.save_every, stop_}, hooks)) return false;
  run.training_steps = trainer.steps();
  run.last_loss = trainer.last_loss();
  run.training_seconds = seconds_before + seconds_since(start);
  return true;
}

void MtTagExperiment::count_use(learning::ClassifierCheckpoint& model, MtTagRun& run) {
  if (!model.model->has_token_gates()) return;
  model.model->eval();
  for (size_t t = 0; t < model.tasks.size(); ++t) {
    std::vector<learning::LabelledExample> examples =
        first_of(data_of(model.tasks[t].name).dev, static_cast<int64_t>(kExamplesOfUse));
    for (learning::LabelledExample& example : examples) example.task = static_cast<int64_t>(t);
    run.use[model.tasks[t].name] =
        learning::expert_use(model.model, examples, model.config.pad_token_id);
  }
}

std::optional<learning::ClassifierCheckpoint> MtTagExperiment::multi_task_model(
    const MtTagVariant& variant, MtTagRun& run) {
  const fs::path kept = folder_of(run) / "multi_task";
  if (fs::exists(kept)) return learning::load_classifier(kept);
  const learning::ClassifierSettings settings = training_settings(variant, run.training_seed);
  std::vector<learning::LabelledTaskInfo> tasks;
  for (const std::string& task : settings.tasks) tasks.push_back(data_of(task).info);
  learning::ClassifierCheckpoint model = learning::new_classifier(settings, tasks);
  const fs::path unfinished = folder_of(run) / "unfinished";
  if (!fs::exists(unfinished)) {
    run.training_examples = 0;
    run.training_seconds = 0;
  }
  if (!train(settings, unfinished, model, run)) return std::nullopt;
  count_use(model, run);
  learning::save_classifier(model, kept);
  write_run(run, folder_of(run));
  fs::remove_all(unfinished);
  return model;
}

std::optional<int64_t> MtTagExperiment::gate_row(const learning::ClassifierCheckpoint& model,
                                                 const FineTuneJob& job) {
  return learning::gate_row(model, job.task, job.gates, settings_.init,
                            [&](const std::string& task, const Tokenizer&) {
                              return first_of(data_of(task).train, learning::kTextsOfAVector);
                            });
}

std::vector<std::string> MtTagExperiment::perturbations_of(const FineTuneJob& job) const {
  std::vector<std::string> changes = {""};
  for (const ResultTable& table : tables_) {
    for (const TableColumn& column : table.columns) {
      if (column.perturbation.empty() ||
          std::find(column.jobs.begin(), column.jobs.end(), job) == column.jobs.end() ||
          std::find(changes.begin(), changes.end(), column.perturbation) != changes.end()) {
        continue;
      }
      changes.push_back(column.perturbation);
    }
  }
  return changes;
}

learning::FineTuneData MtTagExperiment::fine_tune_data(const FineTuneJob& job) {
  const TaskData& data = data_of(job.task);
  const int64_t lines = job.examples > 0 ? job.examples : settings_.examples_per_task;
  return {drawn_lines(data.train, lines), data.dev, plan_.metric_of(job.task)};
}

bool MtTagExperiment::run_job(const MtTagVariant& variant, const FineTuneJob& job, int64_t seed,
                              std::optional<learning::ClassifierCheckpoint>& model, MtTagRun& run) {
  const std::vector<std::string> changes = perturbations_of(job);
  const auto known = std::find_if(run.runs.begin(), run.runs.end(), [&](const FineTuneRun& done) {
    return done.job == job.key() && done.seed == seed;
  });
  if (known != run.runs.end()) {
    if (known->metric == plan_.metric_of(job.task) &&
        std::all_of(changes.begin(), changes.end(),
                    [&](const std::string& change) { return known->answers.contains(change); })) {
      return true;
    }
    run.runs.erase(known);
  }
  if (!model) model = multi_task_model(variant, run);
  if (!model) return false;
  const TaskData& data = data_of(job.task);
  const std::optional<int64_t> row = gate_row(*model, job);
  learning::ClassifierCheckpoint tuned =
      learning::single_task_copy(*model, data.info, row, static_cast<uint64_t>(seed));
  const learning::FineTuneData examples = fine_tune_data(job);
  const learning::ClassifierStepSettings& step = settings_.fine_tune;
  const auto result =
      learning::fine_tune(tuned, examples,
                          {step.optimiser(0, static_cast<uint64_t>(seed)), step.batch_tokens,
                           step.batch_examples, learning::TaskShares::kNatural, 0},
                          settings_.epochs, stop_);
  if (!result) return false;
  FineTuneRun done{job.key(),
                   job.task,
                   examples.metric,
                   seed,
                   result->dev_score,
                   result->best_epoch,
                   row ? model->tasks.at(static_cast<size_t>(*row)).name : "",
                   {}};
  for (const std::string& change : changes) {
    const TaskScore score = learning::score_classifier(
        tuned, 0, data.test.at(change), examples.metric,
        step.precision == learning::Precision::kBfloat16, /*resamples=*/0);
    std::vector<std::string> golds;
    for (const ScoredAnswer& item : score.items) {
      done.answers[change].push_back(item.answers.at(0));
      golds.push_back(item.golds.at(0));
    }
    if (change.empty()) {
      run.golds[job.task] = golds;
      spdlog::info("{} seed {}, {} seed {}: dev {:.4f} (epoch {}), test {:.4f}", variant.name,
                   run.training_seed, job.key(), seed, result->dev_score, result->best_epoch,
                   score.score);
    }
  }
  run.runs.push_back(std::move(done));
  write_run(run, folder_of(run));
  return true;
}

bool MtTagExperiment::run_variant(const MtTagVariant& variant, int64_t training_seed) {
  MtTagRun run;
  run.variant = variant.name;
  run.training_seed = training_seed;
  const fs::path results = folder_of(run) / "results.json";
  check_settings(variant, run);
  if (fs::exists(results)) run = mt_tag_run_from_json(read_json_file(results), results.string());
  std::optional<learning::ClassifierCheckpoint> model;
  for (const FineTuneJob& job : variant.jobs) {
    if (!variant.multi_task) {
      // Each task starts from the encoder as it is.
      learning::ClassifierSettings settings = training_settings(variant, training_seed);
      model = learning::new_classifier(settings, {data_of(job.task).info});
    }
    for (const int64_t seed : settings_.seeds) {
      if (!run_job(variant, job, seed, model, run)) return false;
    }
  }
  runs_.push_back(std::move(run));
  return true;
}

bool MtTagExperiment::run() {
  runs_.clear();
  for (const MtTagVariant& variant : variants_) {
    for (const int64_t seed : settings_.training_seeds) {
      if (!run_variant(variant, seed)) return false;
      if (!variant.multi_task) break;
    }
  }
  return true;
}

}  // namespace trivium::research
