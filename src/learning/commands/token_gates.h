// The commands around classifiers and experts chosen token by token. (Not in command.h, which every
// command includes.)
#pragma once

#include <CLI/CLI.hpp>

namespace trivium::learning {

// trivium classifier: training, scoring and maps of gates.
void add_classifier_command(CLI::App& app, int& status);
// trivium classifier adapt
void add_classifier_adapt(CLI::App& classifier, int& status);
// trivium experiment mt-tag
void add_mt_tag_experiment(CLI::App& experiment, int& status);

// trivium routes gates
void add_routes_gates(CLI::App& routes);

}  // namespace trivium::learning
