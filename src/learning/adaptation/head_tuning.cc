#include "learning/adaptation/head_tuning.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "learning/adaptation/own_experts.h"
#include "learning/model/batch.h"
#include "learning/training/tuned_copy.h"

namespace trivium::learning {
namespace {

constexpr double kCost = 10;  // of the cross-entropy, beside the weights

// The ids of every prompt's parts, one prompt after the other.
std::vector<std::vector<int32_t>> part_ids(const Checkpoint& dense,
                                           const std::vector<std::string>& prompts, int64_t parts,
                                           int64_t max_length) {
  std::vector<std::vector<int32_t>> ids;
  for (const std::string& prompt : prompts) {
    for (const std::string& text : head_texts(prompt, parts)) {
      ids.push_back(dense.tokenizer->encode_with_special(text, static_cast<size_t>(max_length)));
    }
  }
  return ids;
}

// Sentence vectors [texts, d_model], each of length 1.
torch::Tensor sentence_vectors(Seq2SeqModel model, const std::vector<std::vector<int32_t>>& texts) {
  const SourceBatch source = collate_sources(texts, model->config().pad_token_id);
  const torch::Tensor states = model->encode(source.ids, source.mask, {});
  const torch::Tensor mask = source.mask.unsqueeze(2).to(states.scalar_type());
  const torch::Tensor means = (states * mask).sum(1) / mask.sum(1);
  return means / means.norm(2, 1, /*keepdim=*/true).clamp_min(1e-12);
}

// What a head reads [prompts, features], of the vectors of all parts [prompts * parts, d_model].
torch::Tensor features_of(const torch::Tensor& vectors, int64_t parts) {
  if (parts == 1) return vectors;
  const torch::Tensor pairs = vectors.view({-1, 2, vectors.size(1)});
  const torch::Tensor u = pairs.select(1, 0), v = pairs.select(1, 1);
  return torch::cat({u, v, (u - v).abs(), u * v}, 1);
}

// The same of many prompts, without gradients.
torch::Tensor all_features(Seq2SeqModel model, const std::vector<std::vector<int32_t>>& texts,
                           int64_t parts) {
  constexpr size_t kTextsAtOnce = 32;
  const torch::NoGradGuard no_grad;
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return texts[a].size() < texts[b].size(); });
  torch::Tensor vectors = torch::empty({std::ssize(texts), model->config().d_model});
  for (size_t begin = 0; begin < order.size(); begin += kTextsAtOnce) {
    const size_t end = std::min(order.size(), begin + kTextsAtOnce);
    std::vector<std::vector<int32_t>> batch;
    for (size_t i = begin; i < end; ++i) batch.push_back(texts[order[i]]);
    const torch::Tensor found = sentence_vectors(model, batch);
    for (size_t i = begin; i < end; ++i) {
      vectors[static_cast<int64_t>(order[i])] = found[static_cast<int64_t>(i - begin)];
    }
  }
  return features_of(vectors, parts);
}

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& labels) {
  return torch::nn::functional::cross_entropy(
      logits, labels, torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
}

// A linear layer that learns.
struct Head {
  torch::Tensor weight;  // [labels, features]
  torch::Tensor bias;    // [labels]

  torch::Tensor logits(const torch::Tensor& features) const {
    return torch::addmm(bias, features, weight.t());
  }
  // As often as each example counts in the regression, an example of `examples`.
  torch::Tensor loss(const torch::Tensor& features, const torch::Tensor& labels,
                     int64_t examples) const {
    return cross_entropy(logits(features), labels) / labels.size(0) +
           0.5 * weight.square().sum() / (kCost * static_cast<double>(examples));
  }
};

Head logistic_regression(const torch::Tensor& features, const torch::Tensor& labels,
                         int64_t classes) {
  Head head{torch::zeros({classes, features.size(1)}, torch::requires_grad()),
            torch::zeros({classes}, torch::requires_grad())};
  torch::optim::LBFGS optimiser({head.weight, head.bias}, torch::optim::LBFGSOptions(1)
                                                              .max_iter(2000)
                                                              .tolerance_grad(1e-5)
                                                              .tolerance_change(1e-9)
                                                              .history_size(10)
                                                              .line_search_fn("strong_wolfe"));
  optimiser.step([&] {
    optimiser.zero_grad();
    const torch::Tensor loss =
        kCost * cross_entropy(head.logits(features), labels) + 0.5 * head.weight.square().sum();
    loss.backward();
    return loss;
  });
  return head;
}

HostTensor host_tensor(const torch::Tensor& tensor) {
  const torch::Tensor own = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous().clone();
  const auto keep = std::make_shared<torch::Tensor>(own);
  return {std::shared_ptr<const float>(keep, own.data_ptr<float>()), own.sizes().vec()};
}

// Of AdamW's groups: up for a tenth of the steps, then down to nothing.
double schedule(int64_t step, int64_t steps) {
  const double warmup = std::max(1.0, 0.1 * static_cast<double>(steps));
  const auto at = static_cast<double>(step);
  if (at < warmup) return (at + 1) / warmup;
  return (static_cast<double>(steps) - at) / (static_cast<double>(steps) - warmup);
}

class HeadTuning {
 public:
  HeadTuning(const Checkpoint& dense, const std::vector<std::string>& labels, int64_t parts,
             const LabelledTexts& train, const LabelledTexts& dev, const HeadSettings& settings)
      : settings_(settings),
        parts_(parts),
        train_(part_ids(dense, train.prompts, parts, settings.max_length)),
        dev_(part_ids(dense, dev.prompts, parts, settings.max_length)),
        labels_(torch::tensor(train.labels, torch::kInt64)),
        dev_labels_(torch::tensor(dev.labels, torch::kInt64)),
        rng_(settings.seed) {
    result_.head = {labels, parts, {}, {}};
    result_.encoder = copy_of(dense);
    tuned_ = copy_of(dense);
    tuned_.model->eval();
  }

  TunedHead run() {
    const auto classes = std::ssize(result_.head.labels);
    head_ = logistic_regression(all_features(tuned_.model, train_, parts_), labels_, classes);
    keep_if_best(0);
    result_.frozen_score = result_.dev_score;
    if (settings_.steps > 0) move();
    if (result_.step > 0) {
      result_.encoder.model =
          model_from_tensors(result_.encoder.config(), std::move(best_), "the tuned encoder");
    }
    return std::move(result_);
  }

 private:
  void move() {
    add_differences(tuned_.model, settings_.rank, settings_.seed);
    std::vector<torch::Tensor> differences;
    for (const auto& item : tuned_.model->named_parameters()) {
      const bool is_read = item.value().requires_grad() && item.key().starts_with("encoder.");
      if (is_read) differences.push_back(item.value());
      item.value().requires_grad_(is_read);
    }
    using torch::optim::AdamWOptions;
    torch::optim::AdamW optimiser(
        std::vector<torch::optim::OptimizerParamGroup>{
            {differences, std::make_unique<AdamWOptions>(settings_.learning_rate)},
            {{head_.weight, head_.bias},
             std::make_unique<AdamWOptions>(
                 AdamWOptions(settings_.head_learning_rate).weight_decay(0))}},
        AdamWOptions(settings_.learning_rate));
    for (int64_t step = 0; step < settings_.steps; ++step) {
      if (settings_.stop != nullptr && settings_.stop->load()) {
        throw Error(ExitCode::kInterrupted, "the tuning was stopped");
      }
      const double scale = schedule(step, settings_.steps);
      const std::array<double, 2> rates = {settings_.learning_rate, settings_.head_learning_rate};
      for (size_t group = 0; group < rates.size(); ++group) {
        static_cast<AdamWOptions&>(optimiser.param_groups()[group].options())
            .lr(scale * rates[group]);
      }
      optimiser.zero_grad();
      loss_of_next().backward();
      torch::nn::utils::clip_grad_norm_(differences, 1.0);
      optimiser.step();
      const int64_t done = step + 1;
      if (done % settings_.eval_every == 0 || done == settings_.steps) keep_if_best(done);
    }
  }

  torch::Tensor loss_of_next() {
    std::vector<std::vector<int32_t>> texts;
    std::vector<int64_t> rows;
    const auto examples = labels_.size(0);
    while (std::ssize(rows) < std::min(settings_.batch_size, examples)) {
      if (order_.empty()) {
        order_.resize(static_cast<size_t>(examples));
        std::iota(order_.begin(), order_.end(), int64_t{0});
        rng_.shuffle(order_);
      }
      const int64_t row = order_.back();
      order_.pop_back();
      rows.push_back(row);
      for (int64_t part = 0; part < parts_; ++part) {
        texts.push_back(train_[static_cast<size_t>(row * parts_ + part)]);
      }
    }
    const torch::Tensor features = features_of(sentence_vectors(tuned_.model, texts), parts_);
    return head_.loss(features, labels_.index_select(0, torch::tensor(rows, torch::kInt64)),
                      examples);
  }

  void keep_if_best(int64_t step) {
    if (dev_.empty() && step > 0 && step < settings_.steps) return;
    double score = 0, loss = 0;
    if (!dev_.empty()) {
      const torch::NoGradGuard no_grad;
      const torch::Tensor logits = head_.logits(all_features(tuned_.model, dev_, parts_));
      score = logits.argmax(1).eq(dev_labels_).to(torch::kFloat64).mean().item<double>();
      loss = cross_entropy(logits, dev_labels_).item<double>();
    }
    const bool is_better = step == 0 || dev_.empty() || score > result_.dev_score ||
                           (score == result_.dev_score && loss < best_loss_);
    if (!is_better) return;
    best_loss_ = loss;
    result_.dev_score = score;
    result_.step = step;
    result_.head.weight = host_tensor(head_.weight);
    result_.head.bias = host_tensor(head_.bias);
    if (step == 0) return;
    result_.differences = differences_of(tuned_.model, result_.encoder.model);
    best_ = merged_tensors(tuned_.model);
  }

  HeadSettings settings_;
  int64_t parts_;
  std::vector<std::vector<int32_t>> train_, dev_;  // ids of the prompts' parts
  torch::Tensor labels_, dev_labels_;
  Rng rng_;
  std::vector<int64_t> order_;  // of the examples left in this pass, the last one next
  Checkpoint tuned_;
  Head head_;
  TunedHead result_;
  double best_loss_ = 0;
  NamedTensors best_;
};

}  // namespace

