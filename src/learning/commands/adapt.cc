// trivium adapt: few-shot tuning on tasks that a checkpoint does not know.
#include <memory>
#include <optional>

#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/model_flags.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/file_lock.h"
#include "core/base/logging.h"
#include "core/evaluation/arg.h"
#include "learning/adaptation/few_shot.h"
#include "learning/adaptation/few_shot_head.h"
#include "learning/adaptation/new_task.h"
#include "learning/adaptation/start.h"
#include "learning/commands/commands.h"
#include "learning/model/device.h"
#include "learning/processes/join.h"
#include "learning/training/task_vectors.h"

namespace trivium::learning {
namespace {

constexpr const char* kAdaptFooter =
    "Draws data samples of 16 examples a label (32 in all where labels are not fixed) from the\n"
    "task's train split, and as many to choose by; tunes on each with every learning rate and\n"
    "batch size; and scores the best by them on the task's test split. What is tuned is, where\n"
    "labels are fixed, a head over the encoder's sentence vectors with differences of the "
    "encoder;\n"
    "else, and with --answers-by decoder, what the model writes. A routed checkpoint starts\n"
    "from the route of the nearest known task (routed), the same experts as one dense model\n"
    "(squeezed), all experts alike (averaged) or one random expert a layer (random); frozen\n"
    "leaves the model as it is and learns a logistic regression over its encoder's sentence\n"
    "vectors, which tuning has to beat. A task of CrossFit's files is tuned on the sample that "
    "they\n"
    "are.\n"
    "docs/data.md has every form of --gym.\n"
    "Examples:\n"
    "  trivium adapt checkpoints/trivium-small --gym ../shared/gym --task cb --samples 1\n"
    "  trivium adapt checkpoints/trivium-small --gym mine.csv --task mine --samples 1";

struct AdaptFlags {
  std::string checkpoint, gym, start, vectors, base, bars, device = "cpu";
  std::optional<std::string> output;
  std::vector<std::string> tasks;
  int64_t samples = 5, test_limit = 0;
  uint64_t random_seed = 42;
  int threads = 0;
  bool json = false;
  FewShotPreset preset = FewShotPreset::kQuick;
  std::optional<AnswersBy> answers;
  // What is given instead of the preset's.
  std::optional<int64_t> steps, eval_every, rank;
  std::vector<double> learning_rates;
  std::vector<int64_t> batch_sizes;
  FewShotSettings settings;  // everything else
};

// The settings that the flags ask for.
FewShotSettings settings_of(const AdaptFlags& flags) {
  const FewShotSettings preset = few_shot_settings(flags.preset);
  FewShotSettings settings = flags.settings;
  settings.optimiser.steps = flags.steps.value_or(preset.optimiser.steps);
  settings.eval_every = flags.eval_every.value_or(preset.eval_every);
  settings.rank = flags.rank.value_or(preset.rank);
  settings.learning_rates =
      flags.learning_rates.empty() ? preset.learning_rates : flags.learning_rates;
  settings.batch_sizes = flags.batch_sizes.empty() ? preset.batch_sizes : flags.batch_sizes;
  return settings;
}

// The scores in what an earlier `adapt --json` printed.
MethodScores read_scores(const std::string& path) {
  const Json json = read_json_file(path);
  MethodScores scores{json_get<std::string>(json, "name", path), {}};
  for (const Json& task : json_get<std::vector<Json>>(json, "tasks", path)) {
    SampleScores samples{json_get<std::string>(task, "task", path), {}};
    for (const Json& sample : json_get<std::vector<Json>>(task, "samples", path)) {
      samples.scores.push_back(json_get<double>(sample, "test", path));
    }
    if (samples.scores.empty()) {
      throw Error(ExitCode::kBadData, path + ": task " + samples.task + " has no samples");
    }
    scores.tasks.push_back(std::move(samples));
  }
  return scores;
}

// What is tuned: a routed checkpoint keeps its pools where all weights are.
StartKind start_of(const AdaptFlags& flags, const Checkpoint& checkpoint) {
  const bool is_low_rank = flags.settings.rank > 0;
  const bool is_routed = checkpoint.model->is_routed();
  if (flags.start.empty()) {
    return !is_routed ? StartKind::kDense : is_low_rank ? StartKind::kSqueezed : StartKind::kRouted;
  }
  const StartKind kind = start_kind(flags.start);
  if (is_low_rank && is_routed && kind != StartKind::kSqueezed && kind != StartKind::kFrozen) {
    throw Error(ExitCode::kUsage, "differences are tuned of a dense start: leave --start " +
                                      flags.start + " out, or give --preset paper or --rank 0");
  }
  return kind;
}

class Adaptation {
 public:
  explicit Adaptation(AdaptFlags flags)
      : flags_(std::move(flags)),
        gym_(flags_.gym),
        prompts_(cli::prompts_folder()),
        checkpoint_(checked(flags_, gym_)) {
    if (!flags_.base.empty()) base_ = read_scores(flags_.base);
    flags_.settings = settings_of(flags_);
    kind_ = start_of(flags_, checkpoint_);
    method_.name = flags_.checkpoint + ", " + name_of(kind_) + ", few-shot";
    flags_.settings.seeds.resize(static_cast<size_t>(flags_.samples));
    flags_.settings.device = parse_device(flags_.device);
    flags_.settings.stop = &cli::stop_requested();
  }

