// The training loop: forward, loss, backward, clip, AdamW, curves, evaluation, snapshots.
#pragma once

#include <torch/torch.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/base/rng.h"
#include "core/routes/route_file.h"
#include "learning/model/expert_shards.h"
#include "learning/model/loss.h"
#include "learning/model/selection.h"
#include "learning/settings/train_settings.h"
#include "learning/storage/checkpoint.h"
#include "learning/training/event_file.h"
#include "learning/training/example_stream.h"
#include "learning/training/progress.h"
#include "learning/training/route_watch.h"
#include "learning/training/training_loop.h"

namespace trivium::learning {

// How a trainer routes its batches.
struct TrainingRoutes {
  SelectionKind selection = SelectionKind::kGumbelStraightThrough;
  TemperatureSchedule temperature;
  bool frozen = false;  // routes are the inference-time ones and carry no gradient
  // Every example and layer takes a random expert at every step; at evaluation the table's.
  bool instance_random = false;
  double exploration = 0;  // probability of a random expert, for each example and layer
};

// What an evaluation says of the model; `score` is to be maximised.
struct Validation {
  double score = 0;
  std::string summary;  // for the log
};

struct TrainerOptions {
  OptimiserSettings optimiser;
  RunSettings run;
  TrainingRoutes routes;
  torch::Device device = torch::kCPU;
  // Set by a signal handler: the trainer saves a snapshot and returns false.
  const std::atomic<bool>* stop = nullptr;
  // Those that train it together, each a part of every step's batches (train.accumulation); null:
  // one alone. The first evaluates and writes. Error kConfig where there are more than batches.
  const Processes* processes = nullptr;
  // What the training is begun with (run_record.h): snapshots keep it, and only a training of the
  // same goes on from them. null: nothing is kept or compared.
  Json record = nullptr;
};

class Trainer : public TrainingLoop {
 public:
  // Evaluates the model as it is; called with the temperature of the moment. Nothing where it was
  // stopped.
  using Validator = std::function<std::optional<Validation>(double temperature)>;

  Trainer(Checkpoint& checkpoint, ExampleStream& stream, const TrainerOptions& options,
          Validator validator);

  // Continues from the run's snapshot. Error kMissingInput when there is none, kExists when it is
  // of another training (refuse_other_run), kConfig when it is of another model, kBadModel when it
  // is damaged or of other data.
  void resume();

  // Trains to the last step; then the model is whole in all processes. Returns false when it was
  // stopped early. Writes last/ (resumable) every save_every steps and when it ends, best/ whenever
  // the validation score is above all before; and the curves, as metrics.csv and as TensorBoard's
  // events. Errors as step().
  bool run();

  // The temperature of the routes at the next step.
  double temperature() const { return options_.routes.temperature.at(steps_done()); }

 private:
  StepResult add_gradients() override;
  std::string task_name(int64_t task) const override;
  static void note_unfinite(const Batch& batch, const torch::Tensor& losses, StepResult& result);
  void add_batch(int64_t number, const std::vector<EncodedExample>& examples, StepResult& result);
  bool is_own_batch(int64_t number) const;
  void shard_experts();
  class WholeModel;
  void sum_results(StepResult& result) const;
  std::optional<Validation> validation() const;
  RoutingWeights route(const torch::Tensor& task_ids);
  OutputLoss loss_of(const Batch& batch);
  torch::Tensor token_weights(const Batch& batch) const;
  void log_point(const StepResult& result);
  void add_point(const std::vector<std::pair<std::string, double>>& values);
  void watch_routes();
  void record_routes();
  bool validate();
  void save_snapshot();
  std::filesystem::path last_folder() const;

  Checkpoint& checkpoint_;
  ExampleStream& stream_;
  TrainerOptions options_;
  Validator validator_;
  torch::Generator noise_;
  // Of run.shard_experts, with several processes; null: each process has all experts.
  std::shared_ptr<const ExpertShards> shards_;
  CurveFile curves_;
  EventFile events_;
  RouteWatch watch_;
  Batch last_batch_;  // of a model with token gates
  RouteFile route_file_;
  Progress progress_;
  std::optional<double> best_score_;
};

}  // namespace trivium::learning
