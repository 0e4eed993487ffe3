// trivium bench generation: tokens a second of a checkpoint, beside what memory and processor
// allow.
#include <algorithm>
#include <chrono>
#include <cstdio>  // sscanf
#include <limits>
#include <memory>

#include "cli/benches/benches.h"
#include "cli/output/output.h"
#include "cli/output/progress_bar.h"
#include "cli/program/model_flags.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/logging.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/base/timing.h"
#include "core/generation/search.h"
#include "core/kernels/linear.h"
#include "core/kernels/read_bandwidth.h"
#include "core/text/table.h"

namespace trivium::cli {
namespace {

constexpr const char* kGenerationFooter =
    "Each shape decodes prompts of random ids, every answer of full length, encoding included; "
    "the\n"
    "figure is the best of the rounds. step_limit is the memory's bandwidth, measured over a "
    "buffer\n"
    "of the weights' size, over the bytes of weights that a step of one row reads; share_of_limit "
    "is\n"
    "what a step of one row reaches of it; on a GPU its name stands in their place. The JSON goes "
    "to\n"
    "standard output, the table to standard "
    "error.\n"
    "Example:\n  trivium bench generation --shapes 1x1,8x4 --compute int8";

struct GenerationFlags {
  ModelFlags model;
  std::vector<std::string> shapes = {"1x1", "1x4", "16x1", "8x4"};
  int64_t source_tokens = 128, new_tokens = 64, rounds = 3;
};

struct Shape {
  int64_t batch = 1;
  int beams = 1;
};

Shape parse_shape(const std::string& text) {
  Shape shape;
  int used = 0;
  long batch = 0;
  if (std::sscanf(text.c_str(), "%ldx%d%n", &batch, &shape.beams, &used) != 2 ||
      used != static_cast<int>(text.size()) || batch < 1 || batch > 4096 || shape.beams < 1 ||
      shape.beams > 64) {
    throw Error(ExitCode::kUsage, "--shapes takes BATCHxBEAMS, such as 16x1; " + text + " is none");
  }
  shape.batch = batch;
  return shape;
}

std::vector<std::vector<int32_t>> random_sources(int64_t batch, int64_t tokens,
                                                 int64_t vocab_size) {
  Rng rng(1);
  std::vector<std::vector<int32_t>> sources(static_cast<size_t>(batch));
  for (auto& source : sources) {
    for (int64_t i = 0; i < tokens; ++i) {
      source.push_back(static_cast<int32_t>(rng.uniform() * static_cast<double>(vocab_size)));
    }
  }
  return sources;
}

// Operations a second of a product [1024 x 768 x 3072] by the engine's own kernels.
double product_peak(ComputeType type, int threads, InstructionSet instructions) {
  constexpr int64_t kRows = 1024, kDepth = 768, kColumns = 3072;
  ThreadPool pool(threads);
  const CpuContext context = {&pool, &block_kernels(instructions)};
  const std::vector<float> ones(kDepth, 1.0f);
  PackedMatrix weights(type, kColumns, kDepth);
  weights.set_columns(0, kColumns, ones.data(), 0);
  Activations input(type, *context.blocks);
  input.resize(kRows, kDepth);
  for (int64_t row = 0; row < kRows; ++row) input.set_row(row, ones.data());
  std::vector<float> out(kRows * (kColumns + 16));
  const LinearPart part = {&weights, nullptr, kRows};
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    linear(context, input, {&part, 1}, {out.data(), kColumns + 16, false, nullptr});
    best = std::min(best, seconds_since(start));
  }
  return 2.0 * kRows * kDepth * kColumns / best;
}

struct Timing {
  double total = std::numeric_limits<double>::infinity();
  double encoding = std::numeric_limits<double>::infinity();
};

Timing time_shape(Engine& engine, const Shape& shape, const GenerationFlags& flags) {
  const ModelConfig& config = engine.config();
  const auto sources = random_sources(shape.batch, flags.source_tokens, config.vocab_size);
  TaskRoute route;  // every pool's first expert
  const auto first_of = [&](bool is_pool) {
    std::vector<float> weights(static_cast<size_t>(is_pool ? config.routing.num_experts : 1));
    weights[0] = 1;
    return weights;
  };
  for (int64_t l = 0; l < config.encoder_layers; ++l) {
    route.encoder.push_back(first_of(config.encoder_layer_is_pool(l)));
  }
  for (int64_t l = 0; l < config.decoder_layers; ++l) {
    route.decoder.push_back(first_of(config.decoder_layer_is_pool(l)));
  }
  const std::vector<const TaskRoute*> routes(sources.size(), &route);
  SearchOptions search_options;
  search_options.num_beams = shape.beams;
  search_options.min_length = search_options.max_length = static_cast<int>(flags.new_tokens) + 1;
  search_options.start_id = config.decoder_start_token_id;
  search_options.eos_id = config.eos_token_id;
  Timing timing;
  for (int64_t round = 0; round < flags.rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const auto decoder = engine.start(sources, routes, shape.batch,
                                      shape.batch * shape.beams * search_options.max_length);
    timing.encoding = std::min(timing.encoding, seconds_since(start));
    search(*decoder, search_options);
    timing.total = std::min(timing.total, seconds_since(start));
  }
  return timing;
}

Json engine_facts(const ModelFlags& flags, int threads, int64_t step_bytes) {
  const ComputeType type = flags.compute;
  ThreadPool pool(threads);
  const double bandwidth = read_bandwidth(pool, step_bytes);
  const InstructionSet instructions = flags.instructions;
  return {{"instructions", name_of(instructions)},
          {"step_bytes", step_bytes},
          {"read_bandwidth", bandwidth},
          {"product_peak", product_peak(type, threads, instructions)},
          {"step_limit", bandwidth / static_cast<double>(step_bytes)}};
}

// Times the shapes, puts them into `result`, and shows them as a table. Returns the steps a second
// of one row alone, or 0 where that is none of the shapes.
double time_shapes(Engine& engine, const std::vector<Shape>& shapes, const GenerationFlags& flags,
                   Json& result) {
  Table table({{"batch", Align::kRight},
               {"beams", Align::kRight},
               {"tokens/s", Align::kRight},
               {"encoding s", Align::kRight},
               {"step ms", Align::kRight}});
  ProgressBar progress(static_cast<int64_t>(shapes.size()));
  double one_row_steps = 0;
  for (const Shape& shape : shapes) {
    const auto done = static_cast<int64_t>(result["shapes"].size());
    const std::string name = fmt::format("{}x{}", shape.batch, shape.beams);
    progress.begin(done, name);
    const Timing timing = time_shape(engine, shape, flags);
    const double step = (timing.total - timing.encoding) / static_cast<double>(flags.new_tokens);
    const double tokens = static_cast<double>(shape.batch * flags.new_tokens) / timing.total;
    if (shape.batch == 1 && shape.beams == 1) one_row_steps = 1 / step;
    progress.report(done + 1, fmt::format("{}: {:.1f} tokens/s", name, tokens));
    table.add({std::to_string(shape.batch), std::to_string(shape.beams),
               fmt::format("{:.1f}", tokens), fmt::format("{:.3f}", timing.encoding),
               fmt::format("{:.2f}", 1e3 * step)});
    result["shapes"].push_back({{"batch", shape.batch},
                                {"beams", shape.beams},
                                {"tokens_per_second", tokens},
                                {"encoding_seconds", timing.encoding},
                                {"step_seconds", step}});
  }
  progress.clear();
  write_aside(table.to_text());
  return one_row_steps;
}

// Puts the limits into `result`, and shows them: the CPU's, or the name of the GPU.
void add_limits(Engine& engine, const GenerationFlags& flags, int threads, double one_row_steps,
                Json& result) {
  const int64_t bytes = engine.step_bytes();
  const double megabytes = 1e-6 * static_cast<double>(bytes);
  if (const std::string gpu = engine.device_name(); !gpu.empty()) {
    result["device"] = gpu;
    result["step_bytes"] = bytes;
    write_aside(fmt::format("{}; a step of one row reads {:.1f} MB\n", gpu, megabytes));
  } else if (bytes > 0) {
    Json facts = engine_facts(flags.model, threads, bytes);
    const auto fact = [&](const char* name) { return facts[name].get<double>(); };
    std::string line =
        fmt::format("{}; a step of one row reads {:.1f} MB at up to {:.1f} GB/s: {:.0f} steps/s",
                    facts["instructions"].get<std::string>(), megabytes,
                    1e-9 * fact("read_bandwidth"), fact("step_limit"));
    if (one_row_steps > 0) {
      facts["share_of_limit"] = one_row_steps / fact("step_limit");
      line += fmt::format(", of which {:.0f} %", 100 * fact("share_of_limit"));
    }
    write_aside(line +
                fmt::format("; products at up to {:.0f} GFLOP/s\n", 1e-9 * fact("product_peak")));
    result.update(facts);
  }
}

void run_generation(const GenerationFlags& flags) {
  std::vector<Shape> shapes;
  for (const std::string& text : flags.shapes) shapes.push_back(parse_shape(text));
  LoadedModel model = load_model(flags.model);
  Engine& engine = model.generator().engine();
  const int64_t positions = engine.config().max_position_embeddings;
  if (std::max(flags.source_tokens, flags.new_tokens) > positions) {
    throw Error(ExitCode::kUsage, "--source-tokens and --new-tokens must be at most the model's " +
                                      std::to_string(positions) + " positions");
  }
  const int threads = cpu_threads(flags.model.threads);
  const int64_t loaded_memory = peak_memory().value_or(0);
  Json result = {{"benchmark", "generation"},
                 {"engine", name_of(flags.model.engine)},
                 {"compute", name_of(flags.model.compute)},
                 {"threads", threads},
                 {"source_tokens", flags.source_tokens},
                 {"new_tokens", flags.new_tokens},
                 {"rounds", flags.rounds},
                 {"shapes", Json::array()}};
  const double one_row_steps = time_shapes(engine, shapes, flags, result);
  result["peak_memory"] = peak_memory().value_or(0);
  result["peak_memory_loaded"] = loaded_memory;
  add_limits(engine, flags, threads, one_row_steps, result);
  write_output(result.dump(2) + "\n");
}

}  // namespace

void add_generation_bench(CLI::App& bench) {
  auto flags = std::make_shared<GenerationFlags>();
  CLI::App* command =
      bench.add_subcommand("generation", "tokens a second of a checkpoint, beside the limits");
  add_model_flags(*command, flags->model);
  command->add_option("--shapes", flags->shapes, "BATCHxBEAMS, several")
      ->delimiter(',')
      ->capture_default_str();
  command->add_option("--source-tokens", flags->source_tokens, "of every prompt")
      ->check(CLI::Range(1, 1 << 17))
      ->capture_default_str();
  command->add_option("--new-tokens", flags->new_tokens, "of every answer")
      ->check(CLI::Range(1, 1 << 17))
      ->capture_default_str();
  command->add_option("--rounds", flags->rounds, "timed rounds; the best counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option_function<std::string>(
      "--instructions",
      [flags](const std::string& name) { flags->model.instructions = instruction_set(name); },
      "the CPU's kernels: a set that trivium --version names [the best]");
  command->footer(kGenerationFooter);
  command->callback([flags] { run_generation(*flags); });
}

}  // namespace trivium::cli