  void run() {
    join_processes(RunsIn::kOne);
    std::optional<FileLock> lock;
    if (flags_.output) lock.emplace(*flags_.output);
    if (flags_.threads > 0) at::set_num_threads(flags_.threads);
    for (const std::string& name : flags_.tasks) adapt(name);
    print();
  }

 private:
  // The checkpoint, once all that can be wrong with the flags is known to be right.
  static Checkpoint checked(const AdaptFlags& flags, const Gym& gym) {
    gym.chosen_tasks("", flags.tasks);
    if (flags.output && flags.tasks.size() > 1) {
      throw Error(ExitCode::kUsage, "--output holds the checkpoint of one task; name one --task");
    }
    if (flags.output && flags.start == name_of(StartKind::kFrozen)) {
      throw Error(ExitCode::kUsage,
                  "--start frozen tunes no checkpoint that --output could hold; leave one out");
    }
    if (flags.output && flags.answers == AnswersBy::kHead) {
      throw Error(ExitCode::kUsage,
                  "--output writes a dense checkpoint, which has no place for a head: leave "
                  "--answers-by out, or teach a checkpoint the task with trivium task add");
    }
    if (!flags.bars.empty()) cli::check_ending(flags.bars, {".svg"}, "--bars");
    if (flags.output) cli::check_output_folder(*flags.output, "--output");
    if (flags.output && std::filesystem::exists(*flags.output)) {
      throw Error(ExitCode::kExists, *flags.output + " exists; name another --output");
    }
    spdlog::info("reading {}", flags.checkpoint);
    return load_checkpoint(flags.checkpoint);
  }

  // Frozen is a head too, over an encoder that does not move.
  AnswersBy answers_of(const FewShotTask& task) const {
    if (kind_ == StartKind::kFrozen) return AnswersBy::kHead;
    const bool is_dense = kind_ == StartKind::kSqueezed || kind_ == StartKind::kDense;
    if (flags_.answers == AnswersBy::kHead && (!is_dense || flags_.settings.rank == 0)) {
      throw Error(ExitCode::kUsage,
                  "a head is tuned with differences of a dense start: leave --start, --preset and "
                  "--rank out");
    }
    if (flags_.answers) return *flags_.answers;
    // A head is no part of the dense checkpoint that --output writes.
    const bool may_be_head = is_dense && flags_.settings.rank > 0 && !flags_.output;
    return may_be_head ? usual_answers(task.task, checkpoint_) : AnswersBy::kDecoder;
  }

  FewShotResult result_of(const Start& start, const FewShotTask& task,
                          const SampleDone& on_sample) {
    if (answers_of(task) == AnswersBy::kDecoder) {
      return adapt_to_task(start.checkpoint, task, flags_.settings, on_sample);
    }
    FewShotSettings settings = flags_.settings;
    if (kind_ == StartKind::kFrozen) settings.optimiser.steps = 0;
    return adapt_head(start.checkpoint, task, settings);
  }

