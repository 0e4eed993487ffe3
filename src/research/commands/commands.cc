#include "research/commands/commands.h"

#include "research/benches/benches.h"
#include "research/settings/experiment_settings.h"
#include "research/settings/mt_tag_settings.h"

namespace trivium::research {

void add_commands(CLI::App& app, int& status) {
  add_experiment_command(app, status);
  add_benches(*app.get_subcommand("bench"));
}

learning::SettingsKinds study_settings() {
  return {{"task-level", [] { return std::make_unique<TaskLevelSettings>(); }},
          {"mt-tag", [] { return std::make_unique<MtTagSettings>(); }}};
}

}  // namespace trivium::research
