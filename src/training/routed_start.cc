#include "training/routed_start.h"

#include "base/error.h"
#include "checkpoint/expert_copies.h"

namespace trivium {
namespace {

constexpr int64_t kTextsPerTask = 64;

SelectionKind selection_of(const std::string& name) {
  if (name == "softmax") return SelectionKind::kSoftmax;
  if (name == "gumbel_softmax") return SelectionKind::kGumbelSoftmax;
  return SelectionKind::kGumbelStraightThrough;
}

void freeze(Seq2SeqModel& model, const TrainSettings& settings) {
  if (!model->is_routed()) return;
  if (settings.freeze_routes) {
    for (torch::Tensor& parameter : model->router()->parameters()) parameter.requires_grad_(false);
  }
  if (settings.freeze_routes || settings.optimiser.task_vector_learning_rate == 0) {
    model->task_vectors().requires_grad_(false);
  }
}

void check_routed(const Checkpoint& start, const TrainSettings& settings, int64_t num_tasks) {
  const auto fail = [&](const std::string& problem) {
    throw Error(ExitCode::kConfig, settings.init + " " + problem);
  };
  const RoutingConfig& routing = start.config.routing;
  if (routing.num_experts != settings.num_experts) {
    fail("has pools of " + std::to_string(routing.num_experts) +
         " experts, but model.num_experts is " + std::to_string(settings.num_experts));
  }
  if (start.model->num_tasks() != num_tasks) {
    fail("knows " + std::to_string(start.model->num_tasks()) + " tasks, but the data has " +
         std::to_string(num_tasks));
  }
}

}  // namespace

torch::Tensor text_task_vectors(Seq2SeqModel& model, const std::vector<EncodedExample>& examples,
                                int64_t num_tasks, int64_t per_task) {
  check(!model->is_routed(), "text vectors are the dense model's");
  torch::NoGradGuard no_grad;
  model->eval();
  std::vector<std::vector<std::vector<int32_t>>> inputs(num_tasks);
  for (const EncodedExample& example : examples) {
    auto& texts = inputs.at(example.task);
    if (static_cast<int64_t>(texts.size()) < per_task) texts.push_back(example.source);
  }
  std::vector<torch::Tensor> rows;
  for (const auto& texts : inputs) {
    check(!texts.empty(), "every task has an example");
    const SourceBatch source = collate_sources(texts, model->config().pad_token_id);
    const torch::Tensor hidden = model->encode(source.ids, source.mask, {});
    const torch::Tensor mask = source.mask.unsqueeze(2).to(hidden.scalar_type());
    rows.push_back(((hidden * mask).sum(1) / mask.sum(1)).mean(0));
  }
  const torch::Tensor vectors = torch::stack(rows);
  return (vectors - vectors.mean(0)) / (vectors.std(0, /*unbiased=*/false) + 1e-6);
}

Checkpoint routed_start(const Checkpoint& start, const TrainSettings& settings,
                        const std::vector<EncodedExample>& examples, int64_t num_tasks) {
  Checkpoint result = start;
  if (start.model->is_routed()) {
    check_routed(start, settings, num_tasks);
    result.config.routing.selection = selection_of(settings.selection);
    result.model = model_from_tensors(result.config, model_tensors(start.model), settings.init);
  } else if (settings.num_experts > 1) {
    ExpertOptions options;
    options.routing.num_experts = settings.num_experts;
    options.routing.encoder_vanilla_layers = settings.encoder_vanilla_layers;
    options.routing.decoder_vanilla_layers = settings.decoder_vanilla_layers;
    options.routing.selection = selection_of(settings.selection);
    const bool text = settings.task_vectors == "text";
    options.routing.task_vector_dim = text ? start.config.d_model : settings.task_vector_dim;
    options.num_tasks = num_tasks;
    options.expert_noise = settings.expert_noise;
    options.router_std = settings.router_init_std;
    options.seed = static_cast<uint64_t>(settings.optimiser.seed);
    result = make_routed(start, options);
    if (text) {
      torch::NoGradGuard no_grad;
      Seq2SeqModel dense = start.model;
      result.model->task_vectors().copy_(
          text_task_vectors(dense, examples, num_tasks, kTextsPerTask));
    }
  }
  freeze(result.model, settings);
  return result;
}

}  // namespace trivium
