// trivium eval: scores on a gym's tasks, with the routes of the tasks or of their nearest known
// ones.
#include <algorithm>
#include <memory>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/output/progress_bar.h"
#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/model_flags.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/logging.h"
#include "core/evaluation/evaluator.h"
#include "core/evaluation/report.h"
#include "core/evaluation/task_choice.h"

namespace trivium::cli {
namespace {

constexpr const char* kEvalFooter =
    "Prints, for every task, its score with a 95 % bootstrap interval, the score of always giving\n"
    "the train split's most frequent label or answer (majority; where every record has options of\n"
    "its own, the option at the most frequent place), and whose route it took. A task that the\n"
    "checkpoint does not know takes the route of the known task that most of its first 32 train\n"
    "inputs are nearest to: that is zero-shot. Answers are compared as raw text; options that are\n"
    "equally likely, or that the tokenizer cannot tell apart, count as the chance of guessing "
    "right\n"
    "among them. docs/data.md says what a gym folder holds; a CrossFit folder is one too.\n"
    "Example:\n"
    "  trivium eval --gym ../shared/gym --split seen --limit 100";

constexpr int kResamples = 1000;

struct EvalFlags {
  ModelFlags model;
  GeneratorOptions generator;
  std::string gym, part = "seen", predictions;
  Split records = Split::kTest;
  EvaluationMode mode = EvaluationMode::kGeneration;
  OnLong on_long = OnLong::kTruncate;
  std::vector<std::string> tasks;
  int64_t limit = 0;
  int num_beams = 0;  // 0: the checkpoint's
  bool json = false, markdown = false, overwrite = false;
};

class Evaluation {
 public:
  explicit Evaluation(EvalFlags flags)
      : flags_(std::move(flags)),
        gym_(flags_.gym),
        prompts_(home_folder() / "prompts"),
        tasks_(gym_.chosen_tasks(flags_.part, flags_.tasks)) {
    make_predictions_folder();
  }

  int run() {
    LoadedModel model = load_model(flags_.model, flags_.generator);
    SearchOptions search = model.generator().default_search();
    if (flags_.num_beams > 0) search.num_beams = flags_.num_beams;
    num_beams_ = search.num_beams;
    Evaluator evaluator(model.generator(), search, kResamples, flags_.on_long);
    ProgressBar progress(std::max<int64_t>(1, static_cast<int64_t>(tasks_.size())));
    bool all_well = true;
    int64_t done = 0;
    for (const std::string& name : tasks_) {
      progress.begin(done, name);
      try {
        if (!evaluate(name, model, evaluator)) break;
        progress.report(++done, fmt::format("{}: {:.4f} (majority {:.4f})", last_.task, last_.score,
                                            last_.majority));
      } catch (const Error& error) {
        progress.clear();
        spdlog::warn("{} is left out: {}", name, error.what());
        all_well = false;
      }
    }
    progress.clear();
    print();
    if (stop_requested()) {
      spdlog::warn("stopped after {} of {} tasks", report_.rows().size(), tasks_.size());
      return static_cast<int>(ExitCode::kInterrupted);
    }
    return static_cast<int>(all_well ? ExitCode::kOk : ExitCode::kBadData);
  }

 private:
  void make_predictions_folder() const {
    if (flags_.predictions.empty()) return;
    check_output_folder(flags_.predictions, "--predictions");
    const std::filesystem::path folder = flags_.predictions;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
      throw Error(ExitCode::kIo, "cannot make " + folder.string() + ": " + error.message());
    if (!flags_.overwrite && !std::filesystem::is_empty(folder)) {
      throw Error(ExitCode::kExists,
                  folder.string() + " is not empty; name another folder, or say --overwrite");
    }
  }

  // Returns false where it was stopped before the task's end.
  bool evaluate(const std::string& name, LoadedModel& model, Evaluator& evaluator) {
    const EvaluationTask task = load_evaluation_task(
        gym_, model.tasks(), prompts_, name, flags_.records, static_cast<size_t>(flags_.limit));
    const RouteChoice choice = choose_route(model.tasks(), model.finder(), name, task.train_inputs);
    ReportRow row{task.family, choice.source, {}};
    row.score = evaluator.evaluate(task, model.route(choice.row), flags_.mode);
    if (stop_requested()) return false;
    warn(row.score);
    write_predictions(task, row.score);
    last_ = row.score;
    last_.items.clear();
    row.score.items.clear();
    report_.add(std::move(row));
    return true;
  }

