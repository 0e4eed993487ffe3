#include "commands/model_flags.h"

#include "base/error.h"
#include "commands/command.h"
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

LoadedModel load_model(const ModelFlags& flags, const GeneratorOptions& options) {
  const torch::Device device = parse_device(flags.device);
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  return LoadedModel(flags.checkpoint.empty() ? default_checkpoint() : flags.checkpoint, device,
                     options);
}

void add_search_flags(CLI::App& command, SearchFlags& flags) {
  command.add_option("--num-beams", flags.num_beams, "beams; 1: greedy [the checkpoint's]")
      ->check(CLI::Range(1, 64));
  command
      .add_option("--max-length", flags.max_length, "longest answer in tokens [the checkpoint's]")
      ->check(CLI::Range(2, 4096));
  command.add_flag("--sample", flags.sample, "draw tokens by their probability, without beams");
  command.add_option("--temperature", flags.temperature, "with --sample: below 1 keeps nearer to the likeliest")
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
  const int64_t positions = model.model()->config().max_position_embeddings;
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
