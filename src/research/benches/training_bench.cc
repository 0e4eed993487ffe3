// trivium bench training: the step of `trivium train`.
#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/output/output.h"
#include "core/base/rng.h"
#include "core/base/timing.h"
#include "core/metrics/quantile.h"
#include "learning/training/trainer.h"
#include "research/benches/benches.h"

namespace trivium::research {
namespace {

constexpr const char* kTrainingFooter =
    "One step is that of `trivium train`: collate, route, forward, label-smoothed loss, backward,\n"
    "clip, AdamW; on a batch of random ids and tasks, with random weights of facebook/bart-base's\n"
    "shape or that of --checkpoint. Figures are of the rounds after a first one that warms up.\n"
    "With --shortest below 1, lengths are even between that share of --source-tokens and\n"
    "--target-tokens, and all of them.\n"
    "Example:\n  trivium bench training --batch 8 --num-experts 3";
constexpr int64_t kTrainingTasks = 8;

struct TrainingFlags {
  std::string checkpoint;
  int64_t num_experts = 1, batch = 8, source_tokens = 128, target_tokens = 16;
  double shortest = 1;
  StepFlags step;
};

// The same batch again and again.
class SameBatch : public learning::ExampleStream {
 public:
  explicit SameBatch(std::vector<learning::EncodedExample> examples)
      : examples_(std::move(examples)) {}
  std::vector<learning::EncodedExample> next_batch() override { return examples_; }
  double mean_batch_size() const override { return static_cast<double>(examples_.size()); }
  Json state() const override { return {}; }
  void set_state(const Json& /*state*/) override {}

 private:
  std::vector<learning::EncodedExample> examples_;
};

std::vector<learning::EncodedExample> random_examples(const TrainingFlags& flags,
                                                      int64_t vocab_size) {
  Rng rng(1);
  const auto ids = [&](int64_t most) {
    const auto least =
        std::max<int64_t>(1, static_cast<int64_t>(flags.shortest * static_cast<double>(most)));
    std::vector<int32_t> row(static_cast<size_t>(least) +
                             rng.below(static_cast<uint64_t>(most - least) + 1));
    for (int32_t& id : row) {
      id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocab_size)));
    }
    return row;
  };
  std::vector<learning::EncodedExample> examples;
  for (int64_t i = 0; i < flags.batch; ++i) {
    learning::EncodedExample example;
    example.task = i % kTrainingTasks;
    example.source = ids(flags.source_tokens);
    example.target = ids(flags.target_tokens);
    examples.push_back(std::move(example));
  }
  return examples;
}

learning::Checkpoint random_model(const TrainingFlags& flags) {
  learning::Checkpoint checkpoint;
  ModelConfig config =
      cli::bench_config(flags.checkpoint, std::max(flags.source_tokens, flags.target_tokens));
  config.routing.num_experts = flags.num_experts;
  if (flags.num_experts > 1) config.routing.route_source = RouteSource::kRouter;
  checkpoint.model = learning::Seq2SeqModel(config, kTrainingTasks);
  checkpoint.model->init_weights(1);
  return checkpoint;
}

void run(const TrainingFlags& flags) {
  if (flags.step.threads > 0) at::set_num_threads(flags.step.threads);
  learning::Checkpoint checkpoint = random_model(flags);
  SameBatch stream(random_examples(flags, checkpoint.config().vocab_size));
  learning::TrainerOptions options;
  options.optimiser.steps = 1'000'000;
  options.optimiser.precision = flags.step.precision;
  learning::Trainer trainer(checkpoint, stream, options, {});
  std::vector<double> seconds;
  learning::Trainer::StepResult step;
  for (int64_t round = -1; round < flags.step.rounds; ++round) {  // round -1 warms up
    const auto start = std::chrono::steady_clock::now();
    step = trainer.step();
    if (round >= 0) seconds.push_back(seconds_since(start));
  }
  int64_t source_tokens = 0;
  for (const learning::EncodedExample& example : stream.next_batch()) {
    source_tokens += static_cast<int64_t>(example.source.size());
  }
  const Json result = {
      {"benchmark", "training"},
      {"d_model", checkpoint.config().d_model},
      {"layers", {checkpoint.config().encoder_layers, checkpoint.config().decoder_layers}},
      {"vocab_size", checkpoint.config().vocab_size},
      {"num_experts", flags.num_experts},
      {"batch", flags.batch},
      {"source_tokens", source_tokens},
      {"target_tokens", step.tokens},
      {"precision", name_in(learning::precision_names(), flags.step.precision)},
      {"threads", at::get_num_threads()},
      {"rounds", flags.step.rounds},
      {"seconds", cli::spread(seconds)},
      {"examples_per_second", static_cast<double>(flags.batch) / median(seconds)}};
  cli::write_output(result.dump(2) + "\n");
}

}  // namespace

void add_training_bench(CLI::App& bench) {
  auto flags = std::make_shared<TrainingFlags>();
  CLI::App* command = bench.add_subcommand("training", "the training step");
  const auto count = [&](const char* name, int64_t& value, const char* help, int64_t most) {
    command->add_option(name, value, help)
        ->check(CLI::Range(int64_t{1}, most))
        ->capture_default_str();
  };
  command->add_option("--checkpoint", flags->checkpoint,
                      "folder whose config.json gives the shape [facebook/bart-base's]");
  count("--num-experts", flags->num_experts, "experts in every layer's pool; 1: a dense model", 64);
  count("--batch", flags->batch, "rows", 4096);
  count("--source-tokens", flags->source_tokens, "of the longest input", 1 << 17);
  count("--target-tokens", flags->target_tokens, "of the longest answer", 1 << 17);
  command->add_option("--shortest", flags->shortest, "the shortest row, as a share of the longest")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add_step_flags(*command, flags->step);
  command->footer(kTrainingFooter);
  command->callback([flags] { run(*flags); });
}

}  // namespace trivium::research
