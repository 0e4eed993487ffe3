// trivium config: what a settings file comes to.
#include <memory>
#include <string>
#include <vector>

#include "cli/output/output.h"
#include "cli/program/companion.h"
#include "cli/program/home.h"
#include "cli/program/json_flag.h"
#include "learning/commands/commands.h"
#include "learning/settings/classifier_settings.h"
#include "learning/settings/train_settings.h"

namespace trivium::learning {
namespace {

struct ConfigFlags {
  std::string kind, config;
  std::vector<std::string> overrides;
  bool json = false;
};

template <typename T>
std::unique_ptr<Settings> make_settings() {
  return std::make_unique<T>();
}

void run_config_show(const ConfigFlags& flags, const SettingsKinds& kinds) {
  const std::unique_ptr<Settings> settings = kinds.at(flags.kind)();
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

void add_config_command(CLI::App& app, const SettingsKinds& studies) {
  CLI::App* config = app.add_subcommand("config", cli::help_of_train_command("", "config"));
  config->require_subcommand(1);
  auto flags = std::make_shared<ConfigFlags>();
  SettingsKinds kinds = {{"train", make_settings<TrainSettings>},
                         {"pretrain", make_settings<PretrainSettings>},
                         {"classifier", make_settings<ClassifierSettings>}};
  kinds.insert(studies.begin(), studies.end());
  std::vector<std::string> names;
  for (const auto& [name, make] : kinds) names.push_back(name);
  CLI::App* show = config->add_subcommand(
      "show", "every setting as it is resolved, and where its value comes from");
  show->add_option("command", flags->kind, "the command that the file is for")
      ->check(CLI::IsMember(names))
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
  show->callback([flags, kinds] { run_config_show(*flags, kinds); });
  config->footer("Example:\n  trivium config show train configs/train_small_routed.toml");
}

}  // namespace trivium::learning
