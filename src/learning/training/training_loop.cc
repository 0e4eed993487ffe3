#include "learning/training/training_loop.h"

#include <cmath>

#include "core/base/error.h"

namespace trivium::learning {

TrainingLoop::TrainingLoop(torch::nn::Module& model, const OptimiserSettings& settings,
                           torch::Device device)
    : model_(model), settings_(settings), device_(device), optimiser_(model, settings) {
  torch::manual_seed(static_cast<uint64_t>(settings.seed));
}

TrainingLoop::StepResult TrainingLoop::step() {
  optimiser_.take_turns(step_);
  StepResult result = add_gradients();
  result.gradient_norm = optimiser_.clip_gradients();
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    throw Error(ExitCode::kDiverged,
                "the loss (" + std::to_string(result.loss) + ", gradient norm " +
                    std::to_string(result.gradient_norm) + ") is not finite at step " +
                    std::to_string(step_ + 1) +
                    "; lower train.learning_rate and go on from the last snapshot with --resume");
  }
  optimiser_.step(
      learning_rate_factor(step_, settings_.steps, settings_.warmup, settings_.cooldown));
  optimiser_.zero_gradients();
  ++step_;
  return result;
}

bool TrainingLoop::run(const Cadence& cadence, const Hooks& hooks) {
  const auto is_due = [&](int64_t every) {
    return every > 0 && (step_ % every == 0 || step_ == settings_.steps);
  };
  while (!done()) {
    const StepResult result = step();
    if (hooks.after_step) hooks.after_step(result);
    if (hooks.log && is_due(cadence.log_every)) hooks.log(result);
    if (hooks.evaluate && is_due(cadence.evaluate_every)) hooks.evaluate();
    const bool stops = cadence.stop != nullptr && cadence.stop->load();
    if (hooks.save && (stops || is_due(cadence.save_every))) hooks.save();
    if (stops && !done()) return false;
  }
  return true;
}

TrainingSnapshot TrainingLoop::loop_state() const {
  TrainingSnapshot snapshot;
  snapshot.step = step_;
  snapshot.loss_sum = loss_sum_;
  snapshot.loss_steps = loss_steps_;
  snapshot.dropout_state = dropout_generator(device_).get_state();
  snapshot.optimiser = optimiser_.state();
  return snapshot;
}

void TrainingLoop::restore(const TrainingSnapshot& snapshot, const std::filesystem::path& folder) {
  restore_parameters(model_, folder);
  optimiser_.load_state(snapshot.optimiser);
  restore_generator(dropout_generator(device_), snapshot.dropout_state);
  step_ = snapshot.step;
  loss_sum_ = snapshot.loss_sum;
  loss_steps_ = snapshot.loss_steps;
}

void TrainingLoop::add_loss(double loss) {
  loss_sum_ += loss;
  ++loss_steps_;
}

double TrainingLoop::mean_loss() const {
  return loss_steps_ > 0 ? loss_sum_ / static_cast<double>(loss_steps_) : 0;
}

void TrainingLoop::clear_losses() {
  loss_sum_ = 0;
  loss_steps_ = 0;
}

}  // namespace trivium::learning
