#include "commands/model_flags.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <thread>

#include "base/error.h"
#include "commands/command.h"
#include "kernels/backend.h"
#include "model/device.h"

namespace trivium {

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command.add_option("--checkpoint", flags.checkpoint,
                     "checkpoint folder [the one shipped in checkpoints/]");
  command.add_option("--device", flags.device, "cpu, cuda or cuda:N")->capture_default_str();
  command.add_option("--threads", flags.threads, "threads of the CPU; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_engine_flags(CLI::App& command, ModelFlags& flags) {
  flags.engine = "fast";
  add_model_flags(command, flags);
  command.add_option("--engine", flags.engine, "fast: this program's own kernels; torch: LibTorch")
      ->check(CLI::IsMember({"fast", "torch"}))
      ->capture_default_str();
  command
      .add_option("--compute", flags.compute,
                  "numbers of the fast engine: float32 (exact), bfloat16 or, on the CPU, int8 "
                  "(faster, smaller)")
      ->check(CLI::IsMember({"float32", "bfloat16", "int8"}))
      ->capture_default_str();
  command
      .add_option("--expert-threshold", flags.expert_threshold,
                  "fast engine: leave out a soft route's experts below this weight; 0: none")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

namespace {

// EngineOptions::cuda_device for --device; nothing where the engine finds no such device. Does not
// load LibTorch's CUDA library, which the engine can do without.
std::optional<int> engine_device(const std::string& name) {
  if (name == "cpu") return -1;
  for (int number = 0; number < cuda_device_count(); ++number) {
    if (name == "cuda:" + std::to_string(number) || (name == "cuda" && number == 0)) return number;
  }
  return std::nullopt;
}

// What the fast engine is to do, or nothing where LibTorch computes.
std::optional<EngineOptions> engine_options(const ModelFlags& flags, const std::string& folder,
                                            const std::optional<int>& device) {
  const std::filesystem::path file = std::filesystem::path(folder) / "config.json";
  const bool is_fast = flags.engine == "fast" && device && std::filesystem::exists(file);
  if (!is_fast) {
    if (flags.compute == "float32" && flags.expert_threshold == 0) return std::nullopt;
    throw Error(ExitCode::kUsage,
                "--compute and --expert-threshold are for --engine fast; leave them out");
  }
  EngineOptions options;
  options.type = compute_type(flags.compute);
  options.threads = cpu_threads(flags.threads);
  options.expert_threshold = static_cast<float>(flags.expert_threshold);
  options.cuda_device = *device;
  return options;
}

}  // namespace

int cpu_threads(int asked) {
  return asked > 0 ? asked : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

LoadedModel load_model(const ModelFlags& flags, const GeneratorOptions& options) {
  const std::optional<int> number = engine_device(flags.device);
  torch::Device device = torch::kCPU;
  if (!number) device = parse_device(flags.device);  // says what is wrong with it
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  const std::string folder = flags.checkpoint.empty() ? default_checkpoint() : flags.checkpoint;
  const std::optional<EngineOptions> engine = engine_options(flags, folder, number);
  if (!engine) device = parse_device(flags.device);
  return LoadedModel(folder, device, options, engine);
}

void add_search_flags(CLI::App& command, SearchFlags& flags) {
  command.add_option("--num-beams", flags.num_beams, "beams; 1: greedy [the checkpoint's]")
      ->check(CLI::Range(1, 64));
  command
      .add_option("--max-length", flags.max_length, "longest answer in tokens [the checkpoint's]")
      ->check(CLI::Range(2, 4096));
  command.add_flag("--sample", flags.sample, "draw tokens by their probability, without beams");
  command
      .add_option("--temperature", flags.temperature,
                  "with --sample: below 1 keeps nearer to the likeliest")
      ->check(CLI::Range(1e-3, 1e3))
      ->capture_default_str();
  command.add_option("--top-k", flags.top_k, "with --sample: only the k likeliest; 0: all")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  command.add_option("--top-p", flags.top_p, "with --sample: only the likeliest of this mass")
      ->check(CLI::Range(1e-6, 1.0))
      ->capture_default_str();
  command.add_option("--seed", flags.seed, "with --sample: of the random numbers")
      ->capture_default_str();
}

SearchOptions search_options(const SearchFlags& flags, LoadedModel& model) {
  if (flags.sample && flags.num_beams > 1) {
    throw Error(ExitCode::kUsage, "--sample goes without beams; leave --num-beams out");
  }
  const int64_t positions = model.config().max_position_embeddings;
  if (flags.max_length > positions) {
    throw Error(ExitCode::kUsage, "--max-length is more than the model's " +
                                      std::to_string(positions) + " positions");
  }
  SearchOptions search = model.generator().default_search();
  if (flags.num_beams > 0) search.num_beams = flags.num_beams;
  if (flags.max_length > 0) search.max_length = flags.max_length;
  search.sample = flags.sample;
  if (flags.sample) search.num_beams = 1;
  search.temperature = flags.temperature;
  search.top_k = flags.top_k;
  search.top_p = flags.top_p;
  search.seed = flags.seed;
  return search;
}

}  // namespace trivium
