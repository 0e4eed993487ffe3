// trivium routes: what a checkpoint's routes are, how they came to be, and what they mean.
#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/batch/result_file.h"
#include "cli/commands/commands.h"
#include "cli/commands/route_features.h"
#include "cli/output/output.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/json_flag.h"
#include "cli/program/model_flags.h"
#include "core/analysis/correlation_report.h"
#include "core/analysis/heat_map.h"
#include "core/analysis/routes_page.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/logging.h"
#include "core/routes/route_file.h"
#include "core/text/table.h"

namespace trivium::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFrames = 120;  // of a page: more would only make it heavy

struct RoutesFlags {
  std::string checkpoint, output;
  std::vector<std::string> moments;
  FeatureFlags features;
  bool json = false, overwrite = false;
};

// The routes that a checkpoint stores, which needs none of its weights.
RouteDump dump_of(const CheckpointInfo& info) {
  return dump_routes(info.routes.value_or(ModelRoutes()), info.config, info.tasks);
}

CheckpointInfo info_of(const std::string& checkpoint) {
  return open_checkpoint(checkpoint_folder(checkpoint)).info;
}

// --- show

// "2 0.93": the expert with the largest weight at temperature 1; a star where the route as used
// takes another.
std::string cell_of(const RouteDump& dump, const RouteRow& row, size_t place) {
  const auto main_of = [&](const std::vector<float>& weights) {
    const auto begin = weights.begin() + static_cast<int64_t>(dump.column(place, 0));
    return std::max_element(begin, begin + static_cast<int64_t>(dump.num_experts)) - begin;
  };
  const auto expert = static_cast<size_t>(main_of(row.likely));
  return fmt::format("{} {:.2f}{}", expert + 1, row.likely[dump.column(place, expert)],
                     main_of(row.likely) == main_of(row.used) ? "" : "*");
}

std::string route_table(const RouteDump& dump) {
  std::vector<TableColumn> columns = {{"family"}, {"task"}};
  for (const LayerPlace& place : dump.places) {
    columns.push_back({fmt::format("{} {}", place.in_decoder ? "dec" : "enc", place.layer + 1)});
  }
  Table table(std::move(columns));
  for (const RouteRow& row : dump.tasks) {
    std::vector<std::string> cells = {row.family, row.task};
    for (size_t p = 0; p < dump.places.size(); ++p) cells.push_back(cell_of(dump, row, p));
    table.add(cells);
  }
  return table.to_text() +
         "\nThe likeliest expert of every layer that is a pool, and its weight at temperature "
         "1. A star: the route as used takes another.\n";
}

void run_show(const RoutesFlags& flags) {
  const RouteDump dump = dump_of(info_of(flags.checkpoint));
  write_output(flags.json ? to_json_line(to_json(dump)) + "\n" : route_table(dump));
}

// --- plot, dynamics

void write_picture(const RoutesFlags& flags, const std::string& title,
                   const std::vector<RouteFrame>& frames) {
  check_ending(flags.output, {".html", ".svg"}, "--output");
  ResultFile file(flags.output, flags.overwrite ? OldFile::kReplaced : OldFile::kRefused);
  file.write(fs::path(flags.output).extension() == ".svg" ? heat_map_svg(frames.back().routes)
                                                          : routes_page(title, frames));
  file.finish();
}

void run_plot(const RoutesFlags& flags) {
  const fs::path folder = checkpoint_folder(flags.checkpoint);
  const std::string name =
      (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  write_picture(flags, "Routes of " + name, {{name, dump_of(info_of(flags.checkpoint))}});
}

std::vector<RouteFrame> frames_of(const RoutesFlags& flags) {
  std::vector<RouteFrame> frames;
  for (const std::string& moment : flags.moments) {
    if (fs::is_directory(moment)) {
      frames.push_back({fs::path(moment).lexically_normal().string(), dump_of(info_of(moment))});
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

// --- correlate

void run_correlate(const RoutesFlags& flags) {
  const CheckpointInfo info = info_of(flags.checkpoint);
  const Gym gym(flags.features.gym);
  const PromptLibrary prompts(prompts_folder());
  const CorrelationReport report =
      correlate(dump_of(info), features_of_tasks(info.tasks, gym, prompts, flags.features.labels));
  write_output(flags.features.json ? to_json_line(to_json(report)) + "\n" : to_markdown(report));
}

// --- flags

using Run = void (*)(const RoutesFlags&);

// A subcommand whose flags `add` declares.
void add_part(CLI::App& routes, const char* name, const char* help, const char* footer, Run run,
              void (*add)(CLI::App&, RoutesFlags&)) {
  auto flags = std::make_shared<RoutesFlags>();
  CLI::App* command = routes.add_subcommand(name, help);
  add(*command, *flags);
  add_checkpoint_flag(*command, flags->checkpoint);
  command->footer(footer);
  command->callback([flags, run] { run(*flags); });
}

void add_show_flags(CLI::App& command, RoutesFlags& flags) { add_json_flag(command, flags.json); }

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

void add_correlate_flags(CLI::App& command, RoutesFlags& flags) {
  add_feature_flags(command, flags.features);
}

}  // namespace

void add_routes_command(CLI::App& app) {
  CLI::App* routes = app.add_subcommand("routes", "show, draw and explain the tasks' routes");
  routes->require_subcommand(1);
  add_part(*routes, "show", "every task's route as a table", "Example:\n  trivium routes show",
           run_show, add_show_flags);
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
      run_correlate, add_correlate_flags);
  add_routes_gates(*routes);
  routes->footer("Example:\n  trivium routes show");
}

}  // namespace trivium::cli
