// The commands of trivium-train that make and change models. Each file of this folder adds one.
#pragma once

#include <CLI/CLI.hpp>

namespace trivium::learning {

// All of them, beside those of trivium (cli/commands/commands.h), which must be there already. A
// command that was stopped by a signal and can be resumed sets `status`. Also makes LibTorch answer
// for --engine torch.
void add_commands(CLI::App& app, int& status);

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
void add_config_command(CLI::App& app);
// trivium task vector, add
void add_task_commands(CLI::App& app);

}  // namespace trivium::learning
