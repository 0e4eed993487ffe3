// trivium routes: what a checkpoint's routes are, how they came to be, and what they mean.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

#include "analysis/correlation_report.h"
#include "analysis/expert_disabling.h"
#include "analysis/heat_map.h"
#include "analysis/routes_page.h"
#include "analysis/task_features.h"
#include "base/error.h"
#include "base/file.h"
#include "base/logging.h"
#include "commands/command.h"
#include "commands/model_flags.h"
#include "commands/result_file.h"
#include "commands/terminal_text.h"
#include "commands/token_gates.h"
#include "evaluation/evaluator.h"
#include "inference/route_file.h"

namespace trivium {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFrames = 120;  // of a page: more would only make it heavy

struct RoutesFlags {
  ModelFlags model;
  std::vector<std::string> moments;
  std::string output, gym, features, mode = "ranking";
  int64_t limit = 50;
  DisablingOptions disabling;
  bool json = false, overwrite = false;
};

void print(const std::string& text) { ResultFile("-", /*overwrite=*/false).write(text); }

RouteDump dump_of(LoadedModel& model) {
  return dump_routes(model.model(), model.tasks(), model.config().routing.selection_temperature);
}

// --- show

// "2 (0.93)": the expert with the largest weight at temperature 1; a star where the route as used
// takes another.
std::string cell_of(const RouteDump& dump, const RouteRow& row, size_t place) {
  const auto main_of = [&](const std::vector<float>& weights) {
    const auto begin = weights.begin() + static_cast<int64_t>(dump.column(place, 0));
    return std::max_element(begin, begin + static_cast<int64_t>(dump.num_experts)) - begin;
  };
  const auto expert = static_cast<size_t>(main_of(row.likely));
  char text[32];
  std::snprintf(text, sizeof text, "%zu %.2f%s", expert + 1,
                static_cast<double>(row.likely[dump.column(place, expert)]),
                main_of(row.likely) == main_of(row.used) ? " " : "*");
  return text;
}

std::string route_table(const RouteDump& dump) {
  std::vector<std::vector<std::string>> table(1, {"family", "task"});
  for (const LayerPlace& place : dump.places) {
    table[0].push_back((place.in_decoder ? "dec " : "enc ") + std::to_string(place.layer + 1));
  }
  for (const RouteRow& row : dump.tasks) {
    table.push_back({sanitise(row.family), sanitise(row.task)});
    for (size_t p = 0; p < dump.places.size(); ++p) table.back().push_back(cell_of(dump, row, p));
  }
  std::vector<size_t> widths(table[0].size(), 0);
  for (const auto& cells : table) {
    for (size_t c = 0; c < cells.size(); ++c) {
      widths[c] = std::max(widths[c], display_width(cells[c]));
    }
  }
  std::string text;
  for (const auto& cells : table) {
    std::string line;
    for (size_t c = 0; c < cells.size(); ++c) {
      line += cells[c] + std::string(widths[c] - display_width(cells[c]) + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  return text +
         "\nThe likeliest expert of every layer that is a pool, and its weight at temperature "
         "1. A star: the route as used takes another.\n";
}

void run_show(const RoutesFlags& flags) {
  LoadedModel model = load_model(flags.model);
  const RouteDump dump = dump_of(model);
  print(flags.json ? to_json_line(to_json(dump)) + "\n" : route_table(dump));
}

// --- plot, dynamics

void write_picture(const RoutesFlags& flags, const std::string& title,
                   const std::vector<RouteFrame>& frames) {
  ResultFile file(flags.output, flags.overwrite);
  file.write(fs::path(flags.output).extension() == ".svg" ? heat_map_svg(frames.back().routes)
                                                          : routes_page(title, frames));
  file.finish();
}

void run_plot(const RoutesFlags& flags) {
  LoadedModel model = load_model(flags.model);
  const fs::path folder = model.folder();
  const std::string name =
      (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  write_picture(flags, "Routes of " + name, {{name, dump_of(model)}});
}

std::vector<RouteFrame> frames_of(const RoutesFlags& flags) {
  std::vector<RouteFrame> frames;
  for (const std::string& moment : flags.moments) {
    if (fs::is_directory(moment)) {
      ModelFlags model = flags.model;
      model.checkpoint = moment;
      LoadedModel loaded = load_model(model);
      frames.push_back({fs::path(moment).lexically_normal().string(), dump_of(loaded)});
    } else {
      for (RouteMoment& m : read_route_file(moment, kMostFrames)) {
        frames.push_back({"step " + std::to_string(m.step), std::move(m.routes)});
      }
    }
  }
  return frames;
}

void run_dynamics(const RoutesFlags& flags) {
  if (fs::path(flags.output).extension() == ".svg") {
    throw Error(ExitCode::kUsage,
                "moving pictures need a page: name an --output that ends in .html");
  }
  write_picture(flags, "How the routes changed in training", frames_of(flags));
}

// --- correlate, disable

// The checkpoint's tasks that the gym has.
std::vector<std::string> tasks_in(const Gym& gym, const LoadedModel& model) {
  std::vector<std::string> tasks;
  const std::vector<std::string>& known = gym.task_names();
  for (const std::string& name : model.tasks().names()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      spdlog::warn("{} is left out: the gym does not have it", name);
      continue;
    }
    tasks.push_back(name);
  }
  return tasks;
}

FeatureTable features_of(const RoutesFlags& flags, const LoadedModel& model, const Gym& gym,
                         const PromptLibrary& prompts) {
  const fs::path labels = flags.features.empty() ? home_folder() / "configs" / "task_features.toml"
                                                 : fs::path(flags.features);
  return task_features(gym, tasks_in(gym, model), prompts, HandLabels(labels));
}

void run_correlate(const RoutesFlags& flags) {
  LoadedModel model = load_model(flags.model);
  const Gym gym(flags.gym);
  const PromptLibrary prompts(home_folder() / "prompts");
  const CorrelationReport report =
      correlate(dump_of(model), features_of(flags, model, gym, prompts));
  print(flags.json ? to_json_line(to_json(report)) + "\n" : to_markdown(report));
}

void run_disable(const RoutesFlags& flags) {
  GeneratorOptions options;
  options.stop = &stop_requested();
  LoadedModel model = load_model(flags.model, options);
  const Gym gym(flags.gym);
  const PromptLibrary prompts(home_folder() / "prompts");
  const FeatureTable features = features_of(flags, model, gym, prompts);
  const CorrelationReport correlations = correlate(dump_of(model), features);
  std::vector<int64_t> rows;
  std::vector<EvaluationTask> tasks;
  for (const std::string& name : features.tasks) {
    rows.push_back(static_cast<int64_t>(model.tasks().index_of(name)));
    tasks.push_back(
        load_evaluation_task(gym, prompts, name, Split::kTest, static_cast<size_t>(flags.limit)));
  }
  SearchOptions search = model.generator().default_search();
  search.num_beams = 1;
  Evaluator evaluator(model.generator(), search, /*resamples=*/0);
  size_t scored = 0;
  const RouteScorer score = [&](size_t task, const TaskRoute& route) {
    const double value = evaluator
                             .evaluate(tasks[task], route,
                                       flags.mode == "ranking" ? EvaluationMode::kRanking
                                                               : EvaluationMode::kGeneration)
                             .score;
    if (stop_requested()) throw Error(ExitCode::kInterrupted, "stopped");
    if (++scored % 20 == 0) spdlog::info("{} evaluations of a task on a route", scored);
    return std::isfinite(value) ? value : 0;
  };
  DisablingOptions disabling = flags.disabling;
  disabling.temperature = model.config().routing.selection_temperature;
  const DisablingReport report =
      disable_experts(model.model(), rows, features, correlations.found(), score, disabling);
  print(flags.json ? to_json_line(to_json(report)) + "\n" : to_markdown(report));
}

// --- flags

using Run = void (*)(const RoutesFlags&);

// A subcommand whose flags `add` declares.
void add_part(CLI::App& routes, const char* name, const char* help, const char* footer, Run run,
              void (*add)(CLI::App&, RoutesFlags&)) {
  auto flags = std::make_shared<RoutesFlags>();
  CLI::App* command = routes.add_subcommand(name, help);
  add(*command, *flags);
  add_model_flags(*command, flags->model);
  command->footer(footer);
  command->callback([flags, run] { run(*flags); });
}

void add_json_flag(CLI::App& command, RoutesFlags& flags) {
  command.add_flag("--json", flags.json, "one JSON object instead of a table");
}

void add_output_flags(CLI::App& command, RoutesFlags& flags) {
  command.add_option("--output,-o", flags.output, "the page (FILE.html) or picture (FILE.svg)")
      ->required();
  command.add_flag("--overwrite", flags.overwrite, "replace the file where it exists");
}

void add_dynamics_flags(CLI::App& command, RoutesFlags& flags) {
  command
      .add_option("moments", flags.moments,
                  "a run's routes.jsonl, or checkpoint folders in the order of time")
      ->required();
  add_output_flags(command, flags);
}

void add_gym_flags(CLI::App& command, RoutesFlags& flags) {
  command.add_option("--gym", flags.gym, "gym folder: split.json and a folder a task")->required();
  command.add_option("--features", flags.features,
                     "hand-labelled features (TOML) [configs/task_features.toml]");
  add_json_flag(command, flags);
}

void add_disable_flags(CLI::App& command, RoutesFlags& flags) {
  add_gym_flags(command, flags);
  command
      .add_option("--limit", flags.limit, "only the first so many test records of a task; 0: all")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command.add_option("--pairs", flags.disabling.pairs, "so many pairs, the least p first")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--random", flags.disabling.random, "other experts to compare each with")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--seed", flags.disabling.seed, "of the choice of the other experts")
      ->capture_default_str();
  command
      .add_option("--mode", flags.mode,
                  "generation: what the model writes; ranking: the likeliest of a task's options")
      ->check(CLI::IsMember({"generation", "ranking"}))
      ->capture_default_str();
}

}  // namespace

void add_routes_command(CLI::App& app) {
  CLI::App* routes = app.add_subcommand("routes", "show, draw and explain the tasks' routes");
  routes->require_subcommand(1);
  add_part(*routes, "show", "every task's route as a table", "Example:\n  trivium routes show",
           run_show, add_json_flag);
  add_part(*routes, "plot", "a heat map of every task's route: a page to explore, or a picture",
           "The page needs no network: it sorts, compares tasks and tells exact weights.\n"
           "Example:\n  trivium routes plot --output routes.html",
           run_plot, add_output_flags);
  add_part(*routes, "dynamics", "how the routes changed in training, as a page that moves",
           "A training run writes its routes to routes.jsonl in run.output.\n"
           "Example:\n  trivium routes dynamics runs/mine/routes.jsonl --output dynamics.html",
           run_dynamics, add_dynamics_flags);
  add_part(
      *routes, "correlate", "which features of tasks go with which experts",
      "Pearson's correlation of binary features with the weights at temperature 1, over the\n"
      "tasks that the checkpoint and the gym share; p < 0.01, and what is left of it when the\n"
      "number of tests is counted in.\n"
      "Example:\n  trivium routes correlate --gym ../shared/gym",
      run_correlate, add_gym_flags);
  add_routes_gates(*routes);
  add_part(
      *routes, "disable", "whether the tasks of a feature need the expert it goes with",
      "Disables the expert of each found pair (r > 0) and compares how much the tasks with the\n"
      "feature, and those without it, lose; and the same for other, random experts.\n"
      "Example:\n  trivium routes disable --gym ../shared/gym --limit 50 --pairs 5",
      [](const RoutesFlags& flags) {
        watch_stop_signals();
        run_disable(flags);
      },
      add_disable_flags);
}

}  // namespace trivium
