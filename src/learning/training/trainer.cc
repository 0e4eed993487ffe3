#include "learning/training/trainer.h"

#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/logging.h"
#include "learning/model/bfloat16_scope.h"
#include "learning/model/expert_distance.h"
#include "learning/model/model_routes.h"
#include "learning/training/run_record.h"
#include "learning/training/snapshot.h"

namespace trivium::learning {
namespace {

constexpr const char* kCurveFile = "metrics.csv";
constexpr const char* kRouteFile = "routes.jsonl";

bool shards_experts(const TrainerOptions& options) {
  return options.run.shard_experts && options.processes != nullptr && options.processes->size() > 1;
}

OwnerOf expert_owners(Seq2SeqModel& model, const TrainerOptions& options) {
  if (!shards_experts(options)) return {};
  std::unordered_map<const void*, int> owners;
  for (const ExpertParameter& parameter : model->expert_parameters()) {
    owners[parameter.value.unsafeGetTensorImpl()] =
        ExpertShards::owner(parameter.expert, parameter.count, options.processes->size());
  }
  return [owners = std::move(owners)](const torch::Tensor& parameter) {
    const auto found = owners.find(parameter.unsafeGetTensorImpl());
    return found == owners.end() ? -1 : found->second;
  };
}

}  // namespace

// While there is one, the first process has all experts' weights.
class Trainer::WholeModel {
 public:
  explicit WholeModel(const Trainer& trainer) : trainer_(trainer) {
    if (trainer_.shards_) trainer_.shards_->gather(parameters());
  }
  ~WholeModel() {
    if (trainer_.shards_) trainer_.shards_->release(parameters());
  }
  WholeModel(const WholeModel&) = delete;
  WholeModel& operator=(const WholeModel&) = delete;

 private:
  std::vector<ExpertParameter> parameters() const {
    return trainer_.checkpoint_.model->expert_parameters();
  }

