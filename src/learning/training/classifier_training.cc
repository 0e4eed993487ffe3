#include "learning/training/classifier_training.h"

#include <cmath>

#include "core/base/error.h"
#include "core/base/json.h"
#include "learning/model/bfloat16_scope.h"
#include "learning/reference/classifier_scores.h"
#include "learning/training/run_record.h"
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

// With optimiser.steps 0: `epochs` times the batches of an epoch.
OptimiserSettings with_steps(OptimiserSettings settings, const BatchSampler& sampler,
                             int64_t epochs) {
  if (settings.steps == 0) {
    settings.steps = epochs * static_cast<int64_t>(sampler.batches_in_epoch());
  }
  return settings;
}

BatchSampler make_sampler(const std::vector<LabelledExample>& examples,
                          const ClassifierTrainerOptions& options, bool uniform) {
  return {sample_items(examples), sampler_options(options, uniform),
          static_cast<uint64_t>(options.optimiser.seed)};
}

}  // namespace

ClassifierTrainerOptions trainer_options(const ClassifierSettings& settings) {
  OptimiserSettings optimiser =
      settings.step.optimiser(settings.steps, static_cast<uint64_t>(settings.seed));
  optimiser.max_skipped = settings.max_skipped;
  return {optimiser,         settings.step.batch_tokens, settings.step.batch_examples,
          settings.sampling, settings.uniform_share,     /*record=*/nullptr};
}

ClassifierTrainer::ClassifierTrainer(ClassifierCheckpoint& checkpoint,
                                     std::vector<LabelledExample> examples,
                                     const ClassifierTrainerOptions& options, int64_t epochs)
    : ClassifierTrainer(checkpoint, std::move(examples), options, epochs,
                        make_sampler(examples, options, options.shares == TaskShares::kUniform)) {}

ClassifierTrainer::ClassifierTrainer(ClassifierCheckpoint& checkpoint,
                                     std::vector<LabelledExample>&& examples,
                                     const ClassifierTrainerOptions& options, int64_t epochs,
                                     BatchSampler main)
    : TrainingLoop(*checkpoint.model, with_steps(options.optimiser, main, epochs),
                   checkpoint.model->parameters().front().device()),
      checkpoint_(checkpoint),
      examples_(std::move(examples)),
      options_(options),
      main_(std::move(main)) {
  if (options.shares == TaskShares::kUniformThenNatural) {
    first_.emplace(make_sampler(examples_, options, /*uniform=*/true));
  }
  checkpoint_.model->set_dropout({.residual = options.optimiser.dropout,
                                  .attention = options.optimiser.attention_dropout,
                                  .activation = 0});
}

BatchSampler& ClassifierTrainer::sampler() {
  const double uniform_steps = options_.uniform_share * static_cast<double>(steps());
  return first_ && static_cast<double>(steps_done()) < uniform_steps ? *first_ : main_;
}

std::string ClassifierTrainer::task_name(int64_t task) const {
  return checkpoint_.tasks.at(static_cast<size_t>(task)).name;
}

TrainingLoop::StepResult ClassifierTrainer::add_gradients() {
  begin_batch(0);
  checkpoint_.model->train();
  for (TokenGate& gate : checkpoint_.model->token_gates()) gate->record(true);
  std::vector<LabelledExample> batch;
  StepResult result;
  for (const size_t index : sampler().next_batch()) {
    batch.push_back(examples_[index]);
    result.tokens += static_cast<int64_t>(examples_[index].ids.size());
    result.tasks.insert(examples_[index].task);
  }
  result.examples = static_cast<int64_t>(batch.size());
  const LabelledBatch collated =
      collate_labelled(batch, checkpoint_.config.pad_token_id).to(device());
  {
    const Bfloat16Scope scope(options_.optimiser.precision == Precision::kBfloat16,
                              device().type());
    const torch::Tensor losses =
        checkpoint_.model->losses(checkpoint_.model->encode(collated), collated);
    const torch::Tensor loss = losses.mean();
    loss.backward();
    result.loss = loss.item<double>();
    for (size_t i = 0; i < batch.size() && !std::isfinite(result.loss); ++i) {
      const double one = losses[static_cast<int64_t>(i)].item<double>();
      if (!std::isfinite(one)) result.unfinite_tasks.insert(batch[i].task);
    }
  }
  if (checkpoint_.model->has_token_gates()) last_batch_ = collated;
  if (10 * (steps_done() + 1) > 9 * steps() && std::isfinite(result.loss)) add_loss(result.loss);
  return result;
}

