// trivium experiment: a comparison of the sources, from training to the report.
#include <cstdio>
#include <memory>

#include "cli/output/output.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/stop_signal.h"
#include "core/analysis/correlation_report.h"
#include "core/analysis/task_features.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/routes/route_dump.h"
#include "learning/commands/commands.h"
#include "learning/model/model_routes.h"
#include "learning/processes/join.h"
#include "research/commands/commands.h"
#include "research/settings/experiment_settings.h"
#include "research/studies/task_level_experiment.h"
#include "research/studies/task_level_report.h"

namespace trivium::research {
namespace {

constexpr const char* kTaskLevelFooter =
    "Trains every method of configs/task_level/ on the gym's seen tasks from one start, scores "
    "each\n"
    "on seen and unseen tasks, and writes the report (Markdown and HTML) into the output folder.\n"
    "Stopped, it goes on where it was when it is started again. Presets: "
    "configs/task_level_*.toml.\n"
    "Example:\n"
    "  trivium experiment task-level --preset quick";

struct ExperimentFlags {
  std::string preset = "quick", config;
  std::vector<std::string> overrides;
  bool tried = false, reference = false;
};

std::string command_line(const ExperimentFlags& flags) {
  std::string text = "tools/trivium experiment task-level " +
                     (flags.config.empty() ? "--preset " + flags.preset : shell_word(flags.config));
  if (flags.tried) text += " --tried";
  for (const std::string& value : flags.overrides) text += " --set " + shell_word(value);
  return text;
}

std::vector<LearnedRoutes> learned_routes(const TaskLevelExperiment& experiment,
                                          const TaskLevelSettings& settings) {
  std::vector<LearnedRoutes> learned;
  FeatureTable features;  // of the same tasks for all methods
  for (const std::string& method : settings.methods) {
    learning::Checkpoint checkpoint = experiment.trained(method);
    if (!checkpoint.model->has_router()) continue;
    checkpoint.model->eval();
    const RouteDump routes = dump_routes(learning::model_routes(checkpoint.model),
                                         checkpoint.config(), checkpoint.tasks);
    if (features.tasks.empty()) {
      features = task_features(Gym(settings.gym), checkpoint.tasks.names(),
                               PromptLibrary(settings.prompts),
                               HandLabels(cli::home_folder() / "configs" / "task_features.toml"));
    }
    learned.push_back({method, routes, correlate(routes, features)});
  }
  return learned;
}

int run_task_level(const ExperimentFlags& flags) {
  TaskLevelSettings settings;
  if (flags.reference) {
    cli::write_output(settings_reference(settings));
    return 0;
  }
  const std::filesystem::path config =
      flags.config.empty()
          ? cli::home_folder() / "configs" / ("task_level_" + flags.preset + ".toml")
          : std::filesystem::path(flags.config);
  learning::join_processes(learning::RunsIn::kOne);
  load_settings(settings, config, flags.overrides);
  cli::check_start(settings.init, "experiment.init");
  cli::check_output_folder(settings.output, "experiment.output");
  settings.prompts = cli::prompts_folder(settings.prompts).string();
  settings.methods_folder = cli::shipped_or_own(settings.methods_folder).string();
  if (!settings.tried.empty()) settings.tried = cli::shipped_or_own(settings.tried).string();
  if (!flags.tried) {
    settings.tried.clear();
  } else if (settings.tried.empty()) {
    throw Error(ExitCode::kUsage,
                "--tried: " + config.string() + " names no file experiment.tried");
  }
  const TaskLevelPlan plan = read_task_level_plan(
      settings.plan.empty() ? cli::home_folder() / "configs" / "task_level" / "plan.toml"
                            : std::filesystem::path(settings.plan));
  if (settings.threads > 0) at::set_num_threads(static_cast<int>(settings.threads));
  cli::watch_stop_signals();
  TaskLevelExperiment experiment(settings, &cli::stop_requested());
  if (!experiment.run()) {
    spdlog::warn("stopped; the same command goes on");
    return static_cast<int>(ExitCode::kStopped);
  }
  const ReportDocument report =
      task_level_report(plan, experiment.runs(), experiment.tried(), settings, command_line(flags),
                        learned_routes(experiment, settings));
  report.write(settings.output, "task_level");
  ReportDocument summary("Task-level mixtures of experts: ways to route");
  summary.table(comparison_table(plan, experiment.runs(), settings.methods));
  summary.table(claims_table(plan, experiment.runs(), settings.methods));
  if (flags.tried) summary.table(tried_table(plan, experiment.runs(), experiment.tried()));
  cli::write_output(summary.to_markdown());
  spdlog::info("wrote {}/task_level.md and .html", settings.output);
  return 0;
}

}  // namespace

void add_experiment_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<ExperimentFlags>();
  CLI::App* command = app.add_subcommand("experiment", "a comparison of the sources, with report");
  command->require_subcommand(1);
  add_mt_tag_experiment(*command, status);
  CLI::App* task_level = command->add_subcommand(
      "task-level", "ways to route whole tasks: dense, random, averaged, learned");
  task_level->add_option("config", flags->config, "settings file (TOML) instead of a preset");
  task_level->add_option("--preset", flags->preset, "quick: 30 minutes of 2 cores; full: a night")
      ->check(CLI::IsMember({"quick", "full"}))
      ->capture_default_str();
  task_level->add_flag("--tried", flags->tried,
                       "train and score the settings of the preset's file experiment.tried too");
  task_level->add_option("--set", flags->overrides, "override a setting: key=value")->take_all();
  task_level->add_flag("--settings", flags->reference, "print every setting and its default");
  task_level->footer(kTaskLevelFooter);
  task_level->callback([flags, &status] { status = run_task_level(*flags); });
  command->footer("Example:\n  trivium experiment task-level --preset quick");
}

}  // namespace trivium::research
