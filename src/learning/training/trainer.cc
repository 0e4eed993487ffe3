#include "learning/training/trainer.h"

#include <limits>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "learning/model/bfloat16_scope.h"
#include "learning/model/expert_distance.h"
#include "learning/model/model_routes.h"
#include "learning/training/snapshot.h"

namespace trivium::learning {

Trainer::Trainer(Checkpoint& checkpoint, ExampleStream& stream, const TrainerOptions& options,
                 Validator validator)
    : TrainingLoop(*checkpoint.model, options.optimiser, options.device),
      checkpoint_(checkpoint),
      stream_(stream),
      options_(options),
      validator_(std::move(validator)),
      noise_(at::detail::createCPUGenerator(static_cast<uint64_t>(options.optimiser.seed))),
      curves_(std::filesystem::path(options.run.output) / "metrics.csv"),
      route_file_(std::filesystem::path(options.run.output) / "routes.jsonl"),
      progress_(options.optimiser.steps) {
  checkpoint_.model->set_dropout({.residual = options.optimiser.dropout,
                                  .attention = options.optimiser.attention_dropout,
                                  .activation = 0});
}

RoutingWeights Trainer::route(const torch::Tensor& task_ids) {
  Seq2SeqModel& model = checkpoint_.model;
  if (!model->is_routed()) return {};
  const TrainingRoutes& routes = options_.routes;
  if (routes.instance_random) {
    return model->split_stacks(draw_random_routes({model->num_layers(), task_ids.size(0),
                                                   model->config().routing.num_experts},
                                                  /*count=*/1, noise_)
                                   .to(task_ids.device()));
  }
  if (routes.frozen || !model->has_router()) {
    return model->split_stacks(model->inference_routes(task_ids, temperature()));
  }
  const torch::Tensor logits = model->router_logits(task_ids);
  torch::Tensor gumbel;
  if (routes.selection != SelectionKind::kSoftmax) {
    gumbel = draw_gumbel(logits.sizes(), noise_).to(logits.device());
  }
  const torch::Tensor weights = select_experts(logits, routes.selection, temperature(), gumbel);
  return model->split_stacks(explore(weights, routes.exploration, noise_));
}

// What a real target token's loss counts in the step's, in the order of the model's loss().
torch::Tensor Trainer::token_weights(const Batch& batch) const {
  const torch::Tensor lengths = batch.label_mask.sum(1);
  const auto tokens = lengths.sum().item<int64_t>();
  const auto options = torch::dtype(torch::kFloat32).device(lengths.device());
  // The reference does not divide a summed loss by the accumulation (docs/spec/task_level.md,
  // section 5).
  if (options_.optimiser.loss == LossReduction::kTokenSum) return torch::ones({tokens}, options);
  const auto batches = static_cast<double>(options_.optimiser.accumulation);
  if (options_.optimiser.loss == LossReduction::kTokenMean) {
    return torch::full({tokens}, 1 / (static_cast<double>(tokens) * batches), options);
  }
  // example_mean: a token counts for one over its example's length, and an example as much as any
  // other, however many share its batch.
  return (1 / (lengths.to(torch::kFloat32) * (stream_.mean_batch_size() * batches)))
      .repeat_interleave(lengths);
}

OutputLoss Trainer::loss_of(const Batch& batch) {
  const RoutingWeights routes = route(batch.task_ids);
  const Bfloat16Scope scope(options_.optimiser.precision == Precision::kBfloat16,
                            options_.device.type());
  return checkpoint_.model->loss(batch, routes, token_weights(batch),
                                 options_.optimiser.label_smoothing);
}

TrainingLoop::StepResult Trainer::add_gradients() {
  checkpoint_.model->train();
  // The inference-time routes have no dropout in the router.
  if (options_.routes.frozen && checkpoint_.model->has_router()) {
    checkpoint_.model->router()->eval();
  }
  StepResult result;
  const int64_t accumulation = options_.optimiser.accumulation;
  double loss_sum = 0;
  for (int64_t i = 0; i < accumulation; ++i) {
    const Batch batch = collate(stream_.next_batch(), checkpoint_.config().pad_token_id,
                                checkpoint_.config().decoder_start_token_id)
                            .to(options_.device);
    const OutputLoss loss = loss_of(batch);
    loss.sum.backward();
    loss_sum += loss.losses.sum().item<double>();
    result.tokens += loss.losses.numel();
    result.examples += batch.size();
  }
  if (options_.optimiser.expert_regularisation > 0) {
    add_expert_distance_gradients(*checkpoint_.model, options_.optimiser.expert_regularisation);
  }
  result.loss = loss_sum / static_cast<double>(result.tokens);
  return result;
}

bool Trainer::run() {
  // Curves of a run that ended before its first snapshot, or went on after its last one.
  curves_.truncate_after(steps_done());
  route_file_.truncate_after(steps_done() > 0 ? steps_done() : -1);
  progress_.start(steps_done());
  if (steps_done() == 0) record_routes();
  const RunSettings& run = options_.run;
  const Cadence cadence = {run.log_every, run.eval_every, run.save_every, options_.stop};
  Hooks hooks;
  hooks.after_step = [this](const StepResult& result) {
    progress_.add(result.examples);
    add_loss(result.loss);
  };
  hooks.log = [this](const StepResult& result) {
    log_point(result);
    record_routes();
  };
  hooks.evaluate = [this] { validate(); };
  hooks.save = [this] { save_snapshot(); };
  return TrainingLoop::run(cadence, hooks);
}

// A point of every curve; `result` is the last step's.
void Trainer::log_point(const StepResult& result) {
  const OptimiserSettings& settings = options_.optimiser;
  const double factor =
      learning_rate_factor(steps_done() - 1, settings.steps, settings.warmup, settings.cooldown);
  const double loss = mean_loss();
  curves_.add(steps_done(), {{"loss", loss},
                             {"gradient_norm", result.gradient_norm},
                             {"learning_rate", settings.learning_rate * factor},
                             {"temperature", temperature()}});
  progress_.report(steps_done(), loss);
  clear_losses();
}

// Learned routes as they would be used now; routes of a table stay what they are.
void Trainer::record_routes() {
  if (!checkpoint_.model->has_router() || checkpoint_.tasks.entries().empty()) return;
  checkpoint_.model->eval();  // a router may have dropout
  checkpoint_.model->set_selection_temperature(temperature());
  route_file_.add(steps_done(), dump_routes(model_routes(checkpoint_.model), checkpoint_.config(),
                                            checkpoint_.tasks));
}

void Trainer::validate() {
  if (!validator_) return;
  checkpoint_.model->eval();
  const Validation validation = validator_(temperature());
  curves_.add(steps_done(), {{"dev_score", validation.score}});
  spdlog::info("step {}: dev score {:.4f} {}", steps_done(), validation.score, validation.summary);
  // A score that is no number (a correlation of constants) is never the best (docs/spec/parity.md,
  // A17).
  if (!(validation.score > best_score_.value_or(-std::numeric_limits<double>::infinity()))) return;
  best_score_ = validation.score;
  checkpoint_.model->set_selection_temperature(temperature());
  save_checkpoint(checkpoint_, std::filesystem::path(options_.run.output) / "best");
}

std::filesystem::path Trainer::last_folder() const {
  return std::filesystem::path(options_.run.output) / "last";
}

void Trainer::save_snapshot() {
  TrainingSnapshot snapshot = loop_state();
  snapshot.best_score = best_score_;
  snapshot.stream_state = stream_.state();
  snapshot.noise_state = noise_.get_state();
  checkpoint_.model->set_selection_temperature(temperature());
  save_training_snapshot(checkpoint_, snapshot, last_folder());
}

void Trainer::resume() {
  const TrainingSnapshot snapshot = load_training_snapshot(last_folder());
  restore(snapshot, last_folder());
  stream_.set_state(snapshot.stream_state);
  restore_generator(noise_, snapshot.noise_state);
  best_score_ = snapshot.best_score;
}

}  // namespace trivium::learning
