// The subcommands of `trivium bench` that have files of their own.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/json.h"
#include "config/model_config.h"

namespace trivium {

// {"median", "min", "max"} over the rounds; not empty.
Json spread(const std::vector<double>& figures);

// The shape in the config.json of a checkpoint folder ("": facebook/bart-base's), with no routes.
// Error kUsage where it has no position for `tokens` tokens.
ModelConfig bench_config(const std::string& checkpoint, int64_t tokens);

// --precision, --threads and --rounds of the benches of training.
struct StepFlags {
  std::string precision = "bf16";
  int64_t rounds = 7;
  int threads = 0;  // 0: one a core
};
void add_step_flags(CLI::App& command, StepFlags& flags);

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
