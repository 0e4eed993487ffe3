// The benches of answering, and what benches of training share with them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "core/config/model_config.h"

namespace trivium::cli {

// {"median", "min", "max"} over the rounds; not empty.
Json spread(const std::vector<double>& figures);

// The shape in the config.json of a checkpoint folder ("": facebook/bart-base's), with no routes.
// Error kUsage where it has no position for `tokens` tokens.
ModelConfig bench_config(const std::string& checkpoint, int64_t tokens);

// trivium bench generation
void add_generation_bench(CLI::App& bench);
// trivium bench routed-decoding
void add_routed_decoding_bench(CLI::App& bench);

}  // namespace trivium::cli
