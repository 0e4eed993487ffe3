#include "learning/training/classifier_training.h"

#include <cmath>

#include "core/base/error.h"
#include "core/base/json.h"
#include "learning/reference/classifier_scores.h"
#include "learning/model/bfloat16_scope.h"
#include "learning/training/snapshot.h"

namespace trivium::learning {
namespace {

std::vector<SampleItem> sample_items(const std::vector<LabelledExample>& examples) {
  std::vector<SampleItem> items;
  for (const LabelledExample& example : examples) {
    items.push_back({example.task, static_cast<int64_t>(example.ids.size()), 0});
  }
  return items;
}

SamplerOptions sampler_options(const ClassifierTrainerOptions& options, bool uniform) {
  SamplerOptions result;
  result.batch_tokens = options.batch_tokens;
  result.max_examples = options.batch_examples;
  result.share_alpha = uniform ? 0 : 1;
  return result;
}

OptimiserSettings with_steps(OptimiserSettings settings, int64_t steps) {
  if (settings.steps == 0) settings.steps = steps;
  return settings;
}

}  // namespace

ClassifierTrainerOptions trainer_options(const ClassifierSettings& settings) {
  return {settings.step.optimiser(settings.steps, static_cast<uint64_t>(settings.seed)),
          settings.step.batch_tokens, settings.step.batch_examples, settings.sampling,
          settings.uniform_share};
}

ClassifierTrainer::ClassifierTrainer(ClassifierCheckpoint& checkpoint,
                                     std::vector<LabelledExample> examples,
                                     const ClassifierTrainerOptions& options, int64_t epochs)
    : checkpoint_(checkpoint),
      examples_(std::move(examples)),
      options_(options),
      main_(sample_items(examples_),
            sampler_options(options, options.shares == TaskShares::kUniform),
            static_cast<uint64_t>(options.optimiser.seed)),
      optimiser_(*checkpoint.model, options.optimiser) {
  options_.optimiser = with_steps(options.optimiser, epochs * batches_in_epoch());
  if (options.shares == TaskShares::kUniformThenNatural) {
    first_.emplace(sample_items(examples_), sampler_options(options, /*uniform=*/true),
                   static_cast<uint64_t>(options.optimiser.seed));
  }
  checkpoint_.model->set_dropout({.residual = options.optimiser.dropout,
                                  .attention = options.optimiser.attention_dropout,
                                  .activation = 0});
  // Dropout draws from the global generator.
  torch::manual_seed(static_cast<uint64_t>(options.optimiser.seed));
}

BatchSampler& ClassifierTrainer::sampler() {
  const double uniform_steps = options_.uniform_share * static_cast<double>(steps());
  return first_ && static_cast<double>(step_) < uniform_steps ? *first_ : main_;
}

ClassifierTrainer::StepResult ClassifierTrainer::step() {
  checkpoint_.model->train();
  std::vector<LabelledExample> batch;
  StepResult result;
  for (const size_t index : sampler().next_batch()) {
    batch.push_back(examples_[index]);
    result.tokens += static_cast<int64_t>(examples_[index].ids.size());
  }
  result.examples = static_cast<int64_t>(batch.size());
  const LabelledBatch collated =
      collate_labelled(batch, checkpoint_.config.pad_token_id).to(device());
  torch::Tensor loss;
  {
    const Bfloat16Scope scope(options_.optimiser.precision == Precision::kBfloat16, device().type());
    loss = checkpoint_.model->losses(checkpoint_.model->encode(collated), collated).mean();
    loss.backward();
  }
  result.loss = loss.item<double>();
  result.gradient_norm = optimiser_.clip_gradients();
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    throw Error(ExitCode::kDiverged, "the loss is not finite at step " + std::to_string(step_ + 1) +
                                         "; lower the learning rate");
  }
  optimiser_.step(learning_rate_factor(step_, steps(), options_.optimiser.warmup));
  optimiser_.zero_gradients();
  ++step_;
  if (10 * step_ > 9 * steps()) {
    loss_sum_ += result.loss;
    ++loss_steps_;
  }
  return result;
}

