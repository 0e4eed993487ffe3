#include "learning/adaptation/new_task.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/routes/task_route.h"
#include "learning/model/model_routes.h"
#include "learning/training/multi_task_stream.h"
#include "learning/training/trainer.h"

namespace trivium::learning {
namespace {

void require_router(const Checkpoint& checkpoint) {
  if (checkpoint.model->has_router()) return;
  throw Error(ExitCode::kUsage,
              "only a checkpoint with a learned router can take in a task by its vector");
}

// The weights of `routed`, shared, but for task vectors that are this one alone.
Checkpoint with_one_vector(const Checkpoint& routed, const torch::Tensor& vector) {
  Checkpoint one;
  one.tokenizer = routed.tokenizer;
  NamedTensors tensors = model_tensors(routed.model);
  tensors["task_vectors.weight"] = vector.detach().clone().unsqueeze(0).contiguous();
  one.model = model_from_tensors(routed.config(), std::move(tensors), "the model");
  for (auto& item : one.model->named_parameters()) {
    if (!item.key().starts_with("task_vectors.")) item.value().requires_grad_(false);
  }
  return one;
}

// Mean loss over the examples' target tokens along the route of row 0.
double mean_loss(Checkpoint& checkpoint, const std::vector<EncodedExample>& examples,
                 int64_t batch_size) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel& model = checkpoint.model;
  model->eval();
  const TaskRoute route =
      route_of_task(model, 0, checkpoint.config().routing.selection_temperature);
  double sum = 0;
  int64_t tokens = 0;
  for (size_t begin = 0; begin < examples.size(); begin += static_cast<size_t>(batch_size)) {
    const size_t end = std::min(examples.size(), begin + static_cast<size_t>(batch_size));
    const Batch batch =
        collate({examples.begin() + static_cast<std::ptrdiff_t>(begin),
                 examples.begin() + static_cast<std::ptrdiff_t>(end)},
                checkpoint.config().pad_token_id, checkpoint.config().decoder_start_token_id);
    const std::vector<const TaskRoute*> routes(end - begin, &route);
    const torch::Tensor losses =
        model
            ->loss(batch, routing_weights(routes, checkpoint.config(), torch::kCPU), /*weights=*/{},
                   /*smoothing=*/0)
            .losses;
    sum += losses.sum().item<double>();
    tokens += losses.numel();
  }
  return sum / static_cast<double>(tokens);
}

}  // namespace

TaskMix nearest_tasks(const Checkpoint& checkpoint, const std::vector<std::string>& texts,
                      size_t count) {
  check(!texts.empty() && count > 0, "tasks are found by texts");
  if (!checkpoint.finder) {
    throw Error(ExitCode::kMissingInput,
                "the checkpoint knows no tasks that a new one could be "
                "near to");
  }
  std::map<std::string, double> sums;
  for (const std::string& text : texts) {
    for (const TaskGuess& guess :
         checkpoint.finder->find(text, checkpoint.tasks.entries().size())) {
      sums[guess.task] += guess.probability;
    }
  }
  TaskMix shares(sums.begin(), sums.end());
  std::stable_sort(shares.begin(), shares.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  shares.resize(std::min(count, shares.size()));
  double total = 0;
  for (const auto& [task, share] : shares) total += share;
  for (auto& [task, share] : shares) share /= total;
  return shares;
}

torch::Tensor mixed_vector(const Checkpoint& routed, const TaskMix& shares) {
  require_router(routed);
  Seq2SeqModel model = routed.model;
  const torch::Tensor vectors = model->task_vectors().detach();
  torch::Tensor mixed = torch::zeros({vectors.size(1)});
  for (const auto& [task, share] : shares) {
    mixed += vectors[static_cast<int64_t>(routed.tasks.index_of(task))] * share;
  }
  return mixed;
}

VectorTuning tune_vector(const Checkpoint& routed, const torch::Tensor& start,
                         const std::vector<EncodedExample>& examples, int64_t batch_size,
                         const OptimiserSettings& settings) {
  require_router(routed);
  Checkpoint one = with_one_vector(routed, start);
  VectorTuning result;
  result.vector = start;
  result.loss_before = result.loss_after = mean_loss(one, examples, batch_size);
  TrainerOptions options;
  options.optimiser = settings;
  const RoutingConfig& routing = routed.config().routing;
  options.routes.selection = routing.selection;
  // In the Gumbel modes the temperature changes no draw, only how smooth the gradient is.
  const double temperature = routing.selection == SelectionKind::kSoftmax
                                 ? routing.selection_temperature
                                 : std::max(1.0, routing.selection_temperature);
  options.routes.temperature = {temperature, temperature, 0};
  MultiTaskStream stream(examples,
                         {.batching = Batching::kHomogeneous,
                          .batch_tokens = int64_t{1} << 40,  // no limit
                          .max_examples = batch_size},
                         static_cast<uint64_t>(settings.seed));
  Trainer trainer(one, stream, options, /*validator=*/{});
  for (int64_t step = 0; step < settings.steps; ++step) trainer.step();
  const double loss = mean_loss(one, examples, batch_size);
  if (loss < result.loss_before) {
    result.loss_after = loss;
    result.vector = one.model->task_vectors().detach()[0].clone();
  }
  return result;
}

Checkpoint with_task(const Checkpoint& routed, const TaskEntry& entry,
                     const torch::Tensor& vector) {
  require_router(routed);
  if (routed.tasks.has(entry.task.name)) {
    throw Error(ExitCode::kExists, "the checkpoint knows the task " + entry.task.name +
                                       " already; choose another name");
  }
  Checkpoint result = routed;
  NamedTensors tensors = copied_tensors(routed.model);
  torch::Tensor& vectors = tensors.at("task_vectors.weight");
  vectors = torch::cat({vectors, vector.detach().unsqueeze(0)});
  result.model = model_from_tensors(routed.config(), std::move(tensors), "the model");
  result.tasks.add(entry);
  return result;
}

TaskEntry plain_entry(const Task& task, const std::string& description) {
  TaskEntry entry;
  entry.task = task;
  entry.task.records.clear();
  entry.description = description;
  entry.example = Json::object();
  entry.prompt = std::make_shared<PromptTemplate>(plain_template(task), task, task.name);
  return entry;
}

}  // namespace trivium::learning
