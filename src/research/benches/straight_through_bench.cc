// trivium bench: measurements of this program on this machine.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

#include "cli/benches/benches.h"
#include "cli/output/output.h"
#include "cli/program/choice.h"
#include "cli/program/model_flags.h"
#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/timing.h"
#include "core/config/model_config.h"
#include "core/metrics/quantile.h"
#include "learning/model/bfloat16_scope.h"
#include "learning/model/selection.h"
#include "learning/model/seq2seq_model.h"
#include "research/benches/benches.h"

namespace trivium::research {
namespace {

constexpr const char* kStraightThroughFooter =
    "One step is forward and backward of a batch of random ids, without the optimiser:\n"
    "  straight_through  trivium's: unselected experts run forward only, for the router's "
    "gradient\n"
    "  all_experts       the same gradients by every expert in full\n"
    "  dense             one expert a layer and no router\n"
    "Each round times the three one after another; figures are medians over the rounds, and the\n"
    "ratios are of examples per second within a round.\n"
    "Example:\n  trivium bench straight-through --num-experts 3";
constexpr int64_t kStraightThroughTasks = 8;

struct StraightThroughFlags {
  std::string checkpoint;
  int64_t num_experts = 3, batch = 16, source_tokens = 128, target_tokens = 16;
  StepFlags step;
};

// Random ids, every row of full length, in a training batch of mixed tasks.
learning::Batch random_batch(const StraightThroughFlags& flags, int64_t vocab_size) {
  torch::manual_seed(1);
  const auto ids = [&](int64_t length) {
    return torch::randint(vocab_size, {flags.batch, length}, torch::kInt64);
  };
  const auto all = [&](int64_t length) { return torch::ones({flags.batch, length}, torch::kBool); };
  return {{ids(flags.source_tokens), all(flags.source_tokens)},
          ids(flags.target_tokens),
          ids(flags.target_tokens),
          all(flags.target_tokens),
          torch::randint(kStraightThroughTasks, {flags.batch}, torch::kInt64)};
}

// The plan that gives every expert every row, with gradient.
learning::StackPlan all_experts_plan(const torch::Tensor& weights) {
  learning::StackPlan plan = learning::make_stack_plan(weights);
  for (learning::LayerPlan& layer : plan) {
    layer.unit_weights = false;
    layer.inactive.clear();
    for (learning::ExpertRows& rows : layer.active) rows = {weights.size(1), {}};
  }
  return plan;
}

// Seconds of one forward and backward pass.
double time_step(learning::Seq2SeqModel& model, const learning::Batch& batch, bool bf16,
                 learning::StackPlan (*make_plan)(const torch::Tensor&)) {
  const auto start = std::chrono::steady_clock::now();
  learning::RoutingWeights routes;
  if (model->is_routed()) {
    const torch::Tensor logits = model->router_logits(batch.task_ids);
    auto generator = at::detail::createCPUGenerator(1);
    routes = model->split_stacks(learning::select_experts(
        logits, SelectionKind::kGumbelStraightThrough,
        /*temperature=*/1.0, learning::draw_gumbel(logits.sizes(), generator)));
  }
  {
    const learning::Bfloat16Scope scope(bf16, torch::kCPU);
    const torch::Tensor weights =
        torch::full({batch.labels.numel()}, 1.0 / static_cast<double>(batch.labels.numel()));
    model->loss(batch, make_plan(routes.encoder), make_plan(routes.decoder), weights, 0.1)
        .sum.backward();
  }
  const double taken = seconds_since(start);
  model->zero_grad();
  // As after an optimiser's step: casts of the weights are old.
  for (const torch::Tensor& parameter : model->parameters()) {
    parameter.unsafeGetTensorImpl()->bump_version();
  }
  return taken;
}

// Of that / this, round by round.
Json ratio(const std::vector<double>& that, const std::vector<double>& seconds) {
  std::vector<double> ratios;
  for (size_t i = 0; i < seconds.size(); ++i) ratios.push_back(that[i] / seconds[i]);
  return cli::spread(ratios);
}

learning::Seq2SeqModel bench_model(const ModelConfig& config) {
  learning::Seq2SeqModel model(config, kStraightThroughTasks);
  model->init_weights(1);
  // As `trivium train` does by default.
  model->set_dropout({.residual = 0.1, .attention = 0, .activation = 0});
  model->train();
  return model;
}

void run_straight_through(const StraightThroughFlags& flags) {
  if (flags.step.threads > 0) at::set_num_threads(flags.step.threads);
  ModelConfig config =
      cli::bench_config(flags.checkpoint, std::max(flags.source_tokens, flags.target_tokens));
  config.routing.route_source = RouteSource::kRouter;
  config.routing.num_experts = flags.num_experts;
  learning::Seq2SeqModel routed = bench_model(config);
  config.routing = {};
  learning::Seq2SeqModel dense = bench_model(config);
  const learning::Batch batch = random_batch(flags, config.vocab_size);
  const bool bf16 = flags.step.precision == learning::Precision::kBfloat16;
  std::vector<double> straight_through, all_experts, dense_seconds;
  for (int64_t round = -1; round < flags.step.rounds; ++round) {  // round -1 warms up
    const double a = time_step(routed, batch, bf16, learning::make_stack_plan);
    const double b = time_step(routed, batch, bf16, all_experts_plan);
    const double c = time_step(dense, batch, bf16, learning::make_stack_plan);
    if (round < 0) continue;
    straight_through.push_back(a);
    all_experts.push_back(b);
    dense_seconds.push_back(c);
  }
  const auto figures = [&](const std::vector<double>& seconds) {
    return Json{{"seconds", median(seconds)},
                {"examples_per_second", static_cast<double>(flags.batch) / median(seconds)}};
  };
  const Json result = {{"benchmark", "straight-through"},
                       {"d_model", config.d_model},
                       {"layers", {config.encoder_layers, config.decoder_layers}},
                       {"vocab_size", config.vocab_size},
                       {"num_experts", flags.num_experts},
                       {"batch", flags.batch},
                       {"source_tokens", flags.source_tokens},
                       {"target_tokens", flags.target_tokens},
                       {"precision", name_in(learning::precision_names(), flags.step.precision)},
                       {"threads", at::get_num_threads()},
                       {"rounds", flags.step.rounds},
                       {"straight_through", figures(straight_through)},
                       {"all_experts", figures(all_experts)},
                       {"dense", figures(dense_seconds)},
                       {"ratio_to_all_experts", ratio(all_experts, straight_through)},
                       {"ratio_to_dense", ratio(dense_seconds, straight_through)}};
  cli::write_output(result.dump(2) + "\n");
}

}  // namespace

void add_step_flags(CLI::App& command, StepFlags& flags) {
  command.add_option("--rounds", flags.rounds, "timed rounds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  cli::add_choice(command, "--precision", flags.precision, learning::precision_names(),
                  "numbers of the matrix products: fp32 or bf16");
  cli::add_threads_flag(command, flags.threads);
}

void add_benches(CLI::App& bench) {
  add_agreement_bench(bench);
  add_straight_through_bench(bench);
  add_token_gates_bench(bench);
  add_training_bench(bench);
}

void add_straight_through_bench(CLI::App& bench) {
  auto flags = std::make_shared<StraightThroughFlags>();
  CLI::App* command = bench.add_subcommand(
      "straight-through", "the training step of hard routes against running all experts in full");
  command->add_option(
      "--checkpoint", flags->checkpoint,
      "folder whose config.json gives the shape [facebook/bart-base's, a pool in every layer]");
  command->add_option("--num-experts", flags->num_experts, "experts in a pool")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  command->add_option("--batch", flags->batch, "rows")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--source-tokens", flags->source_tokens, "of every input")
      ->check(CLI::Range(1, 1 << 17))
      ->capture_default_str();
  command->add_option("--target-tokens", flags->target_tokens, "of every answer")
      ->check(CLI::Range(1, 1 << 17))
      ->capture_default_str();
  add_step_flags(*command, flags->step);
  command->footer(kStraightThroughFooter);
  command->callback([flags] { run_straight_through(*flags); });
}

}  // namespace trivium::research