  void adapt(const std::string& name) {
    const FewShotTask task =
        load_few_shot_task(gym_, prompts_, name, static_cast<size_t>(flags_.test_limit));
    const torch::Tensor vector =
        flags_.vectors.empty()
            ? torch::Tensor()
            : load_task_vectors(flags_.vectors).rows_of({name}, flags_.vectors)[0];
    const Start start = make_start(checkpoint_, kind_, task, flags_.random_seed, vector);
    bool written = !flags_.output;
    const auto write_first = [&](const SampleResult& sample, const Checkpoint& tuned) {
      if (written) return;
      save_checkpoint(tuned, *flags_.output);
      spdlog::info("wrote {}, tuned on sample {}", *flags_.output, sample.seed);
      written = true;
    };
    results_.push_back(result_of(start, task, write_first));
    routes_.push_back(start.route);
    method_.tasks.push_back(sample_scores(results_.back()));
  }

  double mean() const {
    double sum = 0;
    for (const FewShotResult& result : results_) sum += result.mean();
    return sum / static_cast<double>(results_.size());
  }

  std::string text() const {
    size_t width = 4;
    for (const FewShotResult& result : results_) width = std::max(width, result.task.size());
    std::string text =
        fmt::format("{}\n{:<{}}  {:<16} {:>7} {:>7} {:>7} {:>8}  route\n", method_.name, "task",
                    width, "metric", "test", "std", "untuned", "majority");
    for (size_t i = 0; i < results_.size(); ++i) {
      const FewShotResult& result = results_[i];
      text += fmt::format("{:<{}}  {:<16} {:>7.4f} {:>7.4f} {:>7.4f} {:>8.4f}  {}\n", result.task,
                          width, result.metric, result.mean(), result.deviation(),
                          result.start_score, result.majority, routes_[i]);
    }
    return text + fmt::format("mean of {} tasks: {:.4f}\n", results_.size(), mean());
  }

  Json json() const {
    Json tasks = Json::array();
    for (size_t i = 0; i < results_.size(); ++i) {
      tasks.push_back(to_json(results_[i]));
      tasks.back()["route"] = routes_[i];
    }
    return {{"name", method_.name},
            {"checkpoint", flags_.checkpoint},
            {"start", name_of(kind_)},
            {"mode", name_in(evaluation_mode_names(), flags_.settings.mode)},
            {"steps", flags_.settings.optimiser.steps},
            {"tasks", tasks},
            {"mean", mean()}};
  }

  void print() const {
    Json object = json();
    std::string table = text();
    if (base_) {
      const RelativeGain gain = average_relative_gain(method_, *base_);
      object["relative_gain"] = to_json(gain);
      table += gain_text(gain);
      if (!flags_.bars.empty()) write_file_atomically(flags_.bars, gain_svg(gain));
    }
    cli::write_output((flags_.json ? to_json_line(object) + "\n" : table));
  }

