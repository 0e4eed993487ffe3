// trivium bench token-gates: a training step with experts chosen token by token against a dense
// one.
#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/output/output.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/base/timing.h"
#include "core/metrics/quantile.h"
#include "learning/settings/classifier_settings.h"
#include "learning/training/classifier_training.h"
#include "research/benches/benches.h"

namespace trivium::research {
namespace {

constexpr const char* kTokenGatesFooter =
    "One step is forward, backward, clipping and AdamW on a batch of mixed tasks of random ids:\n"
    "  dense      MT-Dense\n"
    "  token      MT-TaG: a gate for every task and layer, one expert a token\n"
    "Both are timed one after the other in every round; figures are medians over the rounds, and\n"
    "the ratio is that of the seconds within a round.\n"
    "Example:\n  trivium bench token-gates --num-experts 4";
constexpr int64_t kTokenGatesTasks = 8;

struct TokenGatesFlags {
  int64_t num_experts = 4, batch = 128, tokens = 64, layers = 6, d_model = 384, heads = 12,
          d_ffn = 1536, vocab_size = 30522;
  StepFlags step;
};

learning::ClassifierCheckpoint random_classifier(const TokenGatesFlags& flags,
                                                 int64_t num_experts) {
  learning::ClassifierCheckpoint checkpoint;
  ModelConfig& config = checkpoint.config;
  config.vocab_size = flags.vocab_size;
  config.d_model = flags.d_model;
  config.max_position_embeddings = 512;
  config.encoder_layers = flags.layers;
  config.decoder_layers = 0;
  config.encoder_attention_heads = config.decoder_attention_heads = flags.heads;
  config.encoder_ffn_dim = config.decoder_ffn_dim = flags.d_ffn;
  config.token_experts.num_experts = num_experts;
  std::vector<learning::HeadShape> heads;
  for (int64_t t = 0; t < kTokenGatesTasks; ++t)
    heads.push_back({"task" + std::to_string(t), 2, false});
  checkpoint.model = learning::EncoderClassifier(config, heads);
  torch::manual_seed(1);
  for (auto& item : checkpoint.model->named_parameters()) {
    learning::init_parameter(item.key(), item.value(), config.init_std);
  }
  return checkpoint;
}

// Rows of lengths from half of `tokens` to all of it, as batches of similar length have.
std::vector<learning::LabelledExample> random_examples(const TokenGatesFlags& flags) {
  Rng rng(1);
  std::vector<learning::LabelledExample> examples;
  for (int64_t i = 0; i < flags.batch; ++i) {
    learning::LabelledExample example;
    example.task = i % kTokenGatesTasks;
    example.label = static_cast<int64_t>(rng.below(2));
    const auto half = static_cast<uint64_t>(flags.tokens) / 2;
    const int64_t length = i == 0 ? flags.tokens : static_cast<int64_t>(half + rng.below(half + 1));
    for (int64_t p = 0; p < std::max<int64_t>(length, 1); ++p) {
      example.ids.push_back(
          static_cast<int32_t>(rng.below(static_cast<uint64_t>(flags.vocab_size))));
    }
    example.second = static_cast<int64_t>(example.ids.size()) / 2;
    examples.push_back(std::move(example));
  }
  return examples;
}

double seconds_of_step(learning::ClassifierTrainer& trainer) {
  const auto start = std::chrono::steady_clock::now();
  trainer.step();
  return seconds_since(start);
}

void run(const TokenGatesFlags& flags) {
  if (flags.step.threads > 0) at::set_num_threads(flags.step.threads);
  learning::ClassifierStepSettings step;
  step.precision = flags.step.precision;
  learning::ClassifierTrainerOptions options;
  options.optimiser = step.optimiser(1'000'000, /*seed=*/1);
  options.batch_tokens = int64_t{1} << 40;  // all rows in one batch
  options.batch_examples = flags.batch;
  learning::ClassifierCheckpoint dense = random_classifier(flags, 1);
  learning::ClassifierCheckpoint token = random_classifier(flags, flags.num_experts);
  const std::vector<learning::LabelledExample> examples = random_examples(flags);
  learning::ClassifierTrainer dense_trainer(dense, examples, options),
      token_trainer(token, examples, options);
  std::vector<double> dense_seconds, token_seconds, ratios;
  for (int64_t round = -1; round < flags.step.rounds; ++round) {  // round -1 warms up
    const double a = seconds_of_step(dense_trainer), b = seconds_of_step(token_trainer);
    if (round < 0) continue;
    dense_seconds.push_back(a);
    token_seconds.push_back(b);
    ratios.push_back(b / a);
  }
  const Json result = {
      {"benchmark", "token-gates"},
      {"layers", flags.layers},
      {"d_model", flags.d_model},
      {"num_experts", flags.num_experts},
      {"batch", flags.batch},
      {"tokens", flags.tokens},
      {"precision", name_in(learning::precision_names(), flags.step.precision)},
      {"threads", at::get_num_threads()},
      {"rounds", flags.step.rounds},
      {"dense_seconds", median(dense_seconds)},
      {"token_seconds", median(token_seconds)},
      {"token_examples_per_second", static_cast<double>(flags.batch) / median(token_seconds)},
      {"ratio", cli::spread(ratios)}};
  cli::write_output(result.dump(2) + "\n");
}

}  // namespace

void add_token_gates_bench(CLI::App& bench) {
  auto flags = std::make_shared<TokenGatesFlags>();
  CLI::App* command = bench.add_subcommand(
      "token-gates", "the training step of experts chosen token by token against a dense one");
  const auto size = [&](const char* name, int64_t& value, const char* help, int64_t most) {
    command->add_option(name, value, help)
        ->check(CLI::Range(int64_t{1}, most))
        ->capture_default_str();
  };
  size("--num-experts", flags->num_experts, "feed-forward experts in every layer", 64);
  size("--batch", flags->batch, "rows", 4096);
  size("--tokens", flags->tokens, "of the longest row; the others have half of it or more", 512);
  size("--layers", flags->layers, "of the encoder", 256);
  size("--d-model", flags->d_model, "width; a multiple of --heads", 1 << 14);
  size("--heads", flags->heads, "of attention", 256);
  size("--d-ffn", flags->d_ffn, "width within the feed-forward part", 1 << 16);
  size("--vocab-size", flags->vocab_size, "token ids", 1 << 20);
  add_step_flags(*command, flags->step);
  command->footer(kTokenGatesFooter);
  command->callback([flags] { run(*flags); });
}

}  // namespace trivium::research
