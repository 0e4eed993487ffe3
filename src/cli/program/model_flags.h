// The flags of every command that answers with a checkpoint.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "core/generation/search.h"
#include "core/inference/loaded_model.h"

namespace trivium::cli {

enum class EngineKind {
  kFast,       // "fast": this program's own kernels
  kReference,  // "torch": LibTorch, in trivium-train
};

struct ModelFlags {
  std::string checkpoint;  // "": the one shipped in checkpoints/
  std::string device = "cpu";
  int threads = 0;  // 0: one a core
  EngineKind engine = EngineKind::kFast;
  ComputeType compute = ComputeType::kFloat32;  // the fast engine's numbers
  double expert_threshold = 0;                  // EngineOptions::expert_threshold
  // The fast engine's kernels: the best, unless a bench asks for others.
  InstructionSet instructions = available_instruction_sets().back();
};
const char* name_of(EngineKind kind);

// --compute
void add_compute_flag(CLI::App& command, ComputeType& compute, const std::string& help);
// --checkpoint alone, for what reads no weights.
void add_checkpoint_flag(CLI::App& command, std::string& checkpoint);
// --threads
void add_threads_flag(CLI::App& command, int& threads);
// --on-long
void add_on_long_flag(CLI::App& command, OnLong& on_long);
// All of them.
void add_model_flags(CLI::App& command, ModelFlags& flags);

// The folder that --checkpoint names, or the shipped one.
std::string checkpoint_folder(const std::string& flag);

// Threads of the CPU for --threads: as many as asked, one a core for 0.
int cpu_threads(int asked);

// Loads the checkpoint on the engine. `options.stop` is for the caller to set.
LoadedModel load_model(const ModelFlags& flags, const GeneratorOptions& options = {});

// How trivium-train answers with --engine torch. (trivium starts trivium-train for that.)
using ReferenceLoader = LoadedModel (*)(const ModelFlags& flags, const GeneratorOptions& options);
void set_reference_loader(ReferenceLoader loader);

// How to search; what is not given is the checkpoint's own (config.json).
struct SearchFlags {
  int num_beams = 0;  // 0: the checkpoint's
  int n_best = 1;
  int max_length = 0;   // 0: the checkpoint's
  int min_length = -1;  // -1: the checkpoint's
  bool sample = false;
  double temperature = 1.0, top_p = 1.0;
  int top_k = 0;
  uint64_t seed = 0;
};
void add_search_flags(CLI::App& command, SearchFlags& flags);
// Error kUsage for flags that do not go together, or that the model cannot do.
SearchOptions search_options(const SearchFlags& flags, LoadedModel& model);

}  // namespace trivium::cli
