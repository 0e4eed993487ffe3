// The subcommands of `trivium bench` that have files of their own.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

#include "base/json.h"

namespace trivium {

// {"median", "min", "max"} over the rounds; not empty.
Json spread(const std::vector<double>& figures);

// trivium bench agreement
void add_agreement_bench(CLI::App& bench);
// trivium bench generation
void add_generation_bench(CLI::App& bench);
// trivium bench routed-decoding
void add_routed_decoding_bench(CLI::App& bench);
// trivium bench token-gates
void add_token_gates_bench(CLI::App& bench);
// trivium bench training
void add_training_bench(CLI::App& bench);

}  // namespace trivium