void ClassifierTrainer::watch_routes() {
  if (!last_batch_.task_ids.defined()) return;
  std::vector<TokenGate> gates = checkpoint_.model->token_gates();
  std::vector<std::string> names;
  for (const LabelledTaskInfo& task : checkpoint_.tasks) names.push_back(task.name);
  watch_.look(use_of_gates(gates, static_cast<int64_t>(gates.size()), last_batch_.source.mask, {},
                           last_batch_.task_ids, names));
}

void ClassifierTrainer::save_snapshot(const std::filesystem::path& folder) const {
  Json samplers = Json::array({main_.state()});
  if (first_) samplers.push_back(first_->state());
  TrainingSnapshot snapshot = loop_state();
  snapshot.stream_state = std::move(samplers);
  snapshot.record = options_.record;
  save_training_snapshot(checkpoint_, snapshot, folder);
}

void ClassifierTrainer::save_finished(const std::filesystem::path& folder) const {
  TrainingSnapshot snapshot;
  snapshot.step = steps_done();
  snapshot.finished = true;
  snapshot.record = options_.record;
  save_training_snapshot(checkpoint_, snapshot, folder);
}

void ClassifierTrainer::resume(const std::filesystem::path& folder) {
  const TrainingSnapshot snapshot = load_training_snapshot(folder);
  remove_half_written(folder.parent_path(), folder.filename());
  const bool is_finished = snapshot.finished || snapshot.step >= steps();
  refuse_other_run(snapshot.record, options_.record, folder.string(), is_finished);
  if (snapshot.finished) {
    restore_parameters(*checkpoint_.model, folder);
    restore_end();
    return;
  }
  const Json& samplers = snapshot.stream_state;
  if (!samplers.is_array() || samplers.size() != (first_ ? 2u : 1u)) {
    throw Error(ExitCode::kBadModel, folder.string() +
                                         ": the training's place in its data is not "
                                         "that of this data.sampling");
  }
  restore(snapshot, folder);
  main_.set_state(samplers[0]);
  if (first_) first_->set_state(samplers[1]);
}

std::optional<FineTuneResult> fine_tune(ClassifierCheckpoint& checkpoint, const FineTuneData& data,
                                        const ClassifierTrainerOptions& options, int64_t epochs,
                                        const std::atomic<bool>* stop) {
  ClassifierTrainerOptions by_epochs = options;
  by_epochs.optimiser.steps = 0;
  ClassifierTrainer trainer(checkpoint, data.train, by_epochs, epochs);
  FineTuneResult result;
  NamedTensors best;
  TrainingLoop::Hooks hooks;
  hooks.evaluate = [&] {
    const double score =
        score_classifier(checkpoint, 0, data.dev, data.metric,
                         options.optimiser.precision == Precision::kBfloat16, /*resamples=*/0)
            .score;
    if (!best.empty() && !(score > result.dev_score)) return true;
    result = {score, trainer.steps_done() / trainer.batches_in_epoch()};
    best = copied_tensors(*checkpoint.model);
    return true;
  };
  const TrainingLoop::Cadence cadence = {0, trainer.batches_in_epoch(), 0, stop};
  if (!trainer.run(cadence, hooks)) return std::nullopt;
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