  // What the score alone does not show.
  void warn(const TaskScore& score) const {
    warn_of_indistinguishable(score.task, score.indistinguishable);
    if (score.tied > 0) {
      spdlog::warn("{}: {} of {} answers are ties between options; they count as their chance",
                   score.task, score.tied, score.examples);
    }
    if (score.truncated > 0) {
      spdlog::warn("{}: {} of {} examples hold more than the model reads and were cut", score.task,
                   score.truncated, score.examples);
    }
    if (score.too_long > 0) {
      spdlog::warn("{}: {} examples hold more than the model reads and are left out", score.task,
                   score.too_long);
    }
  }

  void write_predictions(const EvaluationTask& task, const TaskScore& score) const {
    if (flags_.predictions.empty()) return;
    std::string lines;
    for (const ScoredAnswer& item : score.items) {
      Json line = {{"input", task.examples[item.example].input},
                   {"prediction", item.answers.front()},
                   {"targets", item.golds}};
      if (item.answers.size() > 1) line["tied"] = item.answers;
      lines += to_json_line(line) + "\n";
    }
    write_file_atomically(std::filesystem::path(flags_.predictions) / (task.name + ".jsonl"),
                          lines);
  }

  void print() const {
    std::string text;
    if (flags_.json) {
      Json json = report_.to_json();
      json["records"] = name_in(scored_split_names(), flags_.records);
      json["mode"] = name_in(evaluation_mode_names(), flags_.mode);
      json["num_beams"] = num_beams_;
      text = to_json_line(json) + "\n";
    } else {
      text = flags_.markdown ? report_.to_markdown() : report_.to_text();
    }
    write_output(text);
  }

  EvalFlags flags_;
  Gym gym_;
  PromptLibrary prompts_;
  std::vector<std::string> tasks_;
  Report report_;
  TaskScore last_;
  int num_beams_ = 1;
};

void add_eval_flags(CLI::App& command, EvalFlags& flags) {
  command.add_option("--gym", flags.gym, "gym folder: split.json and a folder a task")->required();
  command
      .add_option("--split", flags.part,
                  "part of split.json: seen, dev, unseen, extra or all; without a split.json all "
                  "tasks are seen")
      ->capture_default_str();
  command.add_option("--tasks", flags.tasks, "these tasks instead: NAME,NAME...")->delimiter(',');
  add_choice(command, "--part-of", flags.records, scored_split_names(), "records to score");
  add_choice(command, "--mode", flags.mode, evaluation_mode_names(),
             "generation: what the model writes; ranking: the likeliest of a task's options");
  command.add_option("--limit", flags.limit, "only the first so many records of a task; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command
      .add_option("--num-beams", flags.num_beams,
                  "beams of the generation; 1: greedy [the checkpoint's]")
      ->check(CLI::Range(1, 64));
  command.add_option("--max-input", flags.generator.max_source_length, "tokens of an input")
      ->check(CLI::Range(8, 1 << 20))
      ->capture_default_str();
  command.add_option("--predictions", flags.predictions, "folder for TASK.jsonl files of answers");
  command.add_flag("--overwrite", flags.overwrite, "write into a --predictions folder with files");
  CLI::Option* json = command.add_flag("--json", flags.json, "one JSON object instead of a table");
  command.add_flag("--markdown", flags.markdown, "a Markdown table, for a model card")
      ->excludes(json);
  add_on_long_flag(command, flags.on_long);
  add_model_flags(command, flags.model);
}

}  // namespace

void add_eval_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<EvalFlags>();
  CLI::App* command = app.add_subcommand("eval", "score a checkpoint on a gym's tasks");
  add_eval_flags(*command, *flags);
  command->footer(kEvalFooter);
  command->callback([flags, &status] {
    watch_stop_signals();
    flags->generator.stop = &stop_requested();
    status = Evaluation(*flags).run();
  });
}

}  // namespace trivium::cli
