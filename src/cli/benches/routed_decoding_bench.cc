// trivium bench routed-decoding: what a pool of experts costs in decoding, against a dense model.
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "cli/benches/benches.h"
#include "cli/output/output.h"
#include "cli/program/model_flags.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/timing.h"
#include "core/engine/engine.h"
#include "core/generation/search.h"
#include "core/metrics/quantile.h"

namespace trivium::cli {
namespace {

constexpr const char* kRoutedFooter =
    "Random weights of BART-base's size on the fast engine; greedy, every answer of full length.\n"
    "  dense      one expert a layer\n"
    "  one_task   a pool in every layer, all rows along one route\n"
    "  mixed      the same pools, every row along its task's own random route\n"
    "  gates      as many experts in each layer's feed-forward part, chosen token by token\n"
    "Each round times the four one after another; a ratio is of seconds within a round.\n"
    "Example:\n  trivium bench routed-decoding --batch 8 --tasks 8";

struct RoutedFlags {
  ComputeType compute = ComputeType::kFloat32;
  int64_t num_experts = 3, tasks = 8, batch = 32, source_tokens = 128, new_tokens = 64, rounds = 3;
  int threads = 0;
};

// Random weights by name; norms of 1. Quick and repeating, since only their number matters here.
class RandomWeights {
 public:
  // `num_experts`: of token gates.
  RandomWeights(const ModelConfig& config, int64_t num_experts)
      : config_(config), num_experts_(num_experts) {
    Rng rng(1);
    for (float& value : values_) value = static_cast<float>(rng.uniform() - 0.5) * 0.07f;
  }

  HostTensor read(const std::string& name) const {
    const std::vector<int64_t> shape = shape_of(name);
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    const std::shared_ptr<float> values(new float[static_cast<size_t>(count)],
                                        std::default_delete<float[]>());
    const size_t first = std::hash<std::string>()(name) % values_.size();
    const bool is_norm = name.find("norm") != name.npos && name.ends_with(".weight");
    for (int64_t i = 0; i < count; ++i) {
      values.get()[i] = is_norm ? 1.0f : values_[(first + static_cast<size_t>(i)) % values_.size()];
    }
    return {values, shape};
  }

 private:
  std::vector<int64_t> shape_of(const std::string& name) const {
    const int64_t d_model = config_.d_model;
    if (name == "shared.weight") return {config_.vocab_size, d_model};
    if (name == "final_logits_bias") return {1, config_.vocab_size};
    if (name.find("embed_positions") != name.npos) {
      return {config_.max_position_embeddings + 2, d_model};
    }
    const int64_t d_ffn =
        name.starts_with("encoder") ? config_.encoder_ffn_dim : config_.decoder_ffn_dim;
    if (name.ends_with("fc1.weight")) return {d_ffn, d_model};
    if (name.ends_with("fc1.bias")) return {d_ffn};
    if (name.ends_with("fc2.weight")) return {d_model, d_ffn};
    if (name.ends_with("gate.weight")) return {1, num_experts_, d_model};
    if (name.ends_with("bias") || name.find("norm") != name.npos) return {d_model};
    return {d_model, d_model};
  }

