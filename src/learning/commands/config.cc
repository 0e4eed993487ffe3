// trivium config: what a settings file comes to.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/companion.h"
#include "cli/program/home.h"
#include "cli/program/json_flag.h"
#include "learning/commands/commands.h"
#include "learning/settings/classifier_settings.h"
#include "learning/settings/train_settings.h"

namespace trivium::learning {
namespace {

// Whose settings a file holds.
enum class ConfigKind { kTrain, kPretrain, kClassifier };

struct ConfigFlags {
  ConfigKind kind = ConfigKind::kTrain;
  std::string config;
  std::vector<std::string> overrides;
  bool json = false;
};

std::unique_ptr<Settings> settings_of(ConfigKind kind) {
  switch (kind) {
    case ConfigKind::kTrain:
      return std::make_unique<TrainSettings>();
    case ConfigKind::kPretrain:
      return std::make_unique<PretrainSettings>();
    case ConfigKind::kClassifier:
      break;
  }
  return std::make_unique<ClassifierSettings>();
}

void run_config_show(const ConfigFlags& flags) {
  const std::unique_ptr<Settings> settings = settings_of(flags.kind);
  const std::vector<ResolvedSetting> resolved =
      resolve_settings(*settings, cli::shipped_or_own(flags.config), flags.overrides);
  if (!flags.json) return cli::write_output(to_toml(resolved));
  Json list = Json::array();
  for (const ResolvedSetting& setting : resolved) {
    list.push_back({{"key", setting.key}, {"value", setting.value}, {"source", setting.source}});
  }
  cli::write_output(to_json_line({{"settings", list}}) + "\n");
}

}  // namespace

void add_config_command(CLI::App& app) {
  CLI::App* config = app.add_subcommand("config", cli::help_of_train_command("", "config"));
  config->require_subcommand(1);
  auto flags = std::make_shared<ConfigFlags>();
  CLI::App* show = config->add_subcommand(
      "show", "every setting as it is resolved, and where its value comes from");
  cli::add_choice<ConfigKind>(*show, "command", flags->kind,
                              {{"train", ConfigKind::kTrain},
                               {"pretrain", ConfigKind::kPretrain},
                               {"classifier", ConfigKind::kClassifier}},
                              "the command that the file is for")
      ->required();
  show->add_option("config", flags->config, "settings file (TOML), see configs/")->required();
  show->add_option("--set", flags->overrides, "override a setting: key=value")->take_all();
  cli::add_json_flag(*show, flags->json);
  show->footer(
      "The TOML that it prints is a settings file itself, which gives the same settings. A "
      "value's\n"
      "source is FILE:LINE, --set or default.\n"
      "Example:\n"
      "  trivium config show train configs/train_small_routed.toml --set train.steps=100");
  show->callback([flags] { run_config_show(*flags); });
  config->footer("Example:\n  trivium config show train configs/train_small_routed.toml");
}

}  // namespace trivium::learning
