// trivium eval: scores on a gym's tasks, with the routes of the tasks or of their nearest known
// ones.
#include <algorithm>
#include <fstream>
#include <memory>
#include <set>

#include "cli/batch/done_lines.h"
#include "cli/batch/dry_run.h"
#include "cli/batch/process_group.h"
#include "cli/batch/result_file.h"
#include "cli/batch/run_settings.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/output/progress_bar.h"
#include "cli/program/choice.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/json_flag.h"
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
  std::string gym, part = "seen", output = "-", predictions;
  Split records = Split::kTest;
  EvaluationMode mode = EvaluationMode::kGeneration;
  OnLong on_long = OnLong::kTruncate;
  std::vector<std::string> tasks;
  int64_t limit = 0;
  int num_beams = 0;  // 0: the checkpoint's
  bool json = false, markdown = false, dry_run = false;
  OldFile old_file = OldFile::kRefused;
  const CLI::App* command = nullptr;
};

class Evaluation {
 public:
  Evaluation(EvalFlags flags, std::unique_ptr<ProcessGroup> group)
      : flags_(std::move(flags)),
        group_(std::move(group)),
        gym_(flags_.gym),
        prompts_(home_folder() / "prompts"),
        tasks_(gym_.chosen_tasks(flags_.part, flags_.tasks)) {
    do_in_first(*group_, [&] {
      output_ = std::make_unique<ResultFile>(flags_.output, flags_.old_file);
      make_predictions_folder();
    });
  }

  int run() {
    LoadedModel model = load_model(flags_.model, flags_.generator);
    hold_to(run_settings(*flags_.command, model.folder()));
    SearchOptions search = model.generator().default_search();
    if (flags_.num_beams > 0) search.num_beams = flags_.num_beams;
    num_beams_ = search.num_beams;
    Evaluator evaluator(model.generator(), search, kResamples, flags_.on_long);
    const bool all_well = evaluate_all(model, evaluator);
    if (group_->is_first() && !finish()) is_stopped_ = true;
    if (is_stopped_) return static_cast<int>(ExitCode::kInterrupted);
    return static_cast<int>(all_well ? ExitCode::kOk : ExitCode::kBadData);
  }

 private:
  // The first process's file knows what was done before; the others hear of it.
  void hold_to(const Json& settings) {
    require_equal(*group_, settings);
    Json done = Json::array();
    do_in_first(*group_, [&] {
      output_->hold_to(settings);
      if (output_->is_continued()) take_done();
    });
    for (const ReportRow& row : report_.rows()) done.push_back(row.score.task);
    done_ = group_->share(std::move(done)).get<std::set<std::string>>();
  }

  // Returns false where a task was left out.
  bool evaluate_all(LoadedModel& model, Evaluator& evaluator) {
    ProgressBar progress(std::max<int64_t>(1, static_cast<int64_t>(tasks_.size())));
    bool all_well = true;
    int64_t done = 0;
    for (const std::string& name : tasks_) {
      if (done_.count(name) > 0) {
        ++done;
        continue;
      }
      if (group_->is_first()) progress.begin(done, name);
      try {
        if (!evaluate(name, model, evaluator)) break;
        ++done;
        if (group_->is_first()) progress.report(done, progress_line());
      } catch (const Error& error) {
        if (error.code() == ExitCode::kUnavailable) throw;  // another process has ended
        progress.clear();
        spdlog::warn("{} is left out: {}", name, error.what());
        all_well = false;
      }
    }
    progress.clear();
    return all_well;
  }

  std::string progress_line() const {
    return fmt::format("{}: {:.4f} (majority {:.4f})", last_.task, last_.score, last_.majority);
  }

  // Of the first process: writes the report, or says how far it came, and returns false.
  bool finish() {
    if (!is_stopped_) {
      output_->finish_as(text());
      return true;
    }
    if (!output_->has_part()) output_->write(text());
    spdlog::warn("stopped after {} of {} tasks{}", report_.rows().size(), tasks_.size(),
                 output_->has_part() ? "; --resume goes on" : "");
    return false;
  }

  void make_predictions_folder() const {
    if (flags_.predictions.empty()) return;
    check_output_folder(flags_.predictions, "--predictions");
    const std::filesystem::path folder = flags_.predictions;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
      throw Error(ExitCode::kIo, "cannot make " + folder.string() + ": " + error.message());
    if (flags_.old_file == OldFile::kRefused && !std::filesystem::is_empty(folder)) {
      throw Error(ExitCode::kExists,
                  folder.string() + " is not empty; name another folder, or say --overwrite");
    }
  }

  // The scores that a run of before had got to.
  void take_done() {
    std::ifstream part(output_->part(), std::ios::binary);
    uint64_t bytes = 0;
    while (const auto line = next_whole_line(part, bytes)) {
      report_.add(report_row(*line, output_->part().string()));
    }
    output_->keep(bytes);
    spdlog::info("{} tasks were done before", report_.rows().size());
  }

