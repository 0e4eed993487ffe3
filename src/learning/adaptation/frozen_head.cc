#include "learning/adaptation/frozen_head.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "core/data/task_finder.h"

namespace trivium::learning {
namespace {

constexpr size_t kTextsAtOnce = 32;

// Sentence vectors of texts: float32 [texts, d_model], each of length 1.
torch::Tensor sentence_vectors(const Checkpoint& dense, const std::vector<std::string>& texts,
                               int64_t max_length) {
  torch::NoGradGuard no_grad;
  Seq2SeqModel model = dense.model;
  model->eval();
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& text : texts) {
    ids.push_back(dense.tokenizer->encode_with_special(text, static_cast<size_t>(max_length)));
  }
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return ids[a].size() < ids[b].size(); });
  torch::Tensor vectors = torch::empty({std::ssize(texts), dense.config().d_model});
  for (size_t begin = 0; begin < order.size(); begin += kTextsAtOnce) {
    const size_t end = std::min(order.size(), begin + kTextsAtOnce);
    std::vector<std::vector<int32_t>> batch;
    for (size_t i = begin; i < end; ++i) batch.push_back(ids[order[i]]);
    const SourceBatch source = collate_sources(batch, dense.config().pad_token_id);
    const torch::Tensor states = model->encode(source.ids, source.mask, {});
    const torch::Tensor mask = source.mask.unsqueeze(2).to(states.scalar_type());
    const torch::Tensor means = (states * mask).sum(1) / mask.sum(1);
    const torch::Tensor unit = means / means.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
    for (size_t i = begin; i < end; ++i) {
      vectors[static_cast<int64_t>(order[i])] = unit[static_cast<int64_t>(i - begin)];
    }
  }
  return vectors;
}

// What is known of records: [records, d_model], or [records, 4 * d_model] of two fields.
torch::Tensor features_of(const Checkpoint& dense, const Task& task,
                          const std::vector<const Record*>& records, int64_t max_length) {
  const auto vectors = [&](const std::string& field) {
    std::vector<std::string> texts;
    for (const Record* record : records) texts.push_back(bare_input({field}, *record));
    return sentence_vectors(dense, texts, max_length);
  };
  const torch::Tensor u = vectors(task.inputs.at(0));
  if (task.inputs.size() == 1) return u;
  const torch::Tensor v = vectors(task.inputs.at(1));
  return torch::cat({u, v, (u - v).abs(), u * v}, 1);
}

int64_t label_of(const Task& task, const Record& record) {
  const auto raw = json_get<std::string>(record.fields, task.target.c_str(), record.where);
  const auto place = std::find(task.labels.begin(), task.labels.end(), raw);
  check(place != task.labels.end(), "a gym's targets are labels");
  return place - task.labels.begin();
}

class LogisticRegression {
 public:
  LogisticRegression(const torch::Tensor& features, const torch::Tensor& labels, int64_t classes)
      : weight_(torch::zeros({classes, features.size(1)}, torch::requires_grad())),
        bias_(torch::zeros({classes}, torch::requires_grad())) {
    torch::optim::LBFGS optimiser({weight_, bias_}, torch::optim::LBFGSOptions(1)
                                                        .max_iter(kMostIterations)
                                                        .tolerance_grad(1e-5)
                                                        .tolerance_change(1e-9)
                                                        .history_size(10)
                                                        .line_search_fn("strong_wolfe"));
    optimiser.step([&] {
      optimiser.zero_grad();
      const torch::Tensor losses = torch::nn::functional::cross_entropy(
          logits(features), labels,
          torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
      const torch::Tensor loss = kCost * losses + 0.5 * weight_.square().sum();
      loss.backward();
      return loss;
    });
  }

  // The likeliest class of each row.
  std::vector<int64_t> predict(const torch::Tensor& features) const {
    torch::NoGradGuard no_grad;
    const torch::Tensor best = logits(features).argmax(1).contiguous();
    return {best.data_ptr<int64_t>(), best.data_ptr<int64_t>() + best.numel()};
  }

 private:
  static constexpr int64_t kMostIterations = 2000;
  static constexpr double kCost = 10;

  torch::Tensor logits(const torch::Tensor& features) const {
    return torch::addmm(bias_, features, weight_.t());
  }

  torch::Tensor weight_;  // [classes, features]
  torch::Tensor bias_;    // [classes]
};

// The classes of a task's examples as answers, each in the words of its own example.
std::vector<ScoredAnswer> answers_of(const EvaluationTask& scored,
                                     const std::vector<int64_t>& classes,
                                     const std::vector<std::string>& labels) {
  std::vector<ScoredAnswer> answers;
  for (size_t i = 0; i < classes.size(); ++i) {
    const std::vector<std::string>& options = scored.examples[i].options;
    const auto place = static_cast<size_t>(classes[i]);
    answers.push_back({i, {options.size() == labels.size() ? options[place] : labels[place]}, {}});
  }
  return answers;
}

}  // namespace

FewShotResult adapt_frozen_head(const Checkpoint& dense, const FewShotTask& task,
                                const FewShotSettings& settings) {
  check(!dense.model->is_routed(), "a frozen head reads a model without pools");
  const std::vector<std::string>& labels = task.task.labels;
  if (labels.empty()) {
    throw Error(ExitCode::kUsage, "task " + task.task.name +
                                      " has no fixed labels, which a frozen head chooses among");
  }
  const auto classes = static_cast<int64_t>(labels.size());
  std::vector<const Record*> test;
  for (const Record& record : task.task.records.at(Split::kTest)) {
    if (test.size() < task.test.examples.size()) test.push_back(&record);
  }
  const torch::Tensor test_features =
      features_of(dense, task.task, test, settings.max_source_length);
  FewShotResult result;
  result.task = task.task.name;
  result.family = task.task.family;
  result.metric = task.task.metric;
  for (const uint64_t seed : seeds_of(task, settings)) {
    const FewShotSample sample =
        draw_few_shot_sample(task, settings.per_class, settings.total, seed);
    std::vector<int64_t> targets;
    for (const Record* record : sample.train_records) {
      targets.push_back(label_of(task.task, *record));
    }
    const LogisticRegression head(
        features_of(dense, task.task, sample.train_records, settings.max_source_length),
        torch::tensor(targets, torch::kInt64), classes);
    // As few-shot tuning is scored: each sample with the majority of its own train examples.
    const auto score = [&](const torch::Tensor& features, std::vector<Example> examples) {
      const EvaluationTask scored =
          make_evaluation_task(task.task, std::move(examples), sample.train);
      return score_answers(scored, answers_of(scored, head.predict(features), labels));
    };
    SampleResult own{sample.seed, sample.train.size(), sample.dev.size(), {}, 0, 0};
    const torch::Tensor dev_features =
        features_of(dense, task.task, sample.dev_records, settings.max_source_length);
    own.cells.push_back({.dev_score = score(dev_features, sample.dev).score});
    const TaskScore test_score = score(test_features, task.test.examples);
    own.test_score = test_score.score;
    if (result.samples.empty()) result.majority = result.start_score = test_score.majority;
    spdlog::info("{} sample {}: test {:.4f}", task.task.name, sample.seed, own.test_score);
    result.samples.push_back(std::move(own));
  }
  return result;
}

}  // namespace trivium::learning
