// What every training does, whatever its model: the steps of the optimiser with their checks, the
// state that a snapshot keeps, and the loop over steps, evaluations and savings.
#pragma once

#include <torch/torch.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "learning/processes/gradient_sum.h"
#include "learning/processes/processes.h"
#include "learning/settings/train_settings.h"
#include "learning/training/optimiser.h"
#include "learning/training/snapshot.h"

namespace trivium::learning {

class TrainingLoop {
 public:
  virtual ~TrainingLoop() = default;
  TrainingLoop(const TrainingLoop&) = delete;
  TrainingLoop& operator=(const TrainingLoop&) = delete;

  struct StepResult {
    double loss = 0;           // mean over target tokens, or over a classifier's examples
    double gradient_norm = 0;  // before clipping
    int64_t examples = 0;
    int64_t tokens = 0;       // target tokens, or a classifier's input tokens without padding
    std::set<int64_t> tasks;  // of its examples
    std::set<int64_t> unfinite_tasks;  // whose loss is not finite
    bool skipped = false;
  };
  // One optimiser step. Where the loss or the gradient's norm is not finite, it is skipped: weights
  // and moments stay, schedule and data go on, and a warning names layer, expert and tasks. Error
  // kDiverged, with the state as it was before the step, after train.max_skipped such steps in a
  // row.
  StepResult step();

  int64_t steps() const { return settings_.steps; }
  int64_t steps_done() const { return step_; }
  bool done() const { return step_ >= settings_.steps && !evaluation_due_; }
  int64_t skipped_steps() const { return skipped_; }

  // When run() calls its hooks, in steps; 0: never.
  struct Cadence {
    int64_t log_every = 0, evaluate_every = 0, save_every = 0;
    // Asked after each step; one process's stops them all.
    const std::atomic<bool>* stop = nullptr;
  };
  // Each may be empty. `log` and `evaluate` are called after the last step too; `save` when the
  // loop is stopped. `evaluate` returns false when it was stopped before its end: what is saved
  // then says that it is to be made, and a run that goes on begins with it.
  struct Hooks {
    std::function<void(const StepResult&)> after_step, log;
    std::function<bool()> evaluate;
    std::function<void()> save;
  };
  // Steps to the end. Returns false when it was stopped before.
  bool run(const Cadence& cadence, const Hooks& hooks);

 protected:
  // `model` and `processes` (null: one alone) must outlive the loop.
  TrainingLoop(torch::nn::Module& model, const OptimiserSettings& settings, torch::Device device,
               const Processes* processes = nullptr, const OwnerOf& owner_of = {});

  // Puts the model in training mode and adds the gradients of one step, of all processes; says all
  // of the step but its gradient norm.
  virtual StepResult add_gradients() = 0;
  // The name of a task of a step; "" where tasks have none.
  virtual std::string task_name(int64_t task) const = 0;

  // Before each batch of a step: what the batch draws (dropout) then follows from the seed, the
  // step and the batch's number alone, whatever was drawn before and whichever process draws it.
  void begin_batch(int64_t batch);
  // A seed of this kind for other generators; `what` tells them apart.
  uint64_t batch_seed(int64_t batch, uint64_t what) const;
  // Before the backward pass of the last batch that this process makes of a step, and after it:
  // the gradients become the sums of all processes.
  void begin_sum() { gradient_sum_.begin(); }
  void finish_sum() { gradient_sum_.finish(); }
  const Processes& processes() const { return *processes_; }

  // What a snapshot says of the loop, without the stream of examples; and back, with the model's
  // weights out of `folder`. All processes call them; the state is whole in the first alone. Errors
  // as load_training_snapshot and restore_parameters.
  TrainingSnapshot loop_state() const;
  void restore(const TrainingSnapshot& snapshot, const std::filesystem::path& folder);
  // As after the last step, of a training that has ended before.
  void restore_end() { step_ = settings_.steps; }

  const OptimiserSettings& settings() const { return settings_; }
  torch::Device device() const { return device_; }
  AdamW& optimiser() { return optimiser_; }
  // The mean of the losses that were added since the last clear_losses(); 0 where there are none.
  void add_loss(double loss);
  bool has_losses() const { return loss_steps_ > 0; }
  double mean_loss() const;
  void clear_losses();

 private:
  void skip(const StepResult& result);

  torch::nn::Module& model_;
  OptimiserSettings settings_;
  torch::Device device_;
  const Processes* processes_;
  AdamW optimiser_;
  GradientSum gradient_sum_;
  int64_t step_ = 0;
  int64_t skipped_ = 0, skipped_in_row_ = 0;
  bool evaluation_due_ = false;
  double loss_sum_ = 0;
  int64_t loss_steps_ = 0;
};

}  // namespace trivium::learning
