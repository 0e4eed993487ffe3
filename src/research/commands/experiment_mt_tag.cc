// trivium experiment mt-tag: token gates against a dense model and a single gate.
#include <memory>

#include "cli/output/output.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/logging.h"
#include "learning/commands/commands.h"
#include "learning/processes/join.h"
#include "research/commands/commands.h"
#include "research/settings/mt_tag_settings.h"
#include "research/studies/mt_tag_experiment.h"
#include "research/studies/mt_tag_report.h"

namespace trivium::research {
namespace {

constexpr const char* kMtTagFooter =
    "Trains every method of configs/mt_tag/ on many tasks from a BERT or MiniLM encoder, "
    "fine-tunes\n"
    "it on each task, and writes the paper's tables beside the paper's numbers (Markdown and "
    "HTML)\n"
    "into the output folder. Stopped, it goes on where it was when it is started again. Presets:\n"
    "configs/mt_tag_*.toml.\n"
    "Example:\n"
    "  trivium experiment mt-tag --preset quick --set experiment.init=FOLDER";

struct MtTagFlags {
  std::string preset = "quick", config;
  std::vector<std::string> overrides;
  bool reference = false;
};

std::string command_line(const MtTagFlags& flags) {
  std::string text = "tools/trivium experiment mt-tag " +
                     (flags.config.empty() ? "--preset " + flags.preset : shell_word(flags.config));
  for (const std::string& value : flags.overrides) text += " --set " + shell_word(value);
  return text;
}

int run_mt_tag(const MtTagFlags& flags) {
  MtTagSettings settings;
  if (flags.reference) {
    cli::write_output(settings_reference(settings));
    return 0;
  }
  const std::filesystem::path config =
      flags.config.empty() ? cli::home_folder() / "configs" / ("mt_tag_" + flags.preset + ".toml")
                           : std::filesystem::path(flags.config);
  learning::join_processes(learning::RunsIn::kOne);
  load_settings(settings, config, flags.overrides);
  cli::check_start(settings.init, "experiment.init");
  cli::check_output_folder(settings.output, "experiment.output");
  if (settings.threads > 0) at::set_num_threads(static_cast<int>(settings.threads));
  cli::watch_stop_signals();
  MtTagSettings resolved = settings;  // the report says what was asked for
  if (settings.plan.empty()) {
    resolved.plan = (cli::home_folder() / "configs" / "mt_tag" / "plan.toml").string();
  }
  resolved.methods_folder = cli::shipped_or_own(settings.methods_folder).string();
  MtTagExperiment experiment(resolved, &cli::stop_requested());
  if (!experiment.run()) {
    spdlog::warn("stopped; the same command goes on");
    return static_cast<int>(ExitCode::kStopped);
  }
  const std::vector<ResultTable>& tables = experiment.tables();
  mt_tag_report(tables, experiment.runs(), settings, command_line(flags))
      .write(settings.output, "mt_tag");
  ReportDocument summary("Token-level experts with task-aware gates");
  for (const ResultTable& table : tables) {
    summary.heading(table.name + ": " + table.title);
    summary.table(mt_tag_table(table, experiment.runs()));
  }
  summary.table(mt_tag_claims(tables, experiment.runs()));
  cli::write_output(summary.to_markdown());
  spdlog::info("wrote {}/mt_tag.md and .html", settings.output);
  return 0;
}

}  // namespace

void add_mt_tag_experiment(CLI::App& experiment, int& status) {
  auto flags = std::make_shared<MtTagFlags>();
  CLI::App* command = experiment.add_subcommand(
      "mt-tag", "experts chosen token by token: dense, one gate, a gate for every task");
  command->add_option("config", flags->config, "settings file (TOML) instead of a preset");
  command->add_option("--preset", flags->preset, "quick: 30 minutes of 2 cores; full: a night")
      ->check(CLI::IsMember({"quick", "full"}))
      ->capture_default_str();
  command->add_option("--set", flags->overrides, "override a setting: key=value")->take_all();
  command->add_flag("--settings", flags->reference, "print every setting and its default");
  command->footer(kMtTagFooter);
  command->callback([flags, &status] { status = run_mt_tag(*flags); });
}

}  // namespace trivium::research
