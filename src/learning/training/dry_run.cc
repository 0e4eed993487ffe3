#include "learning/training/dry_run.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/base/memory.h"
#include "core/base/timing.h"

namespace trivium::learning {
namespace {

constexpr int kMostSteps = 5;
constexpr double kMostSeconds = 20;  // no step begins after so many
constexpr double kFloatBytes = 4;

constexpr const char* kActivationsHow =
    "a layer keeps 10 vectors of d_model and 2 of its feed-forward width for each token of a "
    "batch, "
    "a decoder layer 17 and 2; attention probabilities and the loss are left out";

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

double activation_bytes(const ModelConfig& config, const DryRunData& data, Precision precision) {
  const auto vectors = [&](int64_t states, int64_t width) {
    return static_cast<double>(states * config.d_model + 2 * width);
  };
  const bool mixes =
      config.routing.num_experts > 1 && config.routing.selection == SelectionKind::kSoftmax;
  const auto layers_of = [&](int64_t layers, const auto& is_pool) {
    int64_t computed = 0;
    for (int64_t l = 0; l < layers; ++l) {
      computed += mixes && is_pool(l) ? config.routing.num_experts : 1;
    }
    return static_cast<double>(computed);
  };
  const double encoder =
      layers_of(config.encoder_layers, [&](int64_t l) { return config.encoder_layer_is_pool(l); });
  const double decoder =
      layers_of(config.decoder_layers, [&](int64_t l) { return config.decoder_layer_is_pool(l); });
  const auto tokens = static_cast<double>(data.batch_tokens);
  const double numbers =
      tokens * data.source_share * encoder * vectors(10, config.encoder_ffn_dim) +
      tokens * (1 - data.source_share) * decoder * vectors(17, config.decoder_ffn_dim);
  return numbers * (precision == Precision::kBfloat16 ? kFloatBytes / 2 : kFloatBytes);
}

Json dry_run(TrainingLoop& loop, const torch::nn::Module& model, const ModelConfig& config,
             const OptimiserSettings& settings, const DryRunData& data) {
  int64_t parameters = 0, trained = 0;
  for (const torch::Tensor& parameter : model.parameters()) {
    parameters += parameter.numel();
    if (parameter.requires_grad()) trained += parameter.numel();
  }
  const auto begin = std::chrono::steady_clock::now();
  loop.step();  // warms up
  std::vector<double> seconds;
  int64_t examples = 0;
  do {
    const auto start = std::chrono::steady_clock::now();
    examples += loop.step().examples;
    seconds.push_back(seconds_since(start));
  } while (seconds.size() < kMostSteps && seconds_since(begin) < kMostSeconds);
  double measured = 0;
  for (const double one : seconds) measured += one;
  const double weights = kFloatBytes * static_cast<double>(parameters);
  const double gradients = kFloatBytes * static_cast<double>(trained);
  const double activations = activation_bytes(config, data, settings.precision);
  const auto batches = static_cast<double>(std::max<int64_t>(1, data.batches_in_epoch));
  const auto whole = [](double bytes) { return static_cast<int64_t>(bytes); };
  return {{"examples", data.examples},
          {"steps", loop.steps()},
          {"batches_an_epoch", data.batches_in_epoch},
          {"epochs", static_cast<double>(loop.steps() * settings.accumulation) / batches},
          {"parameters", parameters},
          {"trained_parameters", trained},
          {"bytes",
           {{"weights", whole(weights)},
            {"gradients", whole(gradients)},
            {"optimiser", whole(2 * gradients)},
            {"activations", whole(activations)},
            {"in_all", whole(weights + 3 * gradients + activations)}}},
          {"activations_estimated_by", kActivationsHow},
          {"peak_bytes_of_this_process", peak_memory().value_or(0)},
          {"measured_steps", seconds.size()},
          {"seconds_a_step", median_of(seconds)},
          {"examples_a_second", static_cast<double>(examples) / measured},
          {"seconds_without_evaluation", median_of(seconds) * static_cast<double>(loop.steps())}};
}

}  // namespace trivium::learning
