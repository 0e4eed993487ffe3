#include "learning/training/training_loop.h"

#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/base/logging.h"
#include "learning/training/unfinite_step.h"

namespace trivium::learning {

namespace {

const Processes kAlone;

// The finaliser of splitmix64: seeds that differ in a bit have nothing in common.
uint64_t mixed(uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
  return number ^ (number >> 31);
}

// Those whose gradients come from all processes.
std::vector<torch::Tensor> shared_parameters(const torch::nn::Module& model,
                                             const OwnerOf& owner_of) {
  std::vector<torch::Tensor> parameters;
  for (const torch::Tensor& parameter : model.parameters()) {
    if (!parameter.requires_grad() || (owner_of && owner_of(parameter) >= 0)) continue;
    parameters.push_back(parameter);
  }
  return parameters;
}

}  // namespace

TrainingLoop::TrainingLoop(torch::nn::Module& model, const OptimiserSettings& settings,
                           torch::Device device, const Processes* processes,
                           const OwnerOf& owner_of)
    : model_(model),
      settings_(settings),
      device_(device),
      processes_(processes == nullptr ? &kAlone : processes),
      optimiser_(model, settings, *processes_, owner_of),
      gradient_sum_(*processes_, shared_parameters(model, owner_of)) {}

uint64_t TrainingLoop::batch_seed(int64_t batch, uint64_t what) const {
  uint64_t seed = mixed(static_cast<uint64_t>(settings_.seed));
  for (const uint64_t part : {static_cast<uint64_t>(step_), static_cast<uint64_t>(batch), what}) {
    seed = mixed(seed + 0x9e3779b97f4a7c15u + part);
  }
  return seed;
}

void TrainingLoop::begin_batch(int64_t batch) {
  at::Generator generator = at::globalContext().defaultGenerator(device_);
  generator.set_current_seed(batch_seed(batch, /*what=*/0));
}

TrainingLoop::StepResult TrainingLoop::step() {
  optimiser_.take_turns(step_);
  StepResult result = add_gradients();
  result.gradient_norm = optimiser_.clip_gradients();
  result.skipped = !std::isfinite(result.loss) || !std::isfinite(result.gradient_norm);
  if (result.skipped) {
    skip(result);
  } else {
    optimiser_.step(
        learning_rate_factor(step_, settings_.steps, settings_.warmup, settings_.cooldown));
    skipped_in_row_ = 0;
  }
  optimiser_.zero_gradients();
  ++step_;
  return result;
}

void TrainingLoop::skip(const StepResult& result) {
  const auto names = [&](const std::set<int64_t>& tasks) {
    std::vector<std::string> names;
    for (const int64_t task : tasks) names.push_back(task_name(task));
    return names;
  };
  const std::string what =
      unfinite_step_text(model_, result.loss, names(result.unfinite_tasks), names(result.tasks));
  const std::string step = "step " + std::to_string(step_ + 1);
  if (skipped_in_row_ >= settings_.max_skipped) {
    throw Error(ExitCode::kDiverged,
                step + " follows " + std::to_string(skipped_in_row_) + " skipped ones, and " +
                    what +
                    "; lower train.learning_rate and go on from the last snapshot with --resume");
  }
  ++skipped_;
  ++skipped_in_row_;
  spdlog::warn("{} is skipped ({} of at most {} in a row): {}", step, skipped_in_row_,
               settings_.max_skipped, what);
}

bool TrainingLoop::run(const Cadence& cadence, const Hooks& hooks) {
  const auto is_due = [&](int64_t every) {
    return every > 0 && (step_ % every == 0 || step_ == settings_.steps);
  };
  while (!done()) {
    if (!evaluation_due_) {
      const StepResult result = step();
      if (hooks.after_step) hooks.after_step(result);
      if (hooks.log && is_due(cadence.log_every)) hooks.log(result);
      evaluation_due_ = is_due(cadence.evaluate_every);
    }
    if (evaluation_due_) evaluation_due_ = hooks.evaluate && !hooks.evaluate();
    const bool stops = processes_->any(cadence.stop != nullptr && cadence.stop->load());
    if (hooks.save && (stops || is_due(cadence.save_every))) hooks.save();
    if (stops && !done()) return false;
  }
  return true;
}

TrainingSnapshot TrainingLoop::loop_state() const {
  TrainingSnapshot snapshot;
  snapshot.step = step_;
  snapshot.skipped = skipped_;
  snapshot.skipped_in_row = skipped_in_row_;
  snapshot.evaluation_due = evaluation_due_;
  snapshot.loss_sum = loss_sum_;
  snapshot.loss_steps = loss_steps_;
  snapshot.optimiser = optimiser_.state();
  return snapshot;
}

void TrainingLoop::restore(const TrainingSnapshot& snapshot, const std::filesystem::path& folder) {
  restore_parameters(model_, folder);
  optimiser_.load_state(snapshot.optimiser);
  step_ = snapshot.step;
  skipped_ = snapshot.skipped;
  skipped_in_row_ = snapshot.skipped_in_row;
  evaluation_due_ = snapshot.evaluation_due;
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
