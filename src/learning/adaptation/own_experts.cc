#include "learning/adaptation/own_experts.h"

#include <algorithm>
#include <string>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/checkpoint/added_task.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/trainer.h"
#include "learning/training/tuned_copy.h"

namespace trivium::learning {
namespace {

bool is_in_layers(const std::string& name) {
  return name.starts_with("encoder.layers.") || name.starts_with("decoder.layers.");
}

double mean_loss(Checkpoint& checkpoint, const std::vector<EncodedExample>& examples,
                 int64_t batch_size) {
  torch::NoGradGuard no_grad;
  checkpoint.model->eval();
  double sum = 0;
  int64_t tokens = 0;
  for (size_t begin = 0; begin < examples.size(); begin += static_cast<size_t>(batch_size)) {
    const size_t end = std::min(examples.size(), begin + static_cast<size_t>(batch_size));
    const Batch batch =
        collate({examples.begin() + static_cast<std::ptrdiff_t>(begin),
                 examples.begin() + static_cast<std::ptrdiff_t>(end)},
                checkpoint.config().pad_token_id, checkpoint.config().decoder_start_token_id);
    const torch::Tensor losses =
        checkpoint.model->loss(batch, RoutingWeights(), /*weights=*/{}, /*smoothing=*/0).losses;
    sum += losses.sum().item<double>();
    tokens += losses.numel();
  }
  return sum / static_cast<double>(tokens);
}

}  // namespace

void add_differences(Seq2SeqModel& model, int64_t rank, uint64_t seed) {
  check(!model->is_routed(), "a model without pools learns differences");
  for (auto& item : model->named_parameters()) {
    item.value().requires_grad_(is_in_layers(item.key()) && item.value().dim() == 1);
  }
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const auto& item : model->named_modules()) {
    auto* linear = is_in_layers(item.key()) ? item.value()->as<LinearImpl>() : nullptr;
    if (linear != nullptr) linear->add_low_rank(rank, generator);
  }
}

NamedTensors merged_tensors(const Seq2SeqModel& model) {
  const torch::NoGradGuard no_grad;
  NamedTensors tensors = copied_tensors(model);
  for (const auto& item : model->named_modules()) {
    const auto* linear = item.value()->as<LinearImpl>();
    if (linear == nullptr || !linear->lora_A.defined()) continue;
    tensors.at(item.key() + ".weight") += torch::mm(linear->lora_B, linear->lora_A);
    tensors.erase(item.key() + kLowRankA);
    tensors.erase(item.key() + kLowRankB);
  }
  return tensors;
}

NamedTensors differences_of(const Seq2SeqModel& tuned, const Seq2SeqModel& before) {
  const NamedTensors old = model_tensors(before);
  NamedTensors differences;
  for (const auto& item : tuned->named_parameters()) {
    if (!item.value().requires_grad()) continue;
    const torch::Tensor value = item.value().detach();
    const std::string& name = item.key();
    const std::string kind = name.ends_with(kLowRankA)   ? kLowRankA
                             : name.ends_with(kLowRankB) ? kLowRankB
                                                         : "";
    if (kind.empty()) {
      differences[name + kDifference] = value - old.at(name);
    } else {
      const std::string linear = name.substr(0, name.size() - kind.size());
      differences[linear + ".weight" + kind] = value.clone();
    }
  }
  return differences;
}

OwnExpertTuning tune_own_experts(const Checkpoint& dense,
                                 const std::vector<EncodedExample>& examples,
                                 const OwnExpertSettings& settings) {
  check(!dense.model->is_routed() && !examples.empty(), "experts begin as those of one route");
  Checkpoint tuned = copy_of(dense);
  add_differences(tuned.model, settings.rank, static_cast<uint64_t>(settings.optimiser.seed));
  OwnExpertTuning result;
  result.loss_before = mean_loss(tuned, examples, settings.batch_size);
  TrainerOptions options;
  options.optimiser = settings.optimiser;
  MultiTaskStream stream = one_task_stream(examples, settings.batch_size,
                                           static_cast<uint64_t>(settings.optimiser.seed));
  Trainer trainer(tuned, stream, options, /*validator=*/{});
  const int64_t steps = settings.optimiser.steps;
  for (int64_t step = 1; step <= steps; ++step) {
    const double loss = trainer.step().loss;
    if (step % std::max<int64_t>(1, steps / 10) == 0) {
      spdlog::info("step {}/{} loss={:.4f}", step, steps, loss);
    }
  }
  result.loss_after = mean_loss(tuned, examples, settings.batch_size);
  result.differences = differences_of(tuned.model, dense.model);
  return result;
}

}  // namespace trivium::learning
