// The commands of the program. Each file of this folder adds one to the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <string>

namespace trivium {

// Each adds its subcommand to `app`; its callback does the work and throws Error for what a user
// can mend. A command that was stopped by a signal and can be resumed sets `status` to kStopped's
// code.
void add_train_command(CLI::App& app, int& status);
void add_pretrain_command(CLI::App& app, int& status);
void add_import_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_tokenizer_command(CLI::App& app);
void add_repl_command(CLI::App& app, int& status);
void add_generate_command(CLI::App& app, int& status);
void add_score_command(CLI::App& app, int& status);
void add_eval_command(CLI::App& app, int& status);
void add_adapt_command(CLI::App& app);
void add_task_command(CLI::App& app);
void add_routes_command(CLI::App& app);
void add_experiment_command(CLI::App& app, int& status);
void add_bench_command(CLI::App& app);

// The folder that holds prompts/, configs/ and checkpoints/: $TRIVIUM_HOME, which tools/trivium
// sets, or the source tree that the program was built from.
std::filesystem::path home_folder();

// The checkpoint that commands use when none is named: the one shipped in checkpoints/.
std::string default_checkpoint();

// Set by SIGINT and SIGTERM once watch_stop_signals() was called; a second signal ends the program.
const std::atomic<bool>& stop_requested();
void watch_stop_signals();

}  // namespace trivium