LabelledTexts labelled_texts(const TaskEntry& entry, const std::vector<const Record*>& records) {
  const std::vector<std::string>& labels = entry.task.labels;
  LabelledTexts texts;
  for (const Record* record : records) {
    const auto raw =
        json_get<std::string>(record->fields, entry.task.target.c_str(), record->where);
    const auto place = std::find(labels.begin(), labels.end(), raw);
    check(place != labels.end(), "a gym's targets are labels");
    texts.prompts.push_back(entry.prompt->render(entry.task, *record).input);
    texts.labels.push_back(place - labels.begin());
  }
  return texts;
}

int64_t head_parts(const Task& task) { return task.inputs.size() == 1 ? 1 : 2; }

TunedHead tune_head(const Checkpoint& dense, const std::vector<std::string>& labels, int64_t parts,
                    const LabelledTexts& train, const LabelledTexts& dev,
                    const HeadSettings& settings) {
  check(!dense.model->is_routed(), "a head reads a model without pools");
  check(!train.prompts.empty() && labels.size() > 1, "a head learns from examples of labels");
  return HeadTuning(dense, labels, parts, train, dev, settings).run();
}

std::vector<int64_t> predict_labels(const TunedHead& tuned, const std::vector<std::string>& prompts,
                                    int64_t max_length) {
  const int64_t parts = tuned.head.parts;
  const torch::NoGradGuard no_grad;
  Seq2SeqModel model = tuned.encoder.model;
  model->eval();
  const auto tensor = [](const HostTensor& host) {
    return torch::from_blob(const_cast<float*>(host.values.get()), host.shape, torch::kFloat32);
  };
  const Head head{tensor(tuned.head.weight), tensor(tuned.head.bias)};
  const torch::Tensor best =
      head.logits(all_features(model, part_ids(tuned.encoder, prompts, parts, max_length), parts))
          .argmax(1)
          .contiguous();
  return {best.data_ptr<int64_t>(), best.data_ptr<int64_t>() + best.numel()};
}

}  // namespace trivium::learning