  ModelConfig config_;
  int64_t num_experts_;
  std::vector<float> values_ = std::vector<float>(1000003);  // a prime: no two rows are the same
};

TaskRoute random_route(const ModelConfig& config, Rng& rng) {
  const auto layer = [&] {
    const auto num_experts = static_cast<size_t>(config.routing.num_experts);
    std::vector<float> weights(num_experts);
    weights[static_cast<size_t>(rng.uniform() * static_cast<double>(num_experts))] = 1;
    return weights;
  };
  TaskRoute route;
  for (int64_t l = 0; l < config.encoder_layers; ++l) route.encoder.push_back(layer());
  for (int64_t l = 0; l < config.decoder_layers; ++l) route.decoder.push_back(layer());
  return route;
}

// Seconds of one batch whose row i takes route i mod `tasks`.
double time_batch(Engine& engine, const RoutedFlags& flags, int64_t tasks) {
  const ModelConfig& config = engine.config();
  Rng rng(2);
  std::vector<TaskRoute> routes;
  for (int64_t task = 0; task < tasks; ++task) routes.push_back(random_route(config, rng));
  std::vector<std::vector<int32_t>> sources(static_cast<size_t>(flags.batch));
  std::vector<const TaskRoute*> rows;
  for (auto& source : sources) {
    for (int64_t i = 0; i < flags.source_tokens; ++i) {
      source.push_back(
          static_cast<int32_t>(rng.uniform() * static_cast<double>(config.vocab_size)));
    }
    rows.push_back(&routes[rows.size() % routes.size()]);
  }
  SearchOptions options;
  options.min_length = options.max_length = static_cast<int>(flags.new_tokens) + 1;
  const auto start = std::chrono::steady_clock::now();
  const auto decoder = engine.start(sources, rows, flags.batch, flags.batch * options.max_length);
  search(*decoder, options);
  return seconds_since(start);
}

void run_routed(const RoutedFlags& flags) {
  ModelConfig config;
  EngineOptions options;
  options.type = flags.compute;
  options.threads = cpu_threads(flags.threads);
  const RandomWeights weights(config, flags.num_experts);
  const TensorReader read = [&](const std::string& name) { return weights.read(name); };
  const auto dense = make_engine(config, options, read);
  config.routing.num_experts = flags.num_experts;
  const auto routed = make_engine(config, options, read);
  config.token_experts.num_experts = std::exchange(config.routing.num_experts, 1);
  const auto gated = make_engine(config, options, read);
  std::vector<double> dense_seconds, one_ratios, mixed_ratios, gates_ratios;
  for (int64_t round = -1; round < flags.rounds; ++round) {  // round -1 warms up
    const double a = time_batch(*dense, flags, 1);
    const double b = time_batch(*routed, flags, 1);
    const double c = time_batch(*routed, flags, flags.tasks);
    const double d = time_batch(*gated, flags, 1);
    if (round < 0) continue;
    dense_seconds.push_back(a);
    one_ratios.push_back(b / a);
    mixed_ratios.push_back(c / a);
    gates_ratios.push_back(d / a);
  }
  const Json result = {{"benchmark", "routed-decoding"},
                       {"compute", name_of(flags.compute)},
                       {"instructions", name_of(options.instructions)},
                       {"threads", options.threads},
                       {"num_experts", flags.num_experts},
                       {"tasks", flags.tasks},
                       {"batch", flags.batch},
                       {"source_tokens", flags.source_tokens},
                       {"new_tokens", flags.new_tokens},
                       {"rounds", flags.rounds},
                       {"dense_seconds", median(dense_seconds)},
                       {"one_task_to_dense", spread(one_ratios)},
                       {"mixed_to_dense", spread(mixed_ratios)},
                       {"gates_to_dense", spread(gates_ratios)}};
  write_output(result.dump(2) + "\n");
}

}  // namespace

void add_routed_decoding_bench(CLI::App& bench) {
  auto flags = std::make_shared<RoutedFlags>();
  CLI::App* command = bench.add_subcommand(
      "routed-decoding", "decoding along one route and along many against a dense model");
  add_compute_flag(*command, flags->compute, "float32, bfloat16 or int8");
  const auto number = [&](const char* name, int64_t& value, const char* help, int64_t most) {
    command->add_option(name, value, help)
        ->check(CLI::Range(int64_t{1}, most))
        ->capture_default_str();
  };
  number("--num-experts", flags->num_experts, "experts in a pool", 64);
  number("--tasks", flags->tasks, "routes in the mixed batch", 4096);
  number("--batch", flags->batch, "prompts", 4096);
  number("--source-tokens", flags->source_tokens, "of every prompt", 1024);
  number("--new-tokens", flags->new_tokens, "of every answer", 1023);
  number("--rounds", flags->rounds, "timed rounds", 1000);
  add_threads_flag(*command, flags->threads);
  command->footer(kRoutedFooter);
  command->callback([flags] { run_routed(*flags); });
}

}  // namespace trivium::cli