double ClassifierTrainer::last_loss() const {
  return loss_steps_ > 0 ? loss_sum_ / static_cast<double>(loss_steps_) : 0;
}

torch::Device ClassifierTrainer::device() const {
  return checkpoint_.model->parameters().front().device();
}

void ClassifierTrainer::save_snapshot(const std::filesystem::path& folder) const {
  Json samplers = Json::array({main_.state()});
  if (first_) samplers.push_back(first_->state());
  TrainingSnapshot snapshot;
  snapshot.step = step_;
  snapshot.stream_state = to_json_line(samplers);
  snapshot.loss_sum = loss_sum_;
  snapshot.loss_steps = loss_steps_;
  snapshot.dropout_state = dropout_generator(device()).get_state();
  snapshot.optimiser = optimiser_.state();
  save_training_snapshot(checkpoint_, snapshot, folder);
}

void ClassifierTrainer::resume(const std::filesystem::path& folder) {
  const TrainingSnapshot snapshot = load_training_snapshot(folder);
  restore_parameters(*checkpoint_.model, folder);
  optimiser_.load_state(snapshot.optimiser);
  const Json samplers = parse_json(snapshot.stream_state, folder.string(), ExitCode::kBadModel);
  const size_t expected = first_ ? 2 : 1;
  if (!samplers.is_array() || samplers.size() != expected || !samplers[0].is_string() ||
      !samplers[expected - 1].is_string()) {
    throw Error(ExitCode::kBadModel, folder.string() +
                                         ": the training's place in its data is not "
                                         "that of this data.sampling");
  }
  main_.set_state(samplers[0].get<std::string>());
  if (first_) first_->set_state(samplers[1].get<std::string>());
  restore_generator(dropout_generator(device()), snapshot.dropout_state);
  step_ = snapshot.step;
  loss_sum_ = snapshot.loss_sum;
  loss_steps_ = snapshot.loss_steps;
}

std::optional<FineTuneResult> fine_tune(ClassifierCheckpoint& checkpoint, const FineTuneData& data,
                                        const ClassifierTrainerOptions& options, int64_t epochs,
                                        const std::atomic<bool>* stop) {
  ClassifierTrainerOptions by_epochs = options;
  by_epochs.optimiser.steps = 0;
  ClassifierTrainer trainer(checkpoint, data.train, by_epochs, epochs);
  FineTuneResult result;
  NamedTensors best;
  for (int64_t epoch = 1; epoch <= epochs; ++epoch) {
    while (!trainer.done() && trainer.steps_done() < epoch * trainer.batches_in_epoch()) {
      if (stop != nullptr && stop->load()) return std::nullopt;
      trainer.step();
    }
    const double score = score_classifier(checkpoint, 0, data.dev, data.metric,
                                          options.optimiser.precision == Precision::kBfloat16, /*resamples=*/0)
                             .score;
    if (!best.empty() && !(score > result.dev_score)) continue;
    result = {score, epoch};
    best = copied_tensors(*checkpoint.model);
  }
  torch::NoGradGuard no_grad;
  for (auto& item : checkpoint.model->named_parameters()) item.value().copy_(best.at(item.key()));
  return result;
}

ClassifierCheckpoint new_classifier(const ClassifierSettings& settings,
                                    const std::vector<LabelledTaskInfo>& tasks) {
  ClassifierOptions options;
  options.encoder_layers = settings.encoder_layers;
  options.seed = static_cast<uint64_t>(settings.seed);
  options.token_experts.num_experts = settings.num_experts;
  options.token_experts.gates = settings.token_gates;
  options.token_experts.scale = settings.gate_scale;
  options.token_experts.gate_embedding_dim = settings.gate_embedding_dim;
  return import_classifier(settings.init, tasks, options);
}

}  // namespace trivium::learning
