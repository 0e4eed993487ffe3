#include "learning/reference/classifier_scores.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/base/error.h"
#include "learning/model/bfloat16_scope.h"

namespace trivium::learning {
namespace {

constexpr size_t kBatchTokens = 4096;

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

size_t largest(const std::vector<float>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::vector<Scored> choice_answers(const LabelledTaskInfo& task,
                                   const std::vector<LabelledExample>& examples,
                                   const std::vector<std::vector<float>>& outputs) {
  std::map<int64_t, std::vector<size_t>> groups;
  for (size_t i = 0; i < examples.size(); ++i) groups[examples[i].group].push_back(i);
  std::vector<Scored> answers;
  for (const auto& [group, members] : groups) {
    size_t best = 0, right = 0;
    for (size_t c = 0; c < members.size(); ++c) {
      // Output 1 is "right". Only its own logit counts (docs/spec/mt_tag.md, section 3).
      if (outputs[members[c]].at(1) > outputs[members[best]].at(1)) best = c;
      if (examples[members[c]].label == 1) right = c;
    }
    answers.push_back({task.labels.at(best), {task.labels.at(right)}});
  }
  return answers;
}

}  // namespace

std::vector<std::vector<float>> classifier_outputs(EncoderClassifier& model,
                                                   const std::vector<LabelledExample>& examples,
                                                   int32_t pad_id, bool bf16) {
  torch::InferenceMode inference;
  const torch::Device device = model->parameters().front().device();
  std::vector<size_t> order(examples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return examples[a].ids.size() < examples[b].ids.size();
  });
  std::vector<std::vector<float>> results(examples.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    std::vector<LabelledExample> batch;
    while (end < order.size() &&
           (end == begin || examples[order[end]].ids.size() * (end - begin + 1) <= kBatchTokens)) {
      batch.push_back(examples[order[end++]]);
    }
    const LabelledBatch collated = collate_labelled(batch, pad_id).to(device);
    const Bfloat16Scope scope(bf16, device.type());
    const torch::Tensor hidden = model->encode(collated);
    for (const auto& [task, rows] : rows_by_task(collated.task_ids)) {
      const torch::Tensor outputs = model->outputs(task, hidden, collated, rows)
                                        .to(torch::kCPU, torch::kFloat32)
                                        .contiguous();
      const torch::Tensor places = rows.to(torch::kCPU);
      for (int64_t r = 0; r < places.numel(); ++r) {
        const float* row = outputs.data_ptr<float>() + r * outputs.size(1);
        results[order[begin + static_cast<size_t>(places.data_ptr<int64_t>()[r])]].assign(
            row, row + outputs.size(1));
      }
    }
    begin = end;
  }
  return results;
}

std::vector<Scored> classifier_answers(const LabelledTaskInfo& task,
                                       const std::vector<LabelledExample>& examples,
                                       const std::vector<std::vector<float>>& outputs) {
  check(examples.size() == outputs.size(), "one row of outputs an example");
  if (task.kind == AnswerKind::kChoice) return choice_answers(task, examples, outputs);
  std::vector<Scored> answers;
  for (size_t i = 0; i < examples.size(); ++i) {
    if (task.kind == AnswerKind::kNumber) {
      answers.push_back({number_text(outputs[i].at(0)), {number_text(examples[i].value)}});
    } else {
      answers.push_back({task.labels.at(largest(outputs[i])),
                         {task.labels.at(static_cast<size_t>(examples[i].label))}});
    }
  }
  return answers;
}

TaskScore score_classifier(ClassifierCheckpoint& checkpoint, int64_t task,
                           const std::vector<LabelledExample>& examples, const std::string& metric,
                           bool bf16, int resamples) {
  checkpoint.model->eval();
  const LabelledTaskInfo& info = checkpoint.tasks.at(static_cast<size_t>(task));
  const auto outputs =
      classifier_outputs(checkpoint.model, examples, checkpoint.config.pad_token_id, bf16);
  TaskScore score;
  score.task = info.name;
  score.metric = metric;
  const std::vector<Scored> items = classifier_answers(info, examples, outputs);
  score.examples = items.size();
  for (const Scored& item : items) {
    score.items.push_back({score.items.size(), {item.prediction}, item.golds});
  }
  const std::unique_ptr<Metric> scorer = make_metric(metric);
  score.score = scorer->score(items);
  if (resamples > 0) score.interval = bootstrap_interval(*scorer, items, resamples);
  return score;
}

}  // namespace trivium::learning
