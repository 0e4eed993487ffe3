// The commands of the program trivium. Each file of this folder adds one to the command line.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace trivium::cli {

// All of them. A command that met bad lines, or was stopped by a signal, sets `status`.
void add_commands(CLI::App& app, int& status);

// The names of trivium-train's commands, so that the help of this program lists them; asked for
// nevertheless, they start trivium-train with `arguments`.
void add_train_command_names(CLI::App& app, const std::vector<std::string>& arguments);

void add_repl_command(CLI::App& app, int& status);
void add_generate_command(CLI::App& app, int& status);
void add_score_command(CLI::App& app, int& status);
void add_serve_command(CLI::App& app, int& status);
void add_eval_command(CLI::App& app, int& status);
void add_routes_command(CLI::App& app);
void add_routes_gates(CLI::App& routes);
void add_curves_command(CLI::App& app);
void add_task_command(CLI::App& app);
void add_task_finder_command(CLI::App& task);
void add_export_command(CLI::App& app);
void add_verify_command(CLI::App& app);
void add_tokenizer_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_doctor_command(CLI::App& app, int& status);

}  // namespace trivium::cli
