// trivium classifier: encoders with a head for every task, whose feed-forward experts gates choose.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <optional>

#include "cli/batch/result_file.h"
#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "cli/program/stop_signal.h"
#include "core/analysis/gates_page.h"
#include "core/base/error.h"
#include "core/base/file_lock.h"
#include "core/base/logging.h"
#include "core/base/text.h"
#include "core/base/timing.h"
#include "core/data/gym.h"
#include "core/evaluation/answer_text.h"
#include "core/evaluation/report.h"
#include "learning/commands/commands.h"
#include "learning/processes/join.h"
#include "learning/reference/classifier_gates.h"
#include "learning/reference/classifier_scores.h"
#include "learning/reference/labelled_examples.h"
#include "learning/settings/classifier_settings.h"
#include "learning/training/classifier_training.h"
#include "learning/training/dry_run.h"
#include "learning/training/run_record.h"

namespace trivium::learning {
namespace {

namespace fs = std::filesystem;

constexpr int kResamples = 1000;
constexpr size_t kLabelIds = 512;  // no label is so long

// --- train

struct ClassifierTrainFlags {
  std::string config;
  std::vector<std::string> overrides;
  bool reference = false, resume = false, dry_run = false;
};

// A head tells the labels apart all the same; whoever reads them as text does not.
std::vector<std::vector<std::string>> indistinguishable_labels(const LabelledTaskInfo& task,
                                                               const Tokenizer& tokenizer) {
  if (task.kind == AnswerKind::kChoice) return {};  // its labels are names of fields
  return OptionTexts(tokenizer, task.labels, kLabelIds).indistinguishable();
}

// The train lines of all tasks as ids; the tasks' descriptions are added to `infos`.
std::vector<LabelledExample> read_examples(const ClassifierSettings& settings,
                                           const Tokenizer& tokenizer,
                                           std::vector<LabelledTaskInfo>& infos) {
  const Gym gym(settings.gym);
  std::vector<LabelledExample> examples;
  for (const std::string& name : gym.chosen_tasks("", settings.tasks)) {
    LabelledTask task =
        labelled_task(gym.load_task(name, static_cast<size_t>(settings.examples_per_task)));
    const auto task_row = static_cast<int64_t>(infos.size());
    for (LabelledExample& example : encode_labelled(task.records.at(Split::kTrain), task.info.kind,
                                                    task_row, tokenizer, settings.max_length)) {
      examples.push_back(std::move(example));
    }
    warn_of_indistinguishable(name, indistinguishable_labels(task.info, tokenizer));
    infos.push_back(std::move(task.info));
  }
  spdlog::info("{} training examples of {} tasks", examples.size(), infos.size());
  return examples;
}

int train_to_the_end(ClassifierTrainer& trainer, const ClassifierSettings& settings) {
  const auto start = std::chrono::steady_clock::now();
  int64_t examples_done = 0;
  TrainingLoop::Hooks hooks;
  hooks.after_step = [&](const TrainingLoop::StepResult& result) {
    examples_done += result.examples;
  };
  hooks.log = [&](const TrainingLoop::StepResult& result) {
    spdlog::info("step={} loss={:.4f} gradient_norm={:.3f} examples/s={:.1f}", trainer.steps_done(),
                 result.loss, result.gradient_norm,
                 static_cast<double>(examples_done) / seconds_since(start));
    trainer.watch_routes();
  };
  hooks.save = [&] {
    if (!trainer.done()) trainer.save_snapshot(settings.output);
  };
  if (!trainer.run({settings.log_every, 0, settings.save_every, &cli::stop_requested()}, hooks)) {
    spdlog::warn("stopped at step {}; {} is the model of that step: go on with --resume",
                 trainer.steps_done(), settings.output);
    return static_cast<int>(ExitCode::kStopped);
  }
  trainer.save_finished(settings.output);
  spdlog::info("wrote {}", settings.output);
  return 0;
}

int run_classifier_train(const ClassifierTrainFlags& flags) {
  ClassifierSettings settings;
  if (flags.reference) {
    cli::write_output(settings_reference(settings));
    return 0;
  }
  load_settings(settings, flags.config, flags.overrides);
  cli::check_start(settings.init, "model.init");
  cli::check_output_folder(settings.output, "run.output");
  join_processes(RunsIn::kOne);
  std::optional<FileLock> lock;
  if (!flags.dry_run) lock.emplace(settings.output);
  if (settings.tasks.empty()) throw Error(ExitCode::kConfig, "data.tasks must not be empty");
  if (fs::exists(settings.output) && !flags.resume && !flags.dry_run) {
    throw Error(ExitCode::kExists, settings.output +
                                       " is there; go on with --resume, or choose another "
                                       "run.output");
  }
  if (settings.threads > 0) at::set_num_threads(static_cast<int>(settings.threads));
  cli::watch_stop_signals();
  std::vector<LabelledTaskInfo> tasks;
  std::vector<LabelledExample> examples =
      read_examples(settings, *load_tokenizer(settings.init), tasks);
  ClassifierCheckpoint checkpoint = new_classifier(settings, tasks);
  ClassifierTrainerOptions options = trainer_options(settings);
  std::vector<std::string> names;
  for (const LabelledTaskInfo& task : tasks) names.push_back(task.name);
  options.record = run_record(settings, fingerprint_of(module_tensors(*checkpoint.model)),
                              fingerprint_of(examples, names));
  DryRunData data;
  data.examples = Json::object();
  for (const LabelledExample& example : examples) {
    Json& count = data.examples[names.at(static_cast<size_t>(example.task))];
    count = count.is_null() ? 1 : count.get<int64_t>() + 1;
  }
  ClassifierTrainer trainer(checkpoint, std::move(examples), options);
  if (flags.dry_run) {
    data.batches_in_epoch = trainer.batches_in_epoch();
    data.batch_tokens = options.batch_tokens;
    const Json plan =
        dry_run(trainer, *checkpoint.model, checkpoint.config, options.optimiser, data);
    cli::write_output(plan.dump(2) + "\n");
    return 0;
  }
  if (flags.resume && fs::exists(settings.output)) trainer.resume(settings.output);
  if (trainer.done()) {
    spdlog::info("{} is finished: all of its {} steps are done", settings.output, trainer.steps());
    return 0;
  }
  return train_to_the_end(trainer, settings);
}

// --- eval

struct EvalFlags {
  std::string checkpoint, gym;
  Split split = Split::kTest;
  std::vector<std::string> tasks;
  int64_t limit = 0, max_length = 128;
  bool json = false;
};

std::vector<TaskScore> score_tasks(ClassifierCheckpoint& checkpoint, const EvalFlags& flags) {
  const Gym gym(flags.gym);
  std::vector<std::string> names = flags.tasks;
  if (names.empty()) {
    for (const LabelledTaskInfo& task : checkpoint.tasks) names.push_back(task.name);
  }
  std::vector<TaskScore> scores;
  for (const std::string& name : names) {
    const int64_t row = checkpoint.index_of(name);
    const LabelledTask task = labelled_task(gym.load_task(name, static_cast<size_t>(flags.limit)));
    if (!(task.info == checkpoint.tasks[static_cast<size_t>(row)])) {
      throw Error(ExitCode::kBadData,
                  "the gym's task " + name + " is described otherwise than in training");
    }
    const auto examples = encode_labelled(task.records.at(flags.split), task.info.kind, row,
                                          *checkpoint.tokenizer, flags.max_length);
    scores.push_back(score_classifier(checkpoint, row, examples, task.info.metric,
                                      /*bf16=*/false, kResamples));
    scores.back().indistinguishable = indistinguishable_labels(task.info, *checkpoint.tokenizer);
    warn_of_indistinguishable(name, scores.back().indistinguishable);
  }
  return scores;
}

void run_eval(const EvalFlags& flags) {
  ClassifierCheckpoint checkpoint = load_classifier(flags.checkpoint);
  std::string text;
  if (!flags.json)
    text =
        "| task | metric | score | 95 % interval | examples |\n"
        "| --- | --- | --- | --- | --- |\n";
  for (const TaskScore& score : score_tasks(checkpoint, flags)) {
    if (flags.json) {
      text += to_json_line({{"task", score.task},
                            {"metric", score.metric},
                            {"score", score.score},
                            {"low", score.interval.low},
                            {"high", score.interval.high},
                            {"examples", score.examples},
                            {"indistinguishable", score.indistinguishable}}) +
              "\n";
    } else {
      text +=
          fmt::format("| {} | {} | {:.4f} | {:.4f} to {:.4f} | {} |\n", score.task, score.metric,
                      score.score, score.interval.low, score.interval.high, score.examples);
    }
  }
  cli::write_output(text);
}

// --- gates

struct GatesFlags {
  std::string checkpoint, gym, output;
  std::vector<std::string> texts, tasks;
  int64_t limit = 2, max_length = 128;
  bool overwrite = false;
};

// The texts of the flags, "a" or "a | b", and the first dev lines of the tasks.
std::vector<LabelledExample> texts_for_gates(const ClassifierCheckpoint& checkpoint,
                                             const GatesFlags& flags,
                                             std::vector<std::string>& labels) {
  std::vector<LabelledExample> examples;
  const auto add = [&](const std::vector<LabelledRecord>& records, const std::string& source) {
    for (LabelledExample& example :
         encode_labelled(records, AnswerKind::kLabel, 0, *checkpoint.tokenizer, flags.max_length)) {
      examples.push_back(std::move(example));
    }
    for (const LabelledRecord& record : records) {
      std::string label = record.first.substr(0, 70);
      labels.push_back(source + replace_invalid_utf8(label));
    }
  };
  for (const std::string& text : flags.texts) {
    const size_t bar = text.find(" | ");
    LabelledRecord record;
    record.first = text.substr(0, bar);
    if (bar != std::string::npos) record.second = text.substr(bar + 3);
    add({record}, "");
  }
  if (flags.gym.empty()) return examples;
  const Gym gym(flags.gym);
  for (const LabelledTaskInfo& task : checkpoint.tasks) {
    LabelledTask labelled =
        labelled_task(gym.load_task(task.name, static_cast<size_t>(flags.limit)));
    std::vector<LabelledRecord>& records = labelled.records.at(Split::kDev);
    for (LabelledRecord& record : records) record.word.clear();
    add(records, task.name + ": ");
  }
  return examples;
}

void run_gates(const GatesFlags& flags) {
  ClassifierCheckpoint checkpoint = load_classifier(flags.checkpoint);
  if (!checkpoint.model->has_token_gates()) {
    throw Error(ExitCode::kUsage,
                flags.checkpoint + " has no token gates: its layers have one feed-forward part");
  }
  std::vector<int64_t> rows;
  for (const std::string& name : flags.tasks) rows.push_back(checkpoint.index_of(name));
  for (size_t t = 0; flags.tasks.empty() && t < checkpoint.tasks.size(); ++t) {
    rows.push_back(static_cast<int64_t>(t));
  }
  std::vector<std::string> labels;
  const std::vector<LabelledExample> examples = texts_for_gates(checkpoint, flags, labels);
  std::vector<TextGates> texts;
  for (size_t i = 0; i < examples.size(); ++i) {
    TextGates text{labels[i], {}};
    for (const int64_t row : rows) {
      LabelledExample example = examples[i];
      example.task = row;
      text.maps.push_back(gate_map(checkpoint, example));
    }
    texts.push_back(std::move(text));
  }
  cli::check_ending(flags.output, {".html"}, "--output");
  cli::ResultFile file(flags.output,
                       flags.overwrite ? cli::OldFile::kReplaced : cli::OldFile::kRefused);
  file.write(
      gates_page("Gates of " + fs::path(flags.checkpoint).lexically_normal().string(), texts));
  file.finish();
}

void add_train(CLI::App& classifier, int& status) {
  auto flags = std::make_shared<ClassifierTrainFlags>();
  CLI::App* command =
      classifier.add_subcommand("train", "train one on many tasks from a BERT or MiniLM folder");
  command->add_option("config", flags->config, "settings file (TOML)");
  command->add_option("--set", flags->overrides, "override a setting: key=value")->take_all();
  command->add_flag("--resume", flags->resume, "go on from the snapshot in run.output");
  command->add_flag("--dry-run", flags->dry_run, kDryRunHelp);
  command->add_flag("--settings", flags->reference, "print every setting and its default");
  command->footer(
      "Example:\n  trivium classifier train configs/mt_tag/mt_tag.toml --set "
      "model.init=FOLDER");
  command->callback([flags, &status] {
    if (flags->config.empty() && !flags->reference) {
      throw Error(ExitCode::kUsage, "name a settings file; configs/mt_tag/ has some");
    }
    status = run_classifier_train(*flags);
  });
}

void add_eval(CLI::App& classifier) {
  auto flags = std::make_shared<EvalFlags>();
  CLI::App* command = classifier.add_subcommand("eval", "score one on its tasks");
  command->add_option("--checkpoint", flags->checkpoint, "the classifier's folder")->required();
  command->add_option("--gym", flags->gym, "gym folder: split.json and a folder a task")
      ->required();
  command->add_option("--tasks", flags->tasks, "these tasks only");
  cli::add_choice(*command, "--split", flags->split, scored_split_names(), "records to score");
  command->add_option("--limit", flags->limit, "only the first so many lines of a task; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--max-length", flags->max_length, "ids of a text or pair")
      ->check(CLI::Range(8, 1 << 17))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "a line of JSON a task instead of a table");
  command->footer(
      "Example:\n  trivium classifier eval --checkpoint runs/classifier/mt_tag --gym "
      "../shared/gym");
  command->callback([flags] { run_eval(*flags); });
}

void add_gates(CLI::App& classifier) {
  auto flags = std::make_shared<GatesFlags>();
  CLI::App* command = classifier.add_subcommand(
      "gates", "a page of texts whose tokens are coloured by the experts that gates give them");
  command->add_option("--checkpoint", flags->checkpoint, "the classifier's folder")->required();
  command->add_option("--text", flags->texts, "a text, or a pair \"A | B\"; may be repeated");
  command->add_option("--gym", flags->gym, "gym folder: the first dev lines of every task too");
  command->add_option("--limit", flags->limit, "so many dev lines a task")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--tasks", flags->tasks, "the gates of these tasks only");
  command->add_option("--max-length", flags->max_length, "ids of a text or pair")
      ->check(CLI::Range(8, 1 << 17))
      ->capture_default_str();
  command->add_option("--output,-o", flags->output, "the page (FILE.html)")->required();
  command->add_flag("--overwrite", flags->overwrite, "replace the file where it exists");
  command->footer(
      "Example:\n  trivium classifier gates --checkpoint runs/classifier/mt_tag\n"
      "      --text 'a gorgeous film' --output gates.html");
  command->callback([flags] { run_gates(*flags); });
}

}  // namespace

void add_classifier_command(CLI::App& app, int& status) {
  CLI::App* classifier = app.add_subcommand(
      "classifier", "encoders with a head for every task: train, score and look into them");
  classifier->require_subcommand(1);
  add_train(*classifier, status);
  add_classifier_adapt(*classifier, status);
  add_eval(*classifier);
  add_gates(*classifier);
  classifier->footer(
      "Example:\n  trivium classifier eval --checkpoint runs/classifier/mt_tag --gym "
      "../shared/gym");
}

}  // namespace trivium::learning
