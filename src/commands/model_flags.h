// The flags of every command that answers with a checkpoint.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "generation/search.h"
#include "inference/loaded_model.h"

namespace trivium {

struct ModelFlags {
  std::string checkpoint;  // "": the one shipped in checkpoints/
  std::string device = "cpu";
  int threads = 0;                  // 0: one a core
  std::string engine = "torch";     // or "fast"
  std::string compute = "float32";  // the fast engine's numbers
  double expert_threshold = 0;      // EngineOptions::expert_threshold
};
void add_model_flags(CLI::App& command, ModelFlags& flags);
// The same, and the choice of the engine; by default the fast one, where it can compute the model.
void add_engine_flags(CLI::App& command, ModelFlags& flags);

// Threads of the CPU for --threads: as many as asked, one a core for 0.
int cpu_threads(int asked);

// Sets the threads and loads the checkpoint. `options.stop` is for the caller to set.
LoadedModel load_model(const ModelFlags& flags, const GeneratorOptions& options = {});

// How to search; what is not given is the checkpoint's own (config.json).
struct SearchFlags {
  int num_beams = 0;   // 0: the checkpoint's
  int max_length = 0;  // 0: the checkpoint's
  bool sample = false;
  double temperature = 1.0, top_p = 1.0;
  int top_k = 0;
  uint64_t seed = 0;
};
void add_search_flags(CLI::App& command, SearchFlags& flags);
// Error kUsage for flags that do not go together, or that the model cannot do.
SearchOptions search_options(const SearchFlags& flags, LoadedModel& model);

}  // namespace trivium