  const Trainer& trainer_;
};

Trainer::Trainer(Checkpoint& checkpoint, ExampleStream& stream, const TrainerOptions& options,
                 Validator validator)
    : TrainingLoop(*checkpoint.model, options.optimiser, options.device, options.processes,
                   expert_owners(checkpoint.model, options)),
      checkpoint_(checkpoint),
      stream_(stream),
      options_(options),
      validator_(std::move(validator)),
      noise_(at::detail::createCPUGenerator(static_cast<uint64_t>(options.optimiser.seed))),
      curves_(std::filesystem::path(options.run.output) / kCurveFile),
      events_(options.run.output),
      route_file_(std::filesystem::path(options.run.output) / kRouteFile),
      progress_(options.optimiser.steps) {
  if (processes().size() > options.optimiser.accumulation) {
    throw Error(ExitCode::kConfig,
                "there are " + std::to_string(processes().size()) +
                    " processes, and train.accumulation is " +
                    std::to_string(options.optimiser.accumulation) +
                    ": each process needs a batch of every step; raise it, and lower "
                    "train.batch_tokens as much");
  }
  checkpoint_.model->set_dropout({.residual = options.optimiser.dropout,
                                  .attention = options.optimiser.attention_dropout,
                                  .activation = 0});
  if (shards_experts(options)) shard_experts();
}

void Trainer::shard_experts() {
  const OptimiserSettings& settings = options_.optimiser;
  const auto refuse = [](const std::string& why) {
    throw Error(ExitCode::kConfig, "run.shard_experts: " + why);
  };
  const std::vector<ExpertParameter> parameters = checkpoint_.model->expert_parameters();
  if (parameters.empty()) refuse("the model has no pools of experts; leave it out");
  if (settings.accumulation % processes().size() != 0) {
    refuse(
        "each process needs as many batches as the others: make train.accumulation a multiple "
        "of the " +
        std::to_string(processes().size()) + " processes");
  }
  if (settings.expert_regularisation > 0) {
    refuse("train.expert_regularisation compares experts of different processes; set it to 0");
  }
  shards_ = std::make_shared<ExpertShards>(processes().branch("experts"));
  checkpoint_.model->shard_experts(shards_);
  shards_->release(parameters);
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

std::string Trainer::task_name(int64_t task) const {
  const auto& entries = checkpoint_.tasks.entries();
  const auto row = static_cast<size_t>(task);
  return row < entries.size() ? entries[row].task.name : "";
}

// losses: [tokens], the batch's real target tokens row after row.
void Trainer::note_unfinite(const Batch& batch, const torch::Tensor& losses, StepResult& result) {
  const torch::Tensor unfinite = torch::isfinite(losses).logical_not();
  if (!unfinite.any().item<bool>()) return;
  const torch::Tensor of_tokens = batch.task_ids.repeat_interleave(batch.label_mask.sum(1));
  const torch::Tensor ids = of_tokens.masked_select(unfinite).to(torch::kCPU).contiguous();
  const int64_t* id = ids.data_ptr<int64_t>();
  result.unfinite_tasks.insert(id, id + ids.numel());
}

// The first process has the last batch of every step, of which the curves are.
bool Trainer::is_own_batch(int64_t number) const {
  return (options_.optimiser.accumulation - 1 - number) % processes().size() == processes().rank();
}

void Trainer::add_batch(int64_t number, const std::vector<EncodedExample>& examples,
                        StepResult& result) {
  begin_batch(number);
  noise_.set_current_seed(batch_seed(number, /*what=*/1));
  const Batch batch = collate(examples, checkpoint_.config().pad_token_id,
                              checkpoint_.config().decoder_start_token_id)
                          .to(options_.device);
  const OutputLoss loss = loss_of(batch);
  const bool is_last = number + processes().size() >= options_.optimiser.accumulation;
  if (is_last) begin_sum();
  loss.sum.backward();
  result.loss += loss.losses.sum().item<double>();
  note_unfinite(batch, loss.losses, result);
  if (checkpoint_.model->has_token_gates()) last_batch_ = batch;
  result.tokens += loss.losses.numel();
  result.examples += batch.size();
}

// What all processes saw of the step; every one knows all its tasks.
void Trainer::sum_results(StepResult& result) const {
  if (processes().size() == 1) return;
  const std::vector<int64_t> tasks(result.tasks.begin(), result.tasks.end());
  torch::Tensor sums = torch::zeros({3 + std::ssize(tasks)}, torch::kFloat64);
  double* sum = sums.data_ptr<double>();
  sum[0] = result.loss;
  sum[1] = static_cast<double>(result.tokens);
  sum[2] = static_cast<double>(result.examples);
  for (size_t i = 0; i < tasks.size(); ++i) sum[3 + i] = result.unfinite_tasks.count(tasks[i]);
  processes().sum(sums);
  result.loss = sum[0];
  result.tokens = static_cast<int64_t>(sum[1]);
  result.examples = static_cast<int64_t>(sum[2]);
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (sum[3 + i] > 0) result.unfinite_tasks.insert(tasks[i]);
  }
}

TrainingLoop::StepResult Trainer::add_gradients() {
  checkpoint_.model->train();
  for (TokenGate& gate : checkpoint_.model->token_gates()) gate->record(true);
  // The inference-time routes have no dropout in the router.
  if (options_.routes.frozen && checkpoint_.model->has_router()) {
    checkpoint_.model->router()->eval();
  }
  StepResult result;
  for (int64_t i = 0; i < options_.optimiser.accumulation; ++i) {
    // All processes draw all batches, so that their streams stay at the same place.
    const std::vector<EncodedExample> examples = stream_.next_batch();
    for (const EncodedExample& example : examples) result.tasks.insert(example.task);
    if (is_own_batch(i)) add_batch(i, examples, result);
  }
  finish_sum();
  sum_results(result);
  if (options_.optimiser.expert_regularisation > 0) {
    add_expert_distance_gradients(*checkpoint_.model, options_.optimiser.expert_regularisation);
  }
  result.loss /= static_cast<double>(result.tokens);
  return result;
}

bool Trainer::run() {
  if (processes().is_first()) {
    remove_half_written(options_.run.output);
    // Curves of a run that ended before its first snapshot, or went on after its last one.
    curves_.truncate_after(steps_done());
    events_.truncate_after(steps_done());
    route_file_.truncate_after(steps_done() > 0 ? steps_done() : -1);
  }
  progress_.start(steps_done());
  if (steps_done() == 0) record_routes();
  const RunSettings& run = options_.run;
  const Cadence cadence = {run.log_every, run.eval_every, run.save_every, options_.stop};
  Hooks hooks;
  hooks.after_step = [this](const StepResult& result) {
    progress_.add(result.examples);
    if (!result.skipped) add_loss(result.loss);
  };
  hooks.log = [this](const StepResult& result) {
    log_point(result);
    record_routes();
  };
  hooks.evaluate = [this] { return validate(); };
  hooks.save = [this] { save_snapshot(); };
  const bool is_done = TrainingLoop::run(cadence, hooks);
  if (shards_) {
    shards_->gather_everywhere(checkpoint_.model->expert_parameters());
    checkpoint_.model->shard_experts(nullptr);
  }
  processes().any(false);  // what the first writes is whole before another reads it
  return is_done;
}

// A point of every curve; `result` is the last step's.
void Trainer::log_point(const StepResult& result) {
  const OptimiserSettings& settings = options_.optimiser;
  const double factor =
      learning_rate_factor(steps_done() - 1, settings.steps, settings.warmup, settings.cooldown);
  const double loss = has_losses() ? mean_loss() : std::numeric_limits<double>::quiet_NaN();
  add_point({{"loss", loss},
             {"gradient_norm", result.gradient_norm},
             {"learning_rate", settings.learning_rate * factor},
             {"temperature", temperature()},
             {"skipped_steps", static_cast<double>(skipped_steps())}});
  if (processes().is_first()) progress_.report(steps_done(), loss);
  clear_losses();
  watch_routes();
}

void Trainer::add_point(const std::vector<std::pair<std::string, double>>& values) {
  if (!processes().is_first()) return;
  curves_.add(steps_done(), values);
  events_.add(steps_done(), values);
}

// Of the weights as they are, or of the last batch: what a resumed run sees too.
void Trainer::watch_routes() {
  Seq2SeqModel& model = checkpoint_.model;
  if (model->has_token_gates()) {
    std::vector<TokenGate> gates = model->token_gates();
    add_point(watch_.look(use_of_gates(gates, model->config().encoder_layers,
                                       last_batch_.source.mask, last_batch_.label_mask,
                                       last_batch_.task_ids, checkpoint_.tasks.names())));
  } else if (model->has_router() && !options_.routes.frozen) {
    torch::NoGradGuard no_grad;
    model->eval();
    const bool is_softmax = options_.routes.selection == SelectionKind::kSoftmax;
    const torch::Tensor tasks = torch::arange(model->num_tasks(), torch::kInt64).to(device());
    add_point(
        watch_.look(use_of_logits(model->router_logits(tasks) / (is_softmax ? temperature() : 1.0),
                                  model->config().encoder_layers)));
  }
}

// Learned routes as they would be used now; routes of a table stay what they are.
void Trainer::record_routes() {
  if (!checkpoint_.model->has_router() || checkpoint_.tasks.entries().empty()) return;
  if (!processes().is_first()) return;
  checkpoint_.model->eval();  // a router may have dropout
  checkpoint_.model->set_selection_temperature(temperature());
  route_file_.add(steps_done(), dump_routes(model_routes(checkpoint_.model), checkpoint_.config(),
                                            checkpoint_.tasks));
}

// The first process's, whose text only it has.
std::optional<Validation> Trainer::validation() const {
  std::optional<Validation> validation;
  if (processes().is_first()) validation = validator_(temperature());
  torch::Tensor shared =
      torch::tensor({validation ? 1.0 : 0.0, validation ? validation->score : 0}, torch::kFloat64);
  processes().share(shared, /*from=*/0);
  if (shared[0].item<double>() == 0) return {};
  return validation ? validation : Validation{shared[1].item<double>(), ""};
}

bool Trainer::validate() {
  if (!validator_) return true;
  const WholeModel whole(*this);
  checkpoint_.model->eval();
  const std::optional<Validation> validation = this->validation();
  if (!validation) return false;
  add_point({{"dev_score", validation->score}});
  spdlog::info("step {}: dev score {:.4f} {}", steps_done(), validation->score,
               validation->summary);
  // A score that is no number (a correlation of constants) is never the best (docs/spec/parity.md,
  // A17).
  if (!(validation->score > best_score_.value_or(-std::numeric_limits<double>::infinity()))) {
    return true;
  }
  best_score_ = validation->score;
  if (!processes().is_first()) return true;
  checkpoint_.model->set_selection_temperature(temperature());
  save_checkpoint(checkpoint_, std::filesystem::path(options_.run.output) / "best");
  return true;
}

std::filesystem::path Trainer::last_folder() const {
  return std::filesystem::path(options_.run.output) / "last";
}

void Trainer::save_snapshot() {
  // A snapshot on the disk means that its curves are there too.
  const std::filesystem::path output = options_.run.output;
  for (const char* name : {kCurveFile, kRouteFile}) {
    if (std::filesystem::exists(output / name)) sync_path(output / name);
  }
  TrainingSnapshot snapshot = loop_state();
  const WholeModel whole(*this);
  if (!processes().is_first()) return;
  snapshot.record = options_.record;
  snapshot.best_score = best_score_;
  snapshot.stream_state = stream_.state();
  checkpoint_.model->set_selection_temperature(temperature());
  save_training_snapshot(checkpoint_, snapshot, last_folder());
  keep_snapshot(last_folder(), steps_done(), options_.run.keep);
}

void Trainer::resume() {
  const TrainingSnapshot snapshot = load_training_snapshot(last_folder());
  refuse_other_run(snapshot.record, options_.record, options_.run.output,
                   snapshot.step >= options_.optimiser.steps && !snapshot.evaluation_due);
  if (shards_) shards_->allocate(checkpoint_.model->expert_parameters());
  restore(snapshot, last_folder());
  if (shards_) shards_->release(checkpoint_.model->expert_parameters());
  stream_.set_state(snapshot.stream_state);
  best_score_ = snapshot.best_score;
  if (!processes().is_first()) return;
  remove_half_written(options_.run.output);
  keep_snapshot(last_folder(), steps_done(), options_.run.keep);  // where a crash came before it
}

}  // namespace trivium::learning
