// The commands of trivium-train that make and change models. Each file of this folder adds one.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/config/settings.h"

namespace trivium::learning {

// The defaults of a command's settings file, by the name that `trivium config show` has for the
// command.
using SettingsKinds = std::map<std::string, std::function<std::unique_ptr<Settings>()>>;

// All of them, beside those of trivium (cli/commands/commands.h), which must be there already. A
// command that was stopped by a signal and can be resumed sets `status`. `studies` are settings
// that `config show` shows besides those of these commands. Also makes LibTorch answer for --engine
// torch, and c10d connect the processes of generate, score and eval.
void add_commands(CLI::App& app, int& status, const SettingsKinds& studies);

void add_pretrain_command(CLI::App& app, int& status);
void add_train_command(CLI::App& app, int& status);
void add_adapt_command(CLI::App& app);
void add_classifier_command(CLI::App& app, int& status);
// trivium classifier adapt
void add_classifier_adapt(CLI::App& classifier, int& status);
void add_import_command(CLI::App& app);
// trivium routes disable, resolve
void add_routes_commands(CLI::App& app);
// trivium config show
void add_config_command(CLI::App& app, const SettingsKinds& studies);
// trivium task vector, add
void add_task_commands(CLI::App& app);

}  // namespace trivium::learning
