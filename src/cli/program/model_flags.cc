#include "cli/program/model_flags.h"

#include <algorithm>
#include <thread>

#include "cli/program/choice.h"
#include "cli/program/home.h"
#include "core/base/error.h"
#include "core/base/launch.h"
#include "core/base/logging.h"

namespace trivium::cli {
namespace {

ReferenceLoader reference_loader = nullptr;

const EnumNames<EngineKind>& engine_names() {
  static const EnumNames<EngineKind> names = {{"fast", EngineKind::kFast},
                                              {"torch", EngineKind::kReference}};
  return names;
}

const EnumNames<ComputeType>& compute_names() {
  static const EnumNames<ComputeType> names = {
      {name_of(ComputeType::kFloat32), ComputeType::kFloat32},
      {name_of(ComputeType::kBfloat16), ComputeType::kBfloat16},
      {name_of(ComputeType::kInt8), ComputeType::kInt8}};
  return names;
}

EngineOptions engine_options(const ModelFlags& flags) {
  EngineOptions options;
  options.type = flags.compute;
  options.threads = cpu_threads(flags.threads);
  options.instructions = flags.instructions;
  options.expert_threshold = static_cast<float>(flags.expert_threshold);
  options.device = parse_device(flags.device);
  return options;
}

}  // namespace

void set_reference_loader(ReferenceLoader loader) { reference_loader = loader; }

const char* name_of(EngineKind kind) { return name_in(engine_names(), kind).c_str(); }

void add_compute_flag(CLI::App& command, ComputeType& compute, const std::string& help) {
  add_choice(command, "--compute", compute, compute_names(), help);
}

void add_checkpoint_flag(CLI::App& command, std::string& checkpoint) {
  command.add_option("--checkpoint", checkpoint,
                     "checkpoint folder [the one shipped in checkpoints/]");
}

void add_on_long_flag(CLI::App& command, OnLong& on_long) {
  add_choice(command, "--on-long", on_long, on_long_names(),
             "texts of more tokens than the model reads: truncate cuts them and says so, mark "
             "leaves them without an answer, error takes them for bad data");
}

void add_threads_flag(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "threads of the CPU; 0: one a core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  add_checkpoint_flag(command, flags.checkpoint);
  command.add_option("--device", flags.device, "cpu, cuda or cuda:N")->capture_default_str();
  add_threads_flag(command, flags.threads);
  add_choice(command, "--engine", flags.engine, engine_names(),
             "fast: this program's own kernels; torch: LibTorch, by trivium-train");
  add_compute_flag(command, flags.compute,
                   "numbers of the fast engine: float32 (exact), bfloat16 or, on the CPU, int8 "
                   "(faster, smaller)");
  command
      .add_option("--expert-threshold", flags.expert_threshold,
                  "fast engine: leave out a soft route's experts below this weight; 0: none")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
}

std::string checkpoint_folder(const std::string& flag) {
  return flag.empty() ? default_checkpoint() : flag;
}

int cpu_threads(int asked) {
  if (asked > 0) return asked;
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, cores / launch_from_environment().sharing_cores);
}

LoadedModel load_model(const ModelFlags& flags, const GeneratorOptions& options) {
  if (flags.engine == EngineKind::kFast) {
    LoadedModel model(checkpoint_folder(flags.checkpoint), engine_options(flags), options);
    for (const auto& [name, problem] : model.unusable_tasks()) spdlog::warn("{}", problem);
    return model;
  }
  if (flags.compute != ComputeType::kFloat32 || flags.expert_threshold != 0) {
    throw Error(ExitCode::kUsage,
                "--compute and --expert-threshold are for --engine fast; leave them out");
  }
  check(reference_loader != nullptr, "trivium starts trivium-train for --engine torch");
  return reference_loader(flags, options);
}

void add_search_flags(CLI::App& command, SearchFlags& flags) {
  command.add_option("--num-beams", flags.num_beams, "beams; 1: greedy [the checkpoint's]")
      ->check(CLI::Range(1, 64));
  command
      .add_option("--n-best", flags.n_best, "of the beams, the so many best answers of each prompt")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command
      .add_option("--max-length", flags.max_length, "longest answer in tokens [the checkpoint's]")
      ->check(CLI::Range(2, 4096));
  command
      .add_option("--min-length", flags.min_length,
                  "shortest answer in tokens, the start token included [the checkpoint's]")
      ->check(CLI::Range(0, 4096));
  CLI::Option* sample =
      command.add_flag("--sample", flags.sample, "draw tokens by their probability, without beams");
  command
      .add_option("--temperature", flags.temperature,
                  "with --sample: below 1 keeps nearer to the likeliest")
      ->check(CLI::Range(1e-3, 1e3))
      ->needs(sample)
      ->capture_default_str();
  command.add_option("--top-k", flags.top_k, "with --sample: only the k likeliest; 0: all")
      ->check(CLI::Range(0, 1 << 30))
      ->needs(sample)
      ->capture_default_str();
  command.add_option("--top-p", flags.top_p, "with --sample: only the likeliest of this mass")
      ->check(CLI::Range(1e-6, 1.0))
      ->needs(sample)
      ->capture_default_str();
  command.add_option("--seed", flags.seed, "with --sample: of the random numbers")
      ->needs(sample)
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
  if (flags.min_length >= 0) search.min_length = flags.min_length;
  if (flags.min_length > search.max_length ||
      (flags.max_length > 0 && flags.max_length < search.min_length)) {
    throw Error(ExitCode::kUsage, "the shortest answer (--min-length " +
                                      std::to_string(search.min_length) +
                                      ") is longer than the longest (--max-length " +
                                      std::to_string(search.max_length) + ")");
  }
  search.sample = flags.sample;
  if (flags.sample) search.num_beams = 1;
  if (flags.n_best > search.num_beams) {
    throw Error(ExitCode::kUsage, "--n-best " + std::to_string(flags.n_best) +
                                      " is more than there are beams (" +
                                      std::to_string(search.num_beams) + "); raise --num-beams");
  }
  search.n_best = flags.n_best;
  search.temperature = flags.temperature;
  search.top_k = flags.top_k;
  search.top_p = flags.top_p;
  search.seed = flags.seed;
  return search;
}

}  // namespace trivium::cli
