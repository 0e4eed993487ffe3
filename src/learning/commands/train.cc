// trivium train: multi-task training of experts and routes.
#include <memory>
#include <optional>

#include "cli/output/output.h"
#include "cli/program/given_paths.h"
#include "cli/program/home.h"
#include "cli/program/stop_signal.h"
#include "core/base/error.h"
#include "core/base/file_lock.h"
#include "core/data/gym.h"
#include "learning/commands/commands.h"
#include "learning/model/device.h"
#include "learning/processes/join.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/dry_run.h"
#include "learning/training/multi_task_training.h"

namespace trivium::learning {
namespace {

struct TrainFlags {
  std::string config, device = "cpu";
  std::vector<std::string> overrides;
  bool resume = false, reference = false, dry_run = false;
};

int run_train(const TrainFlags& flags) {
  TrainSettings settings;
  if (flags.reference) {
    cli::write_output(settings_reference(settings));
    return 0;
  }
  load_settings(settings, flags.config, flags.overrides);
  cli::check_start(settings.init, "model.init");
  cli::check_output_folder(settings.run.output, "run.output");
  const Processes processes = join_processes(flags.dry_run ? RunsIn::kOne : RunsIn::kSeveral);
  std::optional<FileLock> lock;
  if (!flags.dry_run && processes.is_first()) lock.emplace(settings.run.output);
  settings.prompts = cli::prompts_folder(settings.prompts).string();
  const Gym gym(settings.gym);
  gym.chosen_tasks(settings.part, settings.tasks);  // unknown: before any work
  const torch::Device device = parse_device(flags.device);
  refuse_device(processes, device);
  if (settings.optimiser.threads > 0)
    at::set_num_threads(static_cast<int>(settings.optimiser.threads));
  const Checkpoint start = load_checkpoint(settings.init);
  const TaskMixture mixture = load_task_mixture(gym, settings, start);
  if (flags.dry_run) {
    cli::write_output(plan_training(start, mixture, settings, {device}).dump(2) + "\n");
    return 0;
  }
  cli::watch_stop_signals();
  const bool finished = train_on_mixture(
      start, mixture, settings, {device, &cli::stop_requested(), flags.resume, &processes});
  return finished ? 0 : static_cast<int>(ExitCode::kStopped);
}

}  // namespace

void add_train_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = app.add_subcommand("train", "train experts and routes on many tasks");
  command->add_option("config", flags->config, "settings file (TOML), see configs/");
  command->add_option("--set", flags->overrides, "override a setting: key=value")->take_all();
  command->add_option("--device", flags->device, "cpu, cuda or cuda:N")->capture_default_str();
  command->add_flag("--resume", flags->resume, "go on from the run's last/");
  command->add_flag("--dry-run", flags->dry_run, kDryRunHelp);
  command->add_flag("--settings", flags->reference, "print every setting, its default and meaning");
  command->footer(
      "Ctrl-C stops after the step at hand; --resume goes on. Of the gym folder that data.gym "
      "names\n"
      "docs/data.md has every form.\n"
      "Example:\n"
      "  trivium train configs/train_small_routed.toml --set model.init=runs/denoised/last\n"
      "      --set run.output=runs/trained");
  command->callback([flags, &status] {
    if (!flags->reference && flags->config.empty()) {
      throw Error(ExitCode::kUsage, "name a settings file: trivium train configs/FILE.toml");
    }
    status = run_train(*flags);
  });
}

}  // namespace trivium::learning