  // Returns false where it was stopped before the task's end. Error kBadData for a task that has to
  // be left out, in all processes.
  bool evaluate(const std::string& name, LoadedModel& model, Evaluator& evaluator) {
    EvaluationTask task;
    RouteChoice choice;
    Json own = Json::object();
    try {
      task = load_evaluation_task(gym_, model.tasks(), prompts_, name, flags_.records,
                                  static_cast<size_t>(flags_.limit));
      choice = choose_route(model.tasks(), model.finder(), name, task.train_inputs);
      own["answers"] = to_json(evaluator.answer(
          task, model.route(choice.row), flags_.mode,
          {static_cast<size_t>(group_->rank()), static_cast<size_t>(group_->size())}));
    } catch (const Error& error) {
      own["error"] = to_json(error);
    }
    own["stopped"] = stop_requested().load();
    const std::vector<Json> all = group_->gather(std::move(own));
    const Json state = group_->share(state_of(all));
    is_stopped_ = state.at("stopped").get<bool>();
    if (is_stopped_) return false;
    if (state.contains("error")) throw_error(state.at("error"));
    if (!group_->is_first()) return true;
    TaskAnswers answers;
    for (const Json& one : all) answers.add(task_answers(one.at("answers")));
    add_score(task, choice.source,
              evaluator.score(task, model.route(choice.row), std::move(answers)));
    return true;
  }

  // {"stopped", "error"?}: whether one of the processes was stopped, and the first error.
  static Json state_of(const std::vector<Json>& all) {
    Json state = {{"stopped", false}};
    for (const Json& one : all) {
      if (one.at("stopped").get<bool>()) state["stopped"] = true;
      if (one.contains("error") && !state.contains("error")) state["error"] = one.at("error");
    }
    return state;
  }

  void add_score(const EvaluationTask& task, const std::string& route, TaskScore score) {
    warn(score);
    write_predictions(task, score);
    score.items.clear();
    last_ = score;
    const ReportRow row{task.family, route, std::move(score)};
    if (output_->has_part()) output_->write(to_json_line(to_json(row)) + "\n");
    report_.add(row);
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

  // The report in the form that was asked for.
  std::string text() const {
    if (!flags_.json) return flags_.markdown ? report_.to_markdown() : report_.to_text();
    Json json = report_.to_json();
    json["records"] = name_in(scored_split_names(), flags_.records);
    json["mode"] = name_in(evaluation_mode_names(), flags_.mode);
    json["num_beams"] = num_beams_;
    return to_json_line(json) + "\n";
  }

  EvalFlags flags_;
  std::unique_ptr<ProcessGroup> group_;
  Gym gym_;
  PromptLibrary prompts_;
  std::vector<std::string> tasks_;
  // The first process's: on the way a line for each task that is done, in the end the report.
  std::unique_ptr<ResultFile> output_;
  std::set<std::string> done_;  // tasks that a run of before had got to
  Report report_;
  TaskScore last_;
  int num_beams_ = 1;
  bool is_stopped_ = false;  // by a signal to one of the processes
};

// --dry-run: reads the tasks and finds their routes, as the run would, and prints what it would do.
int run_dry_eval(const EvalFlags& flags) {
  refuse_several(launch_from_environment());
  const Gym gym(flags.gym);
  const PromptLibrary prompts(home_folder() / "prompts");
  const std::vector<std::string> names = gym.chosen_tasks(flags.part, flags.tasks);
  check_result_file(flags.output, flags.old_file);
  LoadedModel model = load_model(flags.model, flags.generator);
  const SearchOptions search = model.generator().default_search();
  const int64_t beams = flags.num_beams > 0 ? flags.num_beams : search.num_beams;
  Json tasks = Json::array();
  for (const std::string& name : names) {
    if (stop_requested()) return static_cast<int>(ExitCode::kInterrupted);
    try {
      const EvaluationTask task = load_evaluation_task(
          gym, model.tasks(), prompts, name, flags.records, static_cast<size_t>(flags.limit));
      const RouteChoice choice =
          choose_route(model.tasks(), model.finder(), name, task.train_inputs);
      tasks.push_back({{"task", name},
                       {"family", task.family},
                       {"metric", task.metric},
                       {"examples", task.examples.size()},
                       {"route", choice.source}});
    } catch (const Error& error) {
      spdlog::warn("{} would be left out: {}", name, error.what());
    }
  }
  const bool all_well = tasks.size() == names.size();
  const int64_t tokens = flags.generator.batch_size * beams * search.max_length +
                         std::max(flags.generator.batch_tokens, flags.generator.max_source_length);
  write_output(to_json_line({{"dry_run", true},
                             {"checkpoint", model.folder().string()},
                             {"tasks", tasks},
                             {"output", flags.output},
                             {"memory", memory_report(model, flags.model, tokens)}}) +
               "\n");
  return static_cast<int>(all_well ? ExitCode::kOk : ExitCode::kBadData);
}

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
  command.add_option("--output", flags.output, "file of the report; -: standard output")
      ->capture_default_str();
  command.add_option("--predictions", flags.predictions, "folder for TASK.jsonl files of answers");
  add_old_file_flags(command, flags.old_file);
  command.get_option("--overwrite")
      ->description("replace the --output file; write into a --predictions folder with files");
  command.add_flag("--dry-run", flags.dry_run,
                   "read and check all, print what would be done as JSON, and score nothing");
  flags.command = &command;
  CLI::Option* json = add_json_flag(command, flags.json);
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
    flags->generator.stop = &stop_requested();
    if (flags->dry_run) {
      watch_stop_signals();
      status = run_dry_eval(*flags);
      return;
    }
    // A process that waits for others, which may never come, is ended by a signal as any other.
    std::unique_ptr<ProcessGroup> group = join_process_group();
    watch_stop_signals();
    status = Evaluation(*flags, std::move(group)).run();
  });
}

}  // namespace trivium::cli
