#include "learning/adaptation/new_task.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "learning/model/model_routes.h"

namespace trivium::learning {
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

TaskRoute mixed_route(const Checkpoint& checkpoint, const TaskMix& shares) {
  Seq2SeqModel model = checkpoint.model;
  model->eval();
  const int64_t nearest =
      shares.empty() ? 0 : static_cast<int64_t>(checkpoint.tasks.index_of(shares.front().first));
  if (!model->is_routed()) {
    return dense_route(checkpoint.config(), model->has_token_gates() ? nearest : 0);
  }
  const double temperature = checkpoint.config().routing.selection_temperature;
  if (!model->has_router() || shares.empty()) {
    return main_experts_only(route_of_task(model, nearest, temperature));
  }
  const torch::Tensor vectors = model->task_vectors().detach();
  torch::Tensor mixed = torch::zeros({vectors.size(1)});
  for (const auto& [task, share] : shares) {
    mixed += vectors[static_cast<int64_t>(checkpoint.tasks.index_of(task))] * share;
  }
  return main_experts_only(route_of_vector(model, mixed, temperature));
}

const EnumNames<AnswersBy>& answers_by_names() {
  static const EnumNames<AnswersBy> names = {{"decoder", AnswersBy::kDecoder},
                                             {"head", AnswersBy::kHead}};
  return names;
}

AnswersBy usual_answers(const Task& task, const Checkpoint& checkpoint) {
  const bool has_labels = task.labels.size() > 1;
  return has_labels && !checkpoint.model->has_token_gates() ? AnswersBy::kHead
                                                            : AnswersBy::kDecoder;
}

TaskEntry plain_entry(const Task& task, const std::string& description, AnswersBy answers) {
  TaskEntry entry;
  entry.task = task;
  entry.task.records.clear();
  entry.description = description;
  entry.example = Json::object();
  const TemplateSpec spec =
      answers == AnswersBy::kHead ? values_template(task) : plain_template(task);
  entry.prompt = std::make_shared<PromptTemplate>(spec, task, task.name);
  return entry;
}

}  // namespace trivium::learning