  AdaptFlags flags_;
  Gym gym_;
  PromptLibrary prompts_;
  Checkpoint checkpoint_;
  StartKind kind_ = StartKind::kDense;
  std::optional<MethodScores> base_;
  MethodScores method_;
  std::vector<FewShotResult> results_;
  std::vector<std::string> routes_;  // of results_
};

void add_tuning_flags(CLI::App& command, AdaptFlags& flags) {
  FewShotSettings& settings = flags.settings;
  const auto positive = CLI::Range(int64_t{1}, int64_t{1} << 40);
  cli::add_choice(
      command, "--preset", flags.preset, few_shot_preset_names(),
      "quick: differences of low rank, a minute or less a sample; paper: all weights, a "
      "grid of nine runs");
  cli::add_choice(command, "--answers-by", flags.answers, answers_by_names(),
                  "what is tuned to answer: a head over sentence vectors, or the decoder [head "
                  "where labels are fixed; with --output and --preset paper: decoder]");
  command.add_option("--steps", flags.steps, "optimiser steps of every run [100; paper: 1000]")
      ->check(positive);
  command
      .add_option("--eval-every", flags.eval_every,
                  "steps between scores on the dev sample [50; paper: 100]")
      ->check(positive);
  command
      .add_option("--learning-rates", flags.learning_rates,
                  "of the grid: RATE,RATE... [0.002; paper: 1e-5,2e-5,5e-5]")
      ->delimiter(',')
      ->check(CLI::Range(1e-9, 1.0));
  command
      .add_option("--batch-sizes", flags.batch_sizes,
                  "of the grid, in examples: N,N... [8; paper: 2,4,8]")
      ->delimiter(',')
      ->check(CLI::Range(int64_t{1}, int64_t{4096}));
  command
      .add_option(
          "--rank", flags.rank,
          "of differences of the layers, which are tuned instead of all weights; 0: all [8; "
          "paper: 0]")
      ->check(CLI::Range(int64_t{0}, int64_t{4096}));
  command.add_option("--per-class", settings.per_class, "examples a label, of a fixed label set")
      ->check(positive)
      ->capture_default_str();
  command.add_option("--total", settings.total, "examples of a task without fixed labels")
      ->check(positive)
      ->capture_default_str();
  cli::add_choice(command, "--precision", settings.optimiser.precision, precision_names(),
                  "numbers of the matrix products");
  command.add_option("--max-input", settings.max_source_length, "tokens of an input")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str();
  command.add_option("--max-answer", settings.max_target_length, "tokens of an answer")
      ->check(CLI::Range(4, 1 << 20))
      ->capture_default_str();
}

void add_adapt_flags(CLI::App& command, AdaptFlags& flags) {
  command.add_option("checkpoint", flags.checkpoint, "checkpoint folder to adapt")->required();
  command
      .add_option("--gym", flags.gym,
                  "gym folder with the tasks' records, CrossFit folder, or JSONL file with "
                  "\"inputs\" and \"targets\"")
      ->required();
  command.add_option("--task", flags.tasks, "task or tasks to adapt to: NAME,NAME...")
      ->delimiter(',')
      ->required();
  command
      .add_option("--start", flags.start,
                  "what to tune [squeezed; paper: routed; of a dense checkpoint: dense]")
      ->check(CLI::IsMember(start_names()));
  command.add_option("--vectors", flags.vectors,
                     "task vectors' file: the task's own row makes its route");
  command.add_option("--samples", flags.samples, "data samples: the first of 100, 13, 21, 42, 87")
      ->check(CLI::Range(int64_t{1}, int64_t{5}))
      ->capture_default_str();
  add_tuning_flags(command, flags);
  cli::add_choice(command, "--mode", flags.settings.mode, evaluation_mode_names(),
                  "how to score: what the model writes, or the likeliest of a task's options");
  command.add_option("--test-limit", flags.test_limit, "only the first test records; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command.add_option("--random-seed", flags.random_seed, "of the routes of --start random")
      ->capture_default_str();
  command.add_option("--base", flags.base,
                     "what an earlier adapt --json printed: adds the relative gain over it");
  command.add_option("--bars", flags.bars, "with --base: SVG file of the tasks' gains");
  command.add_option("--output", flags.output,
                     "writes the checkpoint tuned on the first sample; with one --task");
  command.add_flag("--json", flags.json, "one JSON object instead of a table");
  command.add_option("--device", flags.device, "cpu, cuda or cuda:N")->capture_default_str();
  cli::add_threads_flag(command, flags.threads);
}

}  // namespace

void add_adapt_command(CLI::App& app) {
  auto flags = std::make_shared<AdaptFlags>();
  CLI::App* command =
      app.add_subcommand("adapt", "tune a checkpoint on few examples of a task it does not know");
  add_adapt_flags(*command, *flags);
  command->footer(kAdaptFooter);
  command->callback([flags] {
    cli::watch_stop_signals();
    Adaptation(*flags).run();
  });
}

}  // namespace trivium::learning
