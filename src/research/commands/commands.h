// The commands of trivium-train that run the sources' studies and measure training.
#pragma once

#include <CLI/CLI.hpp>

#include "learning/commands/commands.h"

namespace trivium::research {

// All of them. A command that was stopped by a signal and can be resumed sets `status`.
void add_commands(CLI::App& app, int& status);

// The settings files of the studies, as `trivium config show` names them.
learning::SettingsKinds study_settings();

// trivium experiment task-level, mt-tag
void add_experiment_command(CLI::App& app, int& status);
void add_mt_tag_experiment(CLI::App& experiment, int& status);

}  // namespace trivium::research
