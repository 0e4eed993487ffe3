// The benches of training, beside those of answering (cli/benches).
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

#include "learning/settings/train_settings.h"

namespace trivium::research {

// --precision, --threads and --rounds of the benches of training.
struct StepFlags {
  learning::Precision precision = learning::Precision::kBfloat16;
  int64_t rounds = 7;
  int threads = 0;  // 0: one a core
};
void add_step_flags(CLI::App& command, StepFlags& flags);

// Adds every bench of this room to `trivium bench`.
void add_benches(CLI::App& bench);

void add_agreement_bench(CLI::App& bench);
void add_straight_through_bench(CLI::App& bench);
void add_token_gates_bench(CLI::App& bench);
void add_training_bench(CLI::App& bench);

}  // namespace trivium::research
