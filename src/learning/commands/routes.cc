// trivium routes disable, resolve: what a route's experts are worth, and routes.json for a
// checkpoint that was saved without it.
#include <cmath>
#include <memory>

#include "cli/commands/route_features.h"
#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/companion.h"
#include "cli/program/home.h"
#include "cli/program/model_flags.h"
#include "cli/program/stop_signal.h"
#include "core/analysis/correlation_report.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/evaluation/evaluator.h"
#include "learning/commands/commands.h"
#include "learning/reference/expert_disabling.h"
#include "learning/storage/checkpoint.h"

namespace trivium::learning {
namespace {

struct DisableFlags {
  cli::ModelFlags model;
  cli::FeatureFlags features;
  EvaluationMode mode = EvaluationMode::kRanking;
  int64_t limit = 50;
  DisablingOptions disabling;
};

void run_disable(const DisableFlags& flags) {
  LoadedModel model = cli::load_model(flags.model, {.stop = &cli::stop_requested()});
  // The answers are the engine's; which routes disabled experts leave is the router's.
  Seq2SeqModel reference = load_checkpoint(model.folder()).model;
  reference->eval();
  const Gym gym(flags.features.gym);
  const PromptLibrary prompts(cli::prompts_folder());
  const FeatureTable features =
      cli::features_of_tasks(model.tasks(), gym, prompts, flags.features.labels);
  const CorrelationReport correlations = correlate(model.route_dump(), features);
  std::vector<int64_t> rows;
  std::vector<EvaluationTask> tasks;
  for (const std::string& name : features.tasks) {
    rows.push_back(static_cast<int64_t>(model.tasks().index_of(name)));
    tasks.push_back(load_evaluation_task(gym, model.tasks(), prompts, name, Split::kTest,
                                         static_cast<size_t>(flags.limit)));
  }
  Evaluator evaluator(model.generator(), model.generator().default_search(), /*resamples=*/0);
  size_t scored = 0;
  const RouteScorer score = [&](size_t task, const TaskRoute& route) {
    const double value = evaluator.evaluate(tasks[task], route, flags.mode).score;
    if (cli::stop_requested()) throw Error(ExitCode::kInterrupted, "stopped");
    if (++scored % 20 == 0) spdlog::info("{} evaluations of a task on a route", scored);
    return std::isfinite(value) ? value : 0;
  };
  DisablingOptions disabling = flags.disabling;
  disabling.temperature = model.config().routing.selection_temperature;
  const DisablingReport report =
      disable_experts(reference, rows, features, correlations.found(), score, disabling);
  cli::write_output(flags.features.json ? to_json_line(to_json(report)) + "\n"
                                        : to_markdown(report));
}

// --- resolve

struct ResolveFlags {
  std::string checkpoint;
};

void run_resolve(const ResolveFlags& flags) {
  const std::string folder = cli::checkpoint_folder(flags.checkpoint);
  const bool written = resolve_routes(folder);
  spdlog::info("{}", written ? "wrote " + folder + "/" + kRoutesFile
                             : folder + " has its routes already, or is dense");
}

// --- flags

void add_disable(CLI::App& routes) {
  auto flags = std::make_shared<DisableFlags>();
  CLI::App* command =
      routes.add_subcommand("disable", cli::help_of_train_command("routes", "disable"));
  cli::add_feature_flags(*command, flags->features);
  command
      ->add_option("--limit", flags->limit, "only the first so many test records of a task; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--pairs", flags->disabling.pairs, "so many pairs, the least p first")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--random", flags->disabling.random, "other experts to compare each with")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--seed", flags->disabling.seed, "of the choice of the other experts")
      ->capture_default_str();
  cli::add_choice(*command, "--mode", flags->mode, evaluation_mode_names(),
                  "generation: what the model writes; ranking: the likeliest of a task's options");
  cli::add_model_flags(*command, flags->model);
  command->footer(
      "Disables the expert of each found pair (r > 0) and compares how much the tasks with the\n"
      "feature, and those without it, lose; and the same for other, random experts.\n"
      "Example:\n  trivium routes disable --gym ../shared/gym --limit 50 --pairs 5");
  command->callback([flags] {
    cli::watch_stop_signals();
    run_disable(*flags);
  });
}

void add_resolve(CLI::App& routes) {
  auto flags = std::make_shared<ResolveFlags>();
  CLI::App* command =
      routes.add_subcommand("resolve", cli::help_of_train_command("routes", "resolve"));
  cli::add_checkpoint_flag(*command, flags->checkpoint);
  command->footer(
      "A checkpoint holds the route of each of its tasks, so that answering needs no router. One\n"
      "that was saved before routes were stored gets them here, once; its other files stay.\n"
      "Example:\n  trivium routes resolve --checkpoint runs/old/best");
  command->callback([flags] { run_resolve(*flags); });
}

}  // namespace

void add_routes_commands(CLI::App& app) {
  CLI::App* routes = app.get_subcommand("routes");
  add_disable(*routes);
  add_resolve(*routes);
}

}  // namespace trivium::learning
